"""Training on two processes, as real processes, against one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from process_runs import assert_same_end, on_one, on_two, on_two_nodes
from watched_training import noted

from curvox.training.run.checkpoints import read_state

CUT_AT = 4
CUT_AGAIN_AT = 7


@pytest.fixture(scope="module")
def tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    """Batches of 4 speakers x 2 recordings at two speeds beside their changed copies, a loss with centres and one of
    pairs, both with parameters of their own."""
    parts = [
        {"name": "aam_softmax", "weight": 0.5},
        {"name": "gaussian_kl", "weight": 0.5, "margin": 1.0, "learn_variance": True},
    ]
    return {
        **tiny_tree,
        "data": {**tiny_tree["data"], "recordings_per_speaker": 2, "crops_per_epoch": 41, "speeds": [1.0, 0.9]},
        "augmentation": {"waveforms": {"babble_probability": 0.0}, "beside_clean": True},
        "loss": {"name": "combined", "parts": parts},
        "training": {
            "epochs": 2,
            "accelerator": "cpu",
            "checkpoint_every_steps": 2,
            "average_last": 2,
            "optimizer": {"name": "sgd", "learning_rate": 0.05},
        },
    }


@pytest.fixture(scope="module")
def whole(tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run on one process, with its notes."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        result = on_one(tree, folder, patch)
    assert result is not None
    assert result.steps == 10
    return folder


def test_training__of_two_processes_goes_on_as_one_and_that_as_two_nodes(
    tree: dict[str, Any], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two compute what one computes, side by side; one of them is killed. One goes on from there, is cut off within an
    epoch, and two end what it began."""
    end = on_two(tree, tmp_path, cut_at=CUT_AT)
    assert end.codes != (0,)
    assert "process 2 of this training was ended by SIGKILL" in end.said[0]
    assert end.said[0].count("The others cannot go on without it") == 1
    assert "last is whole: continue it with --resume" in end.said[0]
    assert "dmesg" not in end.said[0]
    expected = noted(whole / "rank0.txt")
    assert side_by_side(tmp_path) == {step: expected[step] for step in range(CUT_AT)}

    (tmp_path / "rank0.txt").unlink()
    first = read_state(tmp_path / "run" / "last")["global_step"]
    assert on_one(tree, tmp_path, monkeypatch, cut_at=CUT_AGAIN_AT, resume=True) is None
    assert noted(tmp_path / "rank0.txt") == {step: expected[step] for step in range(first, CUT_AGAIN_AT)}

    for notes in ("rank0.txt", "rank1.txt"):
        (tmp_path / notes).unlink()
    end = on_two_nodes(tree, tmp_path, resume=True)
    assert end.codes == (0, 0), end.said
    best = [json.loads((tmp_path / f"best{rank}.json").read_text()) for rank in range(2)]
    assert best[0] == best[1] == json.loads((tmp_path / "run" / "run.json").read_text())["best"]["eer"]
    computed = side_by_side(tmp_path)
    assert computed == {step: expected[step] for step in range(CUT_AGAIN_AT - 1, 10)}
    assert len({seed for seeds in computed.values() for seed in seeds}) == sum(map(len, computed.values()))
    assert_same_end(tmp_path, whole)


def side_by_side(folder: Path) -> dict[int, list[int]]:
    """Return the batch of each step, of which both processes have computed the same number of crops."""
    first, second = noted(folder / "rank0.txt"), noted(folder / "rank1.txt")
    assert all(len(first[step]) == len(second[step]) for step in first if step in second)
    return {step: first[step] + second[step] for step in first.keys() & second.keys()}
