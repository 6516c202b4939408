"""Training as its users meet it: runs, resumes, refusals."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from tiny_recipes import change

from curvox.corpora import read_corpus, read_trials
from curvox.embedder import load
from curvox.errors import (
    CheckpointError,
    OutputExistsError,
    RecipeError,
    TrainingError,
)
from curvox.metrics import equal_error_rate
from curvox.scoring import score_pairs
from curvox.training import Recipe, RunResult, read_history, read_recipe, recipe_from, train
from curvox.training.run.checkpoints import read_state
from curvox.training.step.module import SpeakerModule


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder).state_dict()


def test_run__leaves_recipe_checkpoints_and_logs(tiny_run: Path, tiny_tree: dict[str, Any]) -> None:
    assert {p.name for p in tiny_run.iterdir()} == {"recipe.yaml", "best", "last", "logs", "tensorboard", "run.json"}
    assert read_recipe(tiny_run / "recipe.yaml") == recipe_from(tiny_tree)
    facts = json.loads((tiny_run / "run.json").read_text())
    assert facts["speakers"] == 6
    assert facts["best"]["eer"] == load(tiny_run).dev.eer  # pyright: ignore
    assert {p.name for p in (tiny_run / "best").iterdir()} == {"model.yaml", "model.safetensors"}
    assert list((tiny_run / "tensorboard").rglob("events.*"))


def test_history__has_loss_and_dev_eer_of_every_epoch(tiny_run: Path) -> None:
    history = read_history(tiny_run)
    assert [record.epoch for record in history] == [1, 2]
    assert all(record.loss is not None and record.dev_eer is not None for record in history)
    best = min(record.dev_eer for record in history if record.dev_eer is not None)
    assert best == pytest.approx(json.loads((tiny_run / "run.json").read_text())["best"]["eer"])


def test_dev_eer__is_what_the_checkpoint_gives_on_the_same_files(
    tiny_tree: dict[str, Any], voices: Path, tmp_path: Path
) -> None:
    """Also for telephone speech, where the upper half of the band holds nothing but rounding."""
    folder = tmp_path / "telephone"
    shutil.copytree(voices, folder)
    for path in folder.rglob("*.flac"):
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples[::2], rate // 2)
    train(change(tiny_tree, f"data.path={folder}", "training.epochs=1"), tmp_path / "run")
    model = load(tmp_path / "run")
    trials = read_trials(folder / "trials" / "dev.txt")
    points = model.embed_utterances(read_corpus(folder), trials.utterances).points
    assert trials.labels is not None
    again = equal_error_rate(score_pairs(model.space, points, *trials.indices()), trials.labels)
    assert model.dev is not None
    assert again.value == pytest.approx(model.dev.eer)
    assert again.threshold == pytest.approx(model.dev.threshold, abs=1e-4)


def test_run__twice_gives_the_same_weights_and_other_crops_in_each_epoch(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, list[int]] = {0: [], 1: []}
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: Any) -> torch.Tensor:
        seen[module.current_epoch] += batch["seeds"].tolist()
        return original(module, batch)

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    train(recipe_from(tiny_tree), tmp_path / "run")
    torch.testing.assert_close(weights(tmp_path / "run" / "last"), weights(tiny_run / "last"), rtol=0, atol=0)
    assert len(seen[0]) == len(seen[1]) > 0
    assert not set(seen[0]) & set(seen[1])


class StopAfter:
    """Raise in place of a training step, as a user's Ctrl-C would."""

    def __init__(self, step: int):
        self.step, self.original = step, SpeakerModule.training_step

    def __call__(self, module: SpeakerModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if module.global_step == self.step:
            raise KeyboardInterrupt
        return self.original(module, batch, batch_idx)


def interrupted(recipe: Recipe, folder: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopAfter(step)
    with monkeypatch.context() as patch:
        patch.setattr(SpeakerModule, "training_step", lambda module, batch, batch_idx: stop(module, batch, batch_idx))
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(TrainingError, match="interrupted in step") as caught:
            train(recipe, folder)
    assert "--resume" in str(caught.value)
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.fixture(scope="module")
def short(tiny_tree: dict[str, Any]) -> Recipe:
    """5 steps an epoch, everything that depends on the step switched on."""
    return change(
        {**tiny_tree, "augmentation": {"waveforms": {}, "features": {}}},
        "data.crops_per_epoch=41",
        "training.checkpoint_every_steps=2",
        "training.margin_warmup.end_epoch=1.5",
    )


@pytest.fixture(scope="module")
def uninterrupted(short: Recipe, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return train(short, tmp_path_factory.mktemp("uninterrupted") / "run")


@pytest.mark.parametrize(
    ("step", "stored"), [(1, None), (5, 5), (8, 8)], ids=["before the first checkpoint", "epoch end", "mid-epoch"]
)
def test_resume__equals_an_uninterrupted_run(
    step: int,
    stored: int | None,
    short: Recipe,
    uninterrupted: RunResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted(short, tmp_path / "run", step, monkeypatch)
    last = tmp_path / "run" / "last"
    assert (read_state(last)["global_step"] if last.exists() else None) == stored
    resumed = train(short, tmp_path / "run", resume=True)
    assert resumed.steps == uninterrupted.steps == 10
    assert resumed.best == uninterrupted.best
    first, second = read_state(uninterrupted.folder / "last"), read_state(last)
    torch.testing.assert_close(second["state_dict"], first["state_dict"], rtol=0, atol=0)
    torch.testing.assert_close(second["optimizer_states"], first["optimizer_states"], rtol=0, atol=0)
    assert second["lr_schedulers"] == first["lr_schedulers"]
    assert [r.epoch for r in read_history(tmp_path / "run")] == [1, 2]


@pytest.mark.parametrize(
    "overrides",
    [
        ("training.precision=bf16-mixed",),
        (
            "training.schedule.name=exponential",
            "training.optimizer.name=sgd",
            "training.optimizer.clip_gradient_norm=1.0",
        ),
        ("data.workers=1", "data.balance=speaker"),
        ("loss={name: combined}", "training.optimizer.name=adamw"),
        ("loss={name: ham_softmax, space: {name: poincare_ball, lift: exp_map}}",),
    ],
    ids=lambda overrides: overrides[0].split("=")[0],
)
def test_run__with_other_settings_ends_finite(
    overrides: tuple[str, ...], tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    result = train(change(tiny_tree, "training.epochs=1", "data.crops_per_epoch=24", *overrides), tmp_path / "run")
    assert result.best is not None
    assert all(torch.isfinite(w).all() for w in weights(tmp_path / "run" / "last").values())


def test_resume__refuses_another_recipe_and_an_empty_folder(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"another recipe \(changed: loss\)"):
        train(change(tiny_tree, "loss.margin=0.5"), tiny_run, resume=True)
    with pytest.raises(RecipeError, match="no run to resume"):
        train(recipe_from(tiny_tree), tmp_path, resume=True)


def test_resume__refuses_a_damaged_state(tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    path = tmp_path / "run" / "last" / "training.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        train(recipe_from(tiny_tree), tmp_path / "run", resume=True)


def test_run__refuses_an_existing_folder(tiny_tree: dict[str, Any], tiny_run: Path) -> None:
    with pytest.raises(OutputExistsError, match="--resume"):
        train(recipe_from(tiny_tree), tiny_run)


def poison(monkeypatch: pytest.MonkeyPatch, at: int, act: Callable[[SpeakerModule, Any], None]) -> None:
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: Any) -> torch.Tensor:
        if module.global_step == at:
            act(module, batch)
        return original(module, batch)

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)


def destroy_weights(module: SpeakerModule, batch: Any) -> None:
    torch.nn.init.constant_(next(module.embedder.encoder.parameters()), float("nan"))


def destroy_waveform(module: SpeakerModule, batch: Any) -> None:
    batch["waveforms"][2, 5] = float("inf")


@pytest.mark.parametrize(
    ("act", "cause"), [(destroy_weights, "weights were already destroyed"), (destroy_waveform, "waveforms themselves")]
)
def test_run__stops_at_numbers_that_are_not_finite(
    act: Callable[[SpeakerModule, Any], None],
    cause: str,
    tiny_tree: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poison(monkeypatch, 3, act)
    with pytest.raises(TrainingError) as caught:
        train(recipe_from(tiny_tree), tmp_path / "run")
    said = str(caught.value)
    assert cause in said
    assert "epoch 1, batch 3, step 3" in said
    assert "Recordings:" in said
    assert "Learning rate" in said


def test_run__stops_at_a_gradient_that_is_not_finite(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: Any) -> torch.Tensor:
        z = original(module, batch)
        z.register_hook(lambda gradient: gradient * float("nan"))
        return z

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    with pytest.raises(TrainingError, match=r"gradient is not.*No weight was changed"):
        train(recipe_from(tiny_tree), tmp_path / "run")
