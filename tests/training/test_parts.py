"""The batch of a step computed in parts is the batch of a step, wherever the run is cut and however it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from process_runs import assert_same_end, on_one
from tiny_recipes import change

from curvox.errors import RecipeError
from curvox.training import override, read_history, train
from curvox.training.data.loading import PlannedBatches
from curvox.training.step.module import count_parts


@pytest.fixture(scope="module")
def tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    """5 steps an epoch, everything that counts steps switched on."""
    training = {
        "epochs": 2,
        "accelerator": "cpu",
        "checkpoint_every_steps": 2,
        "margin_warmup": {"end_epoch": 1.5},
        "optimizer": {"name": "sgd", "learning_rate": 0.05, "clip_gradient_norm": 2.0},
    }
    return {**tiny_tree, "data": {**tiny_tree["data"], "crops_per_epoch": 41}, "training": training}


def seeds(folder: Path) -> list[tuple[int, list[int]]]:
    """The step and the crops of every batch that was computed."""
    rows = [[int(word) for word in line.split()] for line in (folder / "rank0.txt").read_text().splitlines()]
    return [(row[0], row[1:]) for row in rows]


def test_parts__together_are_the_step_also_when_a_resume_has_more_of_them(
    tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts a step, cut off within an epoch; four a step go on; batch normalisation stands still."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    result = on_one(tree, whole, monkeypatch)
    assert result is not None
    assert result.steps == 10
    halves, quarters = (override(tree, [f"training.accumulate_batches={parts}"]) for parts in (2, 4))
    assert on_one(halves, cut, monkeypatch, cut_at=7) is None
    assert on_one(quarters, cut, monkeypatch, resume=True) is not None
    assert_same_end(cut, whole)
    computed = seeds(cut)
    assert [step for step, _ in computed] == [s for s in range(7) for _ in range(2)] + [
        s for s in range(6, 10) for _ in range(4)
    ]
    assert {len(part) for step, part in computed[:14]} == {4}
    joined = {step: [seed for at, part in computed[14:] if at == step for seed in part] for step in range(6, 10)}
    assert joined == {step: crops for step, crops in seeds(whole) if step >= 6}
    first, second = (read_history(folder / "run")[0].loss for folder in (whole, cut))
    assert second == pytest.approx(first, rel=1e-4)


def test_planned_batches__in_parts_are_the_same_crops_in_the_same_order(tmp_path: Path) -> None:
    from curvox.corpora import EpochPlan, epoch_plan

    lengths, speakers = [48000] * 12, [0, 1, 2] * 4

    def plan(epoch: int) -> EpochPlan:
        import numpy as np

        return epoch_plan(np.array(speakers), np.array(lengths), crop_samples=16000, batch_size=12, seed=1, epoch=epoch)

    whole, parts = PlannedBatches(plan, 1, 2), PlannedBatches(plan, 1, 2, parts=3)
    for batches in (whole, parts):
        batches.stand_at(2, 1)
    assert len(parts) == 3 * len(whole)
    assert [key for part in parts for key in part] == [key for batch in whole for key in batch]
    assert {len(part) for part in parts} == {2}


def test_count_of_parts__comes_back_when_turned_back() -> None:
    def counts(processed: int, completed: int) -> dict[str, int]:
        return {"ready": processed, "started": processed, "processed": processed, "completed": completed}

    loops = {"fit_loop": {"epoch_loop.batch_progress": {"total": counts(28, 27), "current": counts(8, 7)}}}
    count_parts(loops, 4, 2)
    assert loops["fit_loop"]["epoch_loop.batch_progress"] == {"total": counts(14, 13), "current": counts(4, 3)}
    count_parts(loops, 2, 4)
    assert loops["fit_loop"]["epoch_loop.batch_progress"] == {"total": counts(28, 27), "current": counts(8, 7)}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["training.accumulate_batches=3"], "same number of crops, at least 2, got 8"),
        (["training.accumulate_batches=8"], "same number of crops, at least 2, got 8"),
        (
            ["training.accumulate_batches=2", "loss={name: triplet}", "data.recordings_per_speaker=2"],
            '"triplet" compares the recordings of a whole batch',
        ),
    ],
)
def test_run__refuses_parts_that_are_not_equal_or_that_a_loss_cannot_be_computed_in(
    overrides: list[str], said: str, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=said):
        train(change(tiny_tree, *overrides), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
