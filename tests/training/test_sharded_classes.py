"""Training with the classes spread over two real processes, against one that has them all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sharded_steps
import torch
import torch.distributed as dist
from process_runs import assert_same_end, on_one, on_two
from sharded_steps import Trainee, batches
from tiny_recipes import change
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from watched_training import noted

from curvox.errors import RecipeError
from curvox.training import override, train
from curvox.training.recipe.recipe import OptimizerRecipe
from curvox.training.run.checkpoints import read_state, write_state
from curvox.training.step.building import build_optimizer
from curvox.training.step.processes import full_tensors, shard_weights

PARTS = [
    {"name": "softmax", "weight": 0.2},
    {"name": "aam_softmax", "weight": 0.4, "sub_centres": 2, "top_k": 2, "learn_scale": True},
    {"name": "ham_softmax", "weight": 0.4, "space": {"name": "poincare_ball", "learn_c": True}},
]
"""Losses with everything that can be sharded, or is learnt in common beside it."""


def test_training__with_sharded_classes_moves_between_numbers_of_processes(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process, cut off; two go on, are cut off too; one ends it, as one would have without a stop."""
    training = {
        "epochs": 2,
        "accelerator": "cpu",
        "checkpoint_every_steps": 2,
        "average_last": 2,
        "shard_classes": True,
        "margin_warmup": {"end_epoch": 1.5},
        "optimizer": {"name": "sgd", "learning_rate": 0.02, "clip_gradient_norm": 0.5},
    }
    data = {**tiny_tree["data"], "crops_per_epoch": 41}
    tree = {**tiny_tree, "data": data, "loss": {"name": "combined", "parts": PARTS}, "training": training}
    unsharded = override(tree, ["training.shard_classes=false"])
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    assert on_one(unsharded, whole, monkeypatch) is not None
    assert on_one(unsharded, cut, monkeypatch, cut_at=3) is None
    assert on_two(tree, cut, cut_at=7, resume=True).codes != (0,)
    rows = [json.loads((cut / f"rows{rank}.json").read_text()) for rank in range(2)]
    assert rows == [[3, 3, 3, 3], [3, 3, 3, 3]]
    expected, second = noted(whole / "rank0.txt"), noted(cut / "rank1.txt")
    assert all(expected[step][-len(seeds) :] == seeds for step, seeds in second.items())
    assert list(second) == [2, 3, 4, 5, 6]
    assert on_one(tree, cut, monkeypatch, resume=True) is not None
    assert json.loads((cut / "rows0.json").read_text()) == []
    assert_same_end(cut, whole)


def test_steps__of_sharded_classes_equal_those_of_one_process(tmp_path: Path) -> None:
    """Adam with clipped gradients, in float64, from the start on two processes and on from a checkpoint of one."""
    one = Trainee()
    one.take_steps(batches(0, 3))
    torch.save(one.state(), tmp_path / "half")
    one.take_steps(batches(3, 6))

    command = [sys.executable, "-W", "error", sharded_steps.__file__, tmp_path]
    running = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(2)]
    said = [process.communicate(timeout=240)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], "\n".join(said)

    first, half, second = (torch.load(tmp_path / name) for name in ("first", "half", "second"))
    torch.testing.assert_close(first, half, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(second, one.state(), rtol=1e-9, atol=1e-11)
    resumed = Trainee()
    resumed.load(first)
    resumed.take_steps(batches(3, 6))
    torch.testing.assert_close(resumed.state(), one.state(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["training.precision=16-mixed"], "does not go with precision 16-mixed, take bf16-mixed"),
        (["training.optimizer.name=riemannian_adam"], "does not go with riemannian_adam, take adam and plain"),
    ],
)
def test_recipe__refuses_what_does_not_go_with_sharded_classes(
    overrides: list[str], said: str, tiny_tree: dict[str, Any]
) -> None:
    with pytest.raises(RecipeError, match=said):
        change(tiny_tree, "training.shard_classes=true", *overrides)


def test_run__refuses_to_shard_a_loss_without_centres(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    overrides = ["loss={name: triplet}", "data.recordings_per_speaker=2", "training.shard_classes=true"]
    with pytest.raises(RecipeError, match=r'"triplet" has no class centres .* leave training\.shard_classes out'):
        train(change(tiny_tree, *overrides), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


class Centres(nn.Module):
    def __init__(self, mesh: DeviceMesh | None) -> None:
        super().__init__()
        centres = torch.arange(12.0).reshape(4, 3)
        self.centres = nn.Parameter(centres if mesh is None else distribute_tensor(centres, mesh, [Shard(0)]))
        self.scale = nn.Parameter(torch.ones(()))


def stepped(loss: Centres) -> torch.optim.Optimizer:
    optimizer = build_optimizer(OptimizerRecipe(learning_rate=0.1), nn.Linear(1, 1), loss)
    whole = loss.centres.full_tensor() if isinstance(loss.centres, DTensor) else loss.centres
    (whole.square().sum() * loss.scale).backward()
    optimizer.step()
    return optimizer


def test_state__of_sharded_parameters_is_that_of_whole_ones(mesh: DeviceMesh, tmp_path: Path) -> None:
    sharded, whole = Centres(mesh), Centres(None)
    optimizers = stepped(sharded), stepped(whole)
    state = {"weights": dict(sharded.state_dict()), "optimizer": optimizers[0].state_dict()}
    write_state(full_tensors(state), tmp_path)
    stored = read_state(tmp_path)
    torch.testing.assert_close(stored["weights"], dict(whole.state_dict()))
    torch.testing.assert_close(stored["optimizer"]["state"], optimizers[1].state_dict()["state"])


def test_state__of_whole_parameters_is_read_into_sharded_ones(mesh: DeviceMesh) -> None:
    whole, sharded = Centres(None), Centres(mesh)
    state = stepped(whole).state_dict()
    sharded.load_state_dict(shard_weights(dict(whole.state_dict()), sharded))
    assert isinstance(sharded.centres, DTensor)
    torch.testing.assert_close(sharded.centres.full_tensor(), whole.centres)
    optimizer = build_optimizer(OptimizerRecipe(learning_rate=0.1), nn.Linear(1, 1), sharded)
    optimizer.load_state_dict(state)
    moments = [entry["exp_avg"] for entry in optimizer.state_dict()["state"].values()]
    assert sorted(isinstance(moment, DTensor) for moment in moments) == [False, True]
    torch.testing.assert_close(full_tensors(optimizer.state_dict())["state"], state["state"])
