"""Training on two processes, as real processes, against one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from process_runs import assert_same_end, on_one, on_two, on_two_nodes
from watched_training import noted

CUT_AT = 7


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


def test_training__of_two_processes_goes_on_as_one(
    tree: dict[str, Any], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two compute what one computes, side by side; one is killed within an epoch, and one goes on from there."""
    end = on_two(tree, tmp_path, cut_at=CUT_AT)
    assert end.codes != (0,)
    assert "process 2 of this training was ended by SIGKILL" in end.said[0]
    assert end.said[0].count("The others cannot go on without it") == 1
    assert "last is whole: continue it with --resume" in end.said[0]
    assert "dmesg" not in end.said[0]
    expected = noted(whole / "rank0.txt")
    first, second = noted(tmp_path / "rank0.txt"), noted(tmp_path / "rank1.txt")
    for step in range(CUT_AT):
        assert first[step] + second[step] == expected[step]
        assert len(first[step]) == len(second[step])
    (tmp_path / "rank0.txt").unlink()
    result = on_one(tree, tmp_path, monkeypatch, resume=True)
    assert result is not None
    assert noted(tmp_path / "rank0.txt") == {step: expected[step] for step in range(CUT_AT - 1, 10)}
    assert_same_end(tmp_path, whole)


def test_training__of_one_process_goes_on_as_two_nodes(
    tree: dict[str, Any], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_one(tree, tmp_path, monkeypatch, cut_at=CUT_AT) is None
    (tmp_path / "rank0.txt").unlink()
    end = on_two_nodes(tree, tmp_path, resume=True)
    assert end.codes == (0, 0), end.said
    best = [json.loads((tmp_path / f"best{rank}.json").read_text()) for rank in range(2)]
    assert best[0] == best[1] == json.loads((tmp_path / "run" / "run.json").read_text())["best"]["eer"]
    expected = noted(whole / "rank0.txt")
    first, second = noted(tmp_path / "rank0.txt"), noted(tmp_path / "rank1.txt")
    in_epoch = [seed for notes in (first, second) for step in range(5, 10) for seed in notes.get(step, [])]
    assert len(set(in_epoch)) == len(in_epoch)
    assert {step: first[step] + second[step] for step in first} == {s: expected[s] for s in range(CUT_AT - 1, 10)}
    assert_same_end(tmp_path, whole)
