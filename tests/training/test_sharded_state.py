"""Sharded parameters: their state is whole in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from curvox.training.recipe.recipe import OptimizerRecipe
from curvox.training.run.checkpoints import read_state, write_state
from curvox.training.step.building import build_optimizer
from curvox.training.step.processes import full_tensors, shard_weights


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
