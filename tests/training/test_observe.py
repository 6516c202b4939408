"""What is measured of a run: by its folder, however it ended, and whatever of it is missing."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_recipes import change
from torch import Tensor

from curvox.diagnosis import RunObservation, adapt
from curvox.embedder import Embedder, load
from curvox.errors import CheckpointError, TrainingError
from curvox.files import tensors_from_file, tensors_to_file
from curvox.losses import AbstractLoss
from curvox.training import Recipe, observe_run, read_history, read_recipe, recipe_from, train, with_loss
from curvox.training.data.loading import prepare_data
from curvox.training.data.prepared import choose_recordings
from curvox.training.observing.observed import recording_facts
from curvox.training.step.module import SpeakerModule


@pytest.fixture(scope="module")
def seen(tiny_run: Path) -> RunObservation:
    return observe_run(tiny_run)


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to spoil."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def cache_of(tiny_run: Path) -> Path:
    return tiny_run.parent / ".cache"


def test_observation__of_a_finished_run_has_every_part(seen: RunObservation) -> None:
    assert seen.missing == {}
    assert seen.name == "tiny"
    assert seen.death is None
    for part in ("loss", "train", "dev", "step", "history", "recordings"):
        assert getattr(seen, part) is not None


def test_observation__leaves_the_folder_as_it_is(run: Path, tiny_run: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in run.rglob("*")}

    before = state()
    torch.manual_seed(5)
    expected = torch.randn(1)
    torch.manual_seed(5)
    observe_run(run, cache=cache_of(tiny_run))
    assert state() == before
    assert torch.equal(torch.randn(1), expected)


def test_observation__of_a_run_under_way_disturbs_nothing(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, seen = SpeakerModule.embed_batch, list[RunObservation]()

    def embed_batch(module: SpeakerModule, batch: dict[str, Tensor]) -> Tensor:
        if module.current_epoch == 1 and not seen:
            seen.append(observe_run(tmp_path / "run", cache=cache_of(tiny_run)))
        return original(module, batch)

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    train(recipe_from(tiny_tree), tmp_path / "run", cache=cache_of(tiny_run))
    assert seen[0].missing == {}
    assert seen[0].history is not None
    assert len(seen[0].history.epochs) == 1
    ours, theirs = (load(folder / "last").state_dict() for folder in (tmp_path / "run", tiny_run))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_observation__of_destroyed_weights_says_so(run: Path, tiny_run: Path) -> None:
    path = run / "last" / "training.safetensors"
    tensors = tensors_from_file(path)
    name = next(name for name in tensors if "encoder.entry.conv.weight" in name and "state_dict" in name)
    tensors_to_file({**tensors, name: tensors[name] * float("nan")}, path)
    seen = observe_run(run, cache=cache_of(tiny_run))
    assert seen.missing.keys() == {"train", "dev"}
    assert "24 of 24 recordings have embeddings that are not finite" in seen.missing["train"]
    assert seen.step is not None
    assert seen.step.origin is not None


def test_observation__embeds_what_the_last_checkpoint_embeds(seen: RunObservation, tiny_run: Path) -> None:
    model = load(tiny_run / "last")
    corpus = Path(str(read_recipe(tiny_run / "recipe.yaml").data.path))
    with (corpus / "manifest.tsv").open() as file:
        rows = {row["utterance"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert seen.dev is not None
    assert seen.train is not None
    expected = model.embed_files([corpus / rows[name]["path"] for name in seen.dev.names])
    points = seen.dev.space.project(seen.dev.raw)
    torch.testing.assert_close(points, torch.from_numpy(expected), rtol=1e-4, atol=1e-4)
    for embedded, speakers in ((seen.train, 6), (seen.dev, 4)):
        names = [embedded.speaker_names[i] for i in embedded.speakers.tolist()]
        assert names == [rows[name]["speaker"] for name in embedded.names]
        assert len(set(names)) == speakers
        assert embedded.sessions is not None
        assert embedded.channels is not None
        labels = [(rows[n]["speaker"], rows[n]["session"]) for n in embedded.names]
        ours = list(zip(names, embedded.sessions.tolist(), strict=True))
        assert len(set(labels)) == len(set(ours)) == len(set(zip(labels, ours, strict=True)))


def test_step__tells_how_far_each_weight_went(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: dict[str, Tensor] = {}
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, Tensor]) -> Tensor:
        if not first:
            first.update({name: tensor.clone() for name, tensor in module.state_dict().items()})
        return original(module, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SpeakerModule, "embed_batch", embed_batch)
        train(change(tiny_tree, "training.max_steps=3"), tmp_path / "run")
    step = observe_run(tmp_path / "run").step
    assert step is not None
    last = tensors_from_file(tmp_path / "run" / "last" / "training.safetensors")
    checked = 0
    for probe in step.parameters:
        name = probe.name if probe.name.startswith("loss.") else f"embedder.{probe.name}"
        start, end = first[name].double(), last[f"state.state_dict.{name}"].double()
        length = start.norm() if start.norm() > 0 else torch.tensor(start.numel() ** 0.5)
        assert probe.moved == pytest.approx(float((end - start).norm() / length), rel=1e-5)
        checked += 1
    assert checked > 20


def test_step__is_of_the_batch_that_comes_next(seen: RunObservation, tiny_run: Path) -> None:
    step = seen.step
    assert step is not None
    assert seen.history is not None
    assert len(step.items) == 8
    assert step.learning_rate == 1e-3
    assert {0.01, 0.1, 1.0, 10.0, 100.0} <= step.response.keys()
    assert step.batches_with_positives == 1.0  # 8 crops of 6 speakers
    # features are computed in float32 whatever the precision, so what they hold counts for nothing
    assert step.dtype_maximum is not None
    assert step.dtype_maximum < 65504
    assert step.gradient.shape == step.raw.shape == (8, 12)


def test_history__is_what_the_logs_say(seen: RunObservation, tiny_run: Path) -> None:
    history = seen.history
    assert history is not None
    with next((tiny_run / "logs").rglob("metrics.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss_step"]]
    at = history.steps.tolist()
    for row in rows:
        assert history.signs["loss"][at.index(int(row["step"]))] == pytest.approx(float(row["train/loss_step"]))
    assert np.isfinite(history.signs["effective_rank"]).all()
    assert [(e.epoch, e.loss, e.dev_eer) for e in history.epochs] == [
        (e.epoch, e.loss, e.dev_eer) for e in read_history(tiny_run)
    ]
    assert history.planned_steps == 2 * history.steps_per_epoch == json.loads(
        (tiny_run / "run.json").read_text()
    )["steps"]  # fmt: skip


def test_recordings__are_described_and_equal_ones_have_equal_digests(seen: RunObservation) -> None:
    facts = seen.recordings
    assert facts is not None
    assert len(facts.names) == len(set(facts.names)) == len(set(facts.digests)) == 40
    assert facts.splits.count("train") == 24
    assert set(facts.sessions) == {"1", "2"}
    for quality, duration_s in zip(facts.quality, facts.durations_s, strict=True):
        assert quality is not None
        assert quality.duration_s == pytest.approx(duration_s)


def older(run: Path) -> None:
    """A run of a version that kept no names of speakers."""
    path = run / "last" / "training.json"
    tree = json.loads(path.read_text())
    del tree["curvox"]["speakers"]
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("spoil", "gone", "why"),
    [
        (lambda run: shutil.rmtree(run / "logs"), {"history"}, "metrics.csv"),
        (
            lambda run: shutil.rmtree(run / "last"),
            {"loss", "step"},
            "from last/: last/ is missing",
        ),
        (older, {"loss", "step"}, "older version"),
        (
            lambda run: [shutil.rmtree(run / n) for n in ("last", "best")],
            {"loss", "train", "dev", "step"},
            "checkpoint",
        ),
        (lambda run: other_corpus(run), {"train", "dev", "step", "recordings"}, "nowhere"),
        (lambda run: (run / "failure.json").write_text("{}"), {"death"}, "is not an account of how a run died"),
    ],
    ids=["logs", "last", "older", "checkpoints", "corpus", "death"],
)
def test_observation__names_what_is_missing_and_has_the_rest(
    spoil: Callable[[Path], Any], gone: set[str], why: str, run: Path, tiny_run: Path
) -> None:
    spoil(run)
    seen = observe_run(run, cache=cache_of(tiny_run))
    assert seen.missing.keys() == gone
    assert all(why in reason for reason in seen.missing.values())
    parts = {"loss", "train", "dev", "step", "history", "recordings"}
    assert {part for part in parts if getattr(seen, part) is None} == gone - {"death"}


def other_corpus(run: Path) -> None:
    tree = (run / "recipe.yaml").read_text()
    path = read_recipe(run / "recipe.yaml").data.path
    (run / "recipe.yaml").write_text(tree.replace(str(path), str(run / "nowhere")))


def test_observation__takes_the_corpus_from_elsewhere(run: Path, tiny_run: Path, voices: Path) -> None:
    other_corpus(run)
    seen = observe_run(run, data=voices, cache=cache_of(tiny_run))
    assert seen.missing == {}


def test_observation__refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected the folder of a training run.*no recipe\.yaml"):
        observe_run(tmp_path)
    with pytest.raises(CheckpointError, match="no folder"):
        observe_run(tmp_path / "x")


def root_of_nothing(embeddings: Tensor, speakers: Tensor) -> Tensor:
    """Its value is finite and its derivative is not, where a distance is 0."""
    return (embeddings[:, None] - embeddings[None, :]).square().sum(-1).sqrt().mean()


def deadly(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
    return with_loss(lambda dim, speakers: adapt(root_of_nothing, dim=dim))(recipe, speakers)


def test_death__is_told_with_its_operation_and_forgotten_by_a_run_that_goes_on(
    tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    recipe = change(tiny_tree, "data.recordings_per_speaker=2", "training.max_steps=2")
    with pytest.raises(TrainingError, match=r"No weight was changed.*Not finite first on the way back in .*[Ss]qrt"):
        train(recipe, tmp_path / "run", build=deadly)
    seen = observe_run(tmp_path / "run", build=deadly)
    assert seen.death is not None
    assert (seen.death.kind, seen.death.step, seen.death.backward) == ("gradient", 0, True)
    assert "sqrt" in seen.death.operation.lower()
    assert len(seen.death.items) == 8
    assert "no checkpoint" in seen.missing["step"]
    assert seen.recordings is not None
    train(recipe, tmp_path / "run", build=with_loss(lambda dim, _: adapt(lambda z, y: z.square().mean(), dim=dim)),
          resume=True)  # fmt: skip
    assert not (tmp_path / "run" / "failure.json").exists()


def test_choose_recordings__takes_whole_speakers_first() -> None:
    speakers = np.repeat(np.arange(30), [1, 2, 12] * 10)
    rows = choose_recordings(speakers, 60, seed=1)
    assert len(rows) == len(set(rows)) == 60
    assert (np.diff(rows) > 0).all()
    counts = np.bincount(speakers[rows], minlength=30)
    assert not counts[::3].any()  # those with one recording come last
    assert set(counts[1::3]) <= {0, 1, 2}
    assert max(counts) == 8
    assert len(choose_recordings(speakers, 1000, seed=1)) == len(speakers)
    assert set(choose_recordings(speakers, 100, seed=1)) > set(rows)
    assert set(choose_recordings(speakers, 60, seed=2)) != set(rows)


def test_recording_facts__of_silence_say_that_nobody_speaks(tiny_tree: dict[str, Any], tiny_run: Path) -> None:
    data = prepare_data(recipe_from(tiny_tree).data, seed=1, cache=tiny_run.parent / ".cache")

    class Silent:
        sampling_rate_hz = 16000
        lengths_samples = np.full(len(data.train.store.lengths_samples), 16000)

        def samples(self, place: int) -> int:
            return 16000

        def __getitem__(self, place: int) -> np.ndarray:
            return np.zeros(16000, np.int16)

    silent = replace(data, train=replace(data.train, store=Silent()))
    facts = recording_facts(silent, ("train", "dev"))
    assert facts.quality[0] is not None
    assert facts.quality[0].speech_s == 0
    assert len(set(facts.digests[:24])) == 1
