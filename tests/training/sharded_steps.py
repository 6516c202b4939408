"""A few steps of training on one process, or on two with the classes of the loss spread over them; in float64.

python sharded_steps.py FOLDER RANK: as one of two processes, take the first steps, then the second from FOLDER/half.
It imports no lightning, which would take longer than the steps.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from curvox.losses import create_loss, shard_centres, sharded_parameters
from curvox.training.recipe.recipe import OptimizerRecipe
from curvox.training.step.building import build_optimizer
from curvox.training.step.processes import (
    full_tensors,
    gather,
    gather_embeddings,
    gradient_norm,
    mesh_of_processes,
    process_count,
    shard_weights,
)

CLASSES, LIMIT = 5, 0.5
_LEARNT_C = {"name": "poincare_ball", "lift": {"name": "soft_clip"}, "learn_c": True}
PARTS = [
    {"name": "softmax", "weight": 0.3},
    {"name": "ram_softmax", "weight": 0.3, "sub_centres": 2, "top_k": 1, "learn_scale": True},
    {"name": "ham_softmax", "weight": 0.4, "space": _LEARNT_C},
]


class Model(nn.Module):
    """An encoder and a loss over the recordings of all processes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6))
        self.loss = create_loss({"name": "combined", "parts": PARTS}, dim=6, speakers=CLASSES)

    def forward(self, features: Tensor, speakers: Tensor) -> Tensor:
        return self.loss(gather_embeddings(self.encoder(features)), gather(speakers)).value


class Trainee:
    """A model with its optimiser, on however many processes there are."""

    def __init__(self) -> None:
        self.model = Model().double()
        self.runner: nn.Module = self.model
        if process_count() > 1:
            shard_centres(self.model.loss, mesh_of_processes("cpu"))
            ignored = sharded_parameters(self.model)
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self.model, ignored)
            self.runner = DistributedDataParallel(self.model)
        self.optimizer = build_optimizer(OptimizerRecipe(learning_rate=0.02), self.model.encoder, self.model.loss)

    def take_steps(self, work: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take a step with each batch, of which each process has its part."""
        for features, speakers in work:
            here = slice(dist.get_rank(), None, process_count()) if process_count() > 1 else slice(None)
            self.optimizer.zero_grad()
            self.runner(features[here], speakers[here]).backward()
            norm = gradient_norm(self.model.parameters())
            assert norm > LIMIT
            nn.utils.clip_grads_with_norm_(self.model.parameters(), LIMIT, norm, foreach=False)
            self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """Return weights and optimiser state, whole."""
        return full_tensors({"weights": dict(self.model.state_dict()), "optimizer": self.optimizer.state_dict()})

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(shard_weights(state["weights"], self.model))
        self.optimizer.load_state_dict(state["optimizer"])


def batches(start: int, stop: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the batches of steps ``start`` to ``stop``."""
    for step in range(start, stop):
        generator = torch.Generator().manual_seed(step)
        features = torch.randn(6, 5, generator=generator, dtype=torch.float64)
        yield features, torch.randint(0, CLASSES, (6,), generator=generator)


def _process(folder: Path, rank: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for name, start, steps in (("first", None, (0, 3)), ("second", "half", (3, 6))):
        trainee = Trainee()
        if start is not None:
            trainee.load(torch.load(folder / start))
        trainee.take_steps(batches(*steps))
        state = trainee.state()
        if rank == 0:
            torch.save(state, folder / name)
    dist.destroy_process_group()


if __name__ == "__main__":
    _process(Path(sys.argv[1]), int(sys.argv[2]))
