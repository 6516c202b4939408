"""Training at several speeds: a speaker at another speed is another class, everything else stays what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_recipes import change

from curvox.audio import change_speed
from curvox.errors import RecipeError
from curvox.training import train
from curvox.training.data.loading import prepare_data, training_loader
from curvox.training.run.checkpoints import read_state
from curvox.training.step.module import SpeakerModule

SPEEDS = "data.speeds=[1.0, 0.9, 1.1]"


@pytest.fixture(scope="module")
def sped_run(tiny_tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an epoch at three speeds."""
    folder = tmp_path_factory.mktemp("sped")
    train(change(tiny_tree, SPEEDS, "training.epochs=1"), folder / "run")
    return folder / "run"


def test_batches__hold_cuts_that_are_played_at_the_speed_of_their_class(
    tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    recipe = change(tiny_tree, SPEEDS, "data.crops_per_epoch=80")
    data = prepare_data(recipe.data, seed=1, cache=tmp_path)
    loader = training_loader(data, recipe.data, seed=1, rank=0, processes=1)
    seen = set()
    for batch in loader:
        assert batch["waveforms"].shape == (8, 10560)  # 1.1 × 0.6 s
        numbers, items = batch["speeds"].numpy(), batch["items"].numpy()
        np.testing.assert_array_equal(batch["speakers"], data.train.speakers[items] + 6 * numbers)
        heard = SpeakerModule._at_speeds(_Module(recipe, data), batch)  # pyright: ignore[reportArgumentType]
        assert heard.shape == (8, 9600)
        for cut, crop, number in zip(batch["waveforms"].numpy(), heard.numpy(), numbers, strict=True):
            expected = change_speed(cut[: round(9600 * data.speeds[number])], data.speeds[number])
            error, size = np.square(crop - expected)[100:-100].mean(), np.square(expected).mean()
            assert error < 1e-3 * size
            seen.add(number)
    assert seen == {0, 1, 2}
    assert len(loader) == len(training_loader(_at_one_speed(data), recipe.data, seed=1, rank=0, processes=1))


class _Module:
    """What playing at a speed needs of a module."""

    def __init__(self, recipe: Any, data: Any) -> None:
        self.recipe, self.data = recipe, data


def _at_one_speed(data: Any) -> Any:
    from dataclasses import replace

    return replace(data, speeds=(1.0,))


def test_run__has_a_class_for_each_speaker_at_each_speed_and_the_dev_data_of_before(
    sped_run: Path, tiny_run: Path
) -> None:
    sped, plain = (read_state(run / "last") for run in (sped_run, tiny_run))
    names = plain["curvox"]["speakers"]
    assert sped["curvox"]["speakers"] == names + [f"{n}@0.9" for n in names] + [f"{n}@1.1" for n in names]
    assert len(sped["state_dict"]["loss.centres"]) == 3 * len(names)
    assert sped["global_step"] == plain["global_step"] // 2  # of two epochs
    assert sped["curvox"]["data"] == plain["curvox"]["data"]
    best = sped["curvox"]["best"]
    assert [best[key] for key in ("targets", "nontargets")] == [
        plain["curvox"]["best"][key] for key in ("targets", "nontargets")
    ]


def test_run__at_several_speeds_is_the_same_with_workers_and_when_resumed(
    tiny_tree: dict[str, Any], sped_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutError(Exception):
        pass

    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if module.global_step == 4:
            raise CutError
        return original(module, batch)

    epoch = "training.epochs=1"
    recipe = change(tiny_tree, SPEEDS, epoch, "data.workers=1", "training.checkpoint_every_steps=2")
    with monkeypatch.context() as context:
        context.setattr(SpeakerModule, "embed_batch", embed_batch)
        with pytest.raises(CutError):
            train(recipe, tmp_path / "run")
    train(recipe, tmp_path / "run", resume=True)
    expected = read_state(sped_run / "last")["state_dict"]
    torch.testing.assert_close(read_state(tmp_path / "run" / "last")["state_dict"], expected, rtol=0, atol=0)


@pytest.mark.parametrize("speeds", ["[1.0]", "[1.0, 0.9, 1.1]"])
def test_start__takes_the_classes_of_the_speeds_that_are_left(
    speeds: str, tiny_tree: dict[str, Any], sped_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[torch.Tensor] = []
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        began.append(module.state_dict()["loss.centres"].clone())
        return original(module, batch)

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    recipe = change(
        tiny_tree, f"data.speeds={speeds}", f"training.start_from={sped_run}", "training.max_steps=1", "loss.margin=0.4"
    )
    train(recipe, tmp_path / "run")
    centres = read_state(sped_run / "last")["state_dict"]["loss.centres"]
    assert torch.equal(began[0], centres[: 6 * len(recipe.data.speeds)])


def test_start__without_the_classes_of_a_speed_is_refused(
    tiny_tree: dict[str, Any], tiny_run: Path, sped_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"6 there, 18 here, first difference in class 6: nobody there, .*@0\.9 here"):
        train(change(tiny_tree, SPEEDS, f"training.start_from={tiny_run}"), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"first difference in class 6: .*@0\.9 there, .*@1\.1 here"):
        train(change(tiny_tree, "data.speeds=[1.0, 1.1]", f"training.start_from={sped_run}"), tmp_path / "run")


def test_run__of_pairs_trains_at_several_speeds(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    train(
        change(tiny_tree, SPEEDS, "loss={name: triplet}", "data.recordings_per_speaker=2", "training.max_steps=2"),
        tmp_path / "run",
    )
    assert (tmp_path / "run" / "last").is_dir()


@pytest.mark.parametrize("speeds", ["[]", "[0.9, 1.0]", "[1.0, 1.0]", "[1.0, 0.901]", "[1.0, 3.0]", "[1.0, .nan]"])
def test_speeds__that_do_not_fit_are_refused(speeds: str, tiny_tree: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"speeds must begin with 1\.0.*, got \["):
        change(tiny_tree, f"data.speeds={speeds}")
