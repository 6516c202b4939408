"""Losses that ask for levels above the speaker: from the recipe and the manifest to the run, its resume, its heirs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import change

from curvox.corpora import Corpus, Utterance, read_corpus, speaker_labels
from curvox.diagnosis import diagnose_run
from curvox.embedder import load
from curvox.errors import CheckpointError, CorpusError, InputError, RecipeError
from curvox.losses import LevelPrototypes, create_loss
from curvox.training import Recipe, build_model, observe_run, train
from curvox.training.run.checkpoints import read_state
from curvox.training.step.building import levels_of, numbered_labels
from curvox.training.step.module import SpeakerModule

LEVELS = {"name": "level_prototypes", "weight": 0.1, "levels": ["gender", "native_language"]}
NODES = "loss.losses.1.prototypes"


@pytest.fixture(scope="session")
def levels_tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    """A recipe with a loss of speakers and one of the levels above them, two steps long."""
    loss = {"name": "combined", "parts": [{"name": "ham_softmax", "weight": 1.0}, LEVELS]}
    training = {**tiny_tree["training"], "epochs": 2, "max_steps": 2, "checkpoint_every_steps": 1}
    return {**tiny_tree, "loss": loss, "training": training}


@pytest.fixture(scope="session")
def levels_run(levels_tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("levels") / "run"
    train(change(levels_tree), folder)
    return folder


def relabelled(voices: Path, to: Path, change_row: Callable[[dict[str, str]], None]) -> Path:
    """A copy of a corpus with other labels in its manifest."""
    shutil.copytree(voices, to)
    path = to / "manifest.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        change_row(row)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return to


class StepReachedError(Exception):
    """Raised in the place of the first step."""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[LevelPrototypes]:
    """Is filled with the loss of the levels of each run, which ends before its first step."""
    seen: list[LevelPrototypes] = []

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.extend(part for part in module.loss.modules() if isinstance(part, LevelPrototypes))
        raise StepReachedError

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    return seen


def test_run__hangs_each_class_where_the_manifest_does(
    levels_tree: dict[str, Any], voices: Path, tmp_path: Path, built: list[LevelPrototypes]
) -> None:
    """Also at other speeds, which make classes of their own."""
    with pytest.raises(StepReachedError):
        train(change(levels_tree, "data.speeds=[1.0, 0.9]"), tmp_path / "run")
    people = read_corpus(voices).split("train").by_speaker
    paths = [(people[name][0].gender, people[name][0].native_language) for name in sorted(people)]
    for level in (0, 1):
        wanted = [path[: level + 1] for path in paths]
        numbers = {path: place for place, path in enumerate(sorted(set(wanted)))}
        assert built[0].nodes[:, level].tolist() == 2 * [numbers[path] for path in wanted]


def test_run__learns_prototypes_and_keeps_them(levels_run: Path) -> None:
    state = read_state(levels_run / "last")
    labels = state["curvox"]["labels"]
    assert list(labels) == ["gender", "native_language"]
    nodes = len({*labels["gender"]}) + len({*zip(*labels.values(), strict=True)})
    assert state["state_dict"][NODES].shape == (nodes, 12)
    assert load(levels_run).space.describe()["name"] == "poincare_ball"


def test_resume__equals_a_run_that_was_never_stopped(
    levels_tree: dict[str, Any], levels_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if module.global_step == 1:
            raise StepReachedError
        return original(module, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SpeakerModule, "embed_batch", embed_batch)
        with pytest.raises(StepReachedError):
            train(change(levels_tree), tmp_path / "run")
    train(change(levels_tree), tmp_path / "run", resume=True)
    found, expected = (read_state(folder / "last")["state_dict"] for folder in (tmp_path / "run", levels_run))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_resume__refuses_other_labels(
    levels_tree: dict[str, Any], levels_run: Path, voices: Path, tmp_path: Path
) -> None:
    def other(row: dict[str, str]) -> None:
        if row["speaker"] == first:
            row["gender"] = {"f": "m", "m": "f"}[row["gender"]]

    first = read_corpus(voices).split("train").speakers[0]
    shutil.copytree(voices, tmp_path / "same")
    relabelled(voices, tmp_path / "other", other)
    shutil.copytree(levels_run, tmp_path / "run")
    (tmp_path / "run" / "recipe.yaml").write_text(
        (levels_run / "recipe.yaml").read_text().replace(str(voices), str(tmp_path / "other"))
    )
    with pytest.raises(CheckpointError, match="not those"):
        train(change(levels_tree, f"data.path={tmp_path / 'other'}"), tmp_path / "run", resume=True)
    options = f"data.path={tmp_path / 'other'}", f"training.start_from={levels_run}"
    with pytest.raises(RecipeError, match=f"gender of 1 speakers is another.*{first}"):
        train(change(levels_tree, *options), tmp_path / "heir")


def test_start__takes_the_prototypes_of_a_run_at_several_speeds(levels_tree: dict[str, Any], tmp_path: Path) -> None:
    """As fine-tuning with a large margin does: the first speed, no augmentation, longer crops."""
    train(change(levels_tree, "data.speeds=[1.0, 0.9]"), tmp_path / "first")
    options = f"training.start_from={tmp_path / 'first'}", "training.optimizer.learning_rate=1.0e-12", "data.crop_s=0.9"
    train(change(levels_tree, *options, "training.max_steps=1"), tmp_path / "second")
    first, second = (read_state(tmp_path / name / "last")["state_dict"][NODES] for name in ("first", "second"))
    torch.testing.assert_close(second, first)


def test_doctor__reads_a_run_with_levels(levels_run: Path) -> None:
    observed = observe_run(levels_run, recordings=24)
    assert observed.missing == {}
    assert observed.loss is not None
    assert diagnose_run(observed).checked


def test_averaged__knows_the_labels(levels_tree: dict[str, Any], tmp_path: Path) -> None:
    options = "training.max_steps=null", "training.average_last=2", "data.crops_per_epoch=8"
    train(change(levels_tree, *options), tmp_path / "run")
    labels = [read_state(tmp_path / "run" / name)["curvox"]["labels"] for name in ("averaged", "last")]
    assert labels[0] == labels[1]
    start = f"training.start_from={tmp_path / 'run' / 'averaged'}"
    train(change(levels_tree, start, "training.max_steps=1"), tmp_path / "heir")


@pytest.mark.parametrize(
    ("levels", "error", "reason"),
    [
        ("null", RecipeError, r"needs levels.*language, gender"),
        ("gender", RecipeError, "needs levels"),
        ("[]", RecipeError, "needs levels"),
        ("[gendre]", CorpusError, 'no column "gendre": did you mean "gender"'),
        ("[gender, speaker]", CorpusError, '"speaker" is no level above the speaker'),
        ("[language]", CorpusError, 'language of all 6 speakers .* is "en" wherever'),
        ("[gender, gender]", InputError, "each named once"),
    ],
)
def test_levels__that_do_not_fit_are_refused(
    levels: str, error: type[Exception], reason: str, levels_tree: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(error, match=reason):
        train(change(levels_tree, f"loss.parts.1.levels={levels}"), tmp_path / "run")
    assert not (tmp_path / "run" / "last").exists()


def test_shard_classes__is_refused_where_there_is_nothing_to_spread(
    levels_tree: dict[str, Any], tmp_path: Path
) -> None:
    recipe = change(levels_tree, "loss={name: level_prototypes, levels: [gender]}", "training.shard_classes=true")
    with pytest.raises(RecipeError, match="no class centres"):
        train(recipe, tmp_path / "run")


def test_levels_of__reads_parts_of_parts_once() -> None:
    inner = {"name": "combined", "parts": [LEVELS, {"name": "level_prototypes", "levels": ["language", "gender"]}]}
    assert levels_of({"name": "combined", "parts": [{"name": "am_softmax"}, inner]}) == (
        "gender",
        "native_language",
        "language",
    )
    assert levels_of({"name": "ham_softmax"}) == levels_of({"name": "my_own"}) == ()


def test_numbers__follow_the_alphabet_and_leave_the_unknown_out() -> None:
    assert numbered_labels({"language": ["zh", "", "ar", "zh"]}) == {"language": [1, -1, 0, 1]}


def test_build_model__needs_the_labels_of_its_classes(levels_tree: dict[str, Any]) -> None:
    recipe: Recipe = change(levels_tree)
    with pytest.raises(InputError, match="need the tree"):
        build_model(recipe, 3)
    labels = {"gender": ["f", "m", "f"], "native_language": ["a", "a", ""]}
    _, loss = build_model(recipe, 3, labels)
    parts: list[LevelPrototypes] = [part for part in loss.modules() if isinstance(part, LevelPrototypes)]
    assert parts[0].nodes.tolist() == [[0, 0], [1, 1], [0, -1]]
    with pytest.raises(RecipeError, match='"tree"'):
        create_loss({"name": "level_prototypes", "tree": {}}, dim=4, speakers=3)


def corpus_of(*rows: tuple[str, str, str]) -> Corpus:
    utterances = tuple(
        Utterance(utterance=str(n), path=f"{n}.wav", speaker=speaker, gender=gender, extra={"city": city})
        for n, (speaker, gender, city) in enumerate(rows)
    )
    return Corpus(Path(), utterances, "made up")


def test_labels__are_those_of_the_speaker_wherever_they_stand() -> None:
    corpus = corpus_of(("a", "f", "x"), ("b", "m", ""), ("a", "", "x"), ("c", "p", "y"), ("b", "m", "y"))
    found = speaker_labels(corpus, ["gender", "city"])
    assert found == {"gender": {"a": "f", "b": "m", "c": ""}, "city": {"a": "x", "b": "y", "c": "y"}}
    with pytest.raises(CorpusError, match='"a" has the gender "f" in "0" and "m" in "1"'):
        speaker_labels(corpus_of(("a", "f", ""), ("a", "m", "")), ["gender"])
    with pytest.raises(CorpusError, match='the city of all 2 speakers of "made up" is unknown'):
        speaker_labels(corpus_of(("a", "f", ""), ("b", "m", "")), ["city"])
