"""Losses whose classes are spread over processes, computed on one batch; as a script, one of the processes.

python sharded_losses.py RANK PROCESSES FOLDER: meet the others in FOLDER, write what this process found.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from curvox.losses import AbstractLoss, create_loss
from curvox.losses.centres.sharding import full_state, load_full_state, shard_centres

DIM, CLASSES = 6, 7

_EXP_MAP = {"name": "poincare_ball", "c": 1.0, "lift": {"name": "exp_map", "gain": 0.3}}
_LEARNT_C = {"name": "poincare_ball", "lift": {"name": "soft_clip"}, "learn_c": True}

LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"name": "softmax", "scale": 2.0},
    "am": {"name": "am_softmax"},
    "aam, learnt scale": {"name": "aam_softmax", "learn_scale": True},
    "aam, sub-centres, top 4": {"name": "aam_softmax", "sub_centres": 3, "top_k": 4, "top_k_margin": 0.1},
    "am, top 6": {"name": "am_softmax", "top_k": 6},
    "ram": {"name": "ram_softmax"},
    "ram, sub-centres, top 1, learnt scale": {
        "name": "ram_softmax",
        "sub_centres": 2,
        "top_k": 1,
        "learn_scale": True,
    },
    "sphereface2": {"name": "sphereface2"},
    "h": {"name": "h_softmax"},
    "ham": {"name": "ham_softmax"},
    "ham, exp_map": {"name": "ham_softmax", "space": _EXP_MAP},
    "ham, learnt c and scale": {"name": "ham_softmax", "space": _LEARNT_C, "learn_scale": True},
    "combined": {
        "name": "combined",
        "parts": [
            {"name": "softmax", "weight": 0.4},
            {"name": "ham_softmax", "weight": 0.6, "space": _LEARNT_C},
            {"name": "triplet", "weight": 1.0},
            {"name": "level_prototypes", "weight": 0.5},
        ],
    },
}

FEW_CLASSES = 3
"""So few that one of two processes has a single class, which may be the own one of a recording."""
LOSSES |= {
    f"{name}, {FEW_CLASSES} classes": {"name": name, **options}
    for name, options in {
        "am_softmax": {"top_k": 2},
        "ram_softmax": {"top_k": 2},
        "sphereface2": {},
        "ham_softmax": {},
    }.items()
}

SCANS = {"kept": 2**29, "computed again": 0}
"""What the scan does with its blocks, and the memory that makes it do so."""


def classes_of(name: str) -> int:
    """Return the number of classes of a loss."""
    return FEW_CLASSES if name.endswith("classes") else CLASSES


def build(name: str) -> AbstractLoss:
    """Return a loss in float64 with parameters that are not at their start."""
    torch.manual_seed(3)
    loss = create_loss(LOSSES[name], dim=DIM, speakers=classes_of(name)).double()
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return loss


def batch(classes: int) -> tuple[Tensor, Tensor]:
    """Return embeddings and speakers: the first and the last class, one of them several times."""
    generator = torch.Generator().manual_seed(5)
    embeddings = torch.randn(8, DIM, generator=generator, dtype=torch.float64)
    return embeddings, torch.tensor([0, 6, 3, 3, 4, 1, 3, 6]).clamp_max(classes - 1)


def outcome(loss: AbstractLoss) -> dict[str, Tensor]:
    """Return value, terms and all gradients, whole, of the loss of the batch."""
    loss.zero_grad()
    assert loss.speakers is not None
    embeddings, speakers = batch(loss.speakers)
    embeddings.requires_grad_()
    found = loss(embeddings, speakers)
    weights = torch.arange(1.0, 9.0, dtype=torch.float64)
    (found.per_item @ weights).backward()
    assert embeddings.grad is not None
    gradients = {name: _whole(p.grad) for name, p in loss.named_parameters() if p.grad is not None}
    values = {"value": found.value.detach(), "per_item": found.per_item.detach(), "embeddings": embeddings.grad}
    parts = {f"parts {name}": part.clone() for name, part in found.parts.items()}
    return {**values, **gradients, **parts}


def set_memory(loss: AbstractLoss, memory_bytes: int) -> AbstractLoss:
    """Set ``memory_bytes`` of every loss inside that has it."""
    for part in loss.modules():
        if hasattr(part, "memory_bytes"):
            part.memory_bytes = memory_bytes  # pyright: ignore
    return loss


def _whole(gradient: Tensor) -> Tensor:
    return gradient.full_tensor() if isinstance(gradient, DTensor) else gradient


def _process(rank: int, processes: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=processes)
    mesh = init_device_mesh("cpu", (processes,))
    other = torch.load(folder / "other.pt")
    found: dict[str, Any] = {}
    for name in LOSSES:
        for scan, memory_bytes in SCANS.items():
            loss = set_memory(build(name), memory_bytes)
            if rank:
                _forget_centres(loss)
            shard_centres(loss, mesh)
            found[f"{name}, {scan}"] = outcome(loss)
        loss = build(name)
        shard_centres(loss, mesh)
        found[f"{name}, rows"] = [len(p.to_local()) for p in loss.parameters() if isinstance(p, DTensor)]
        found[f"{name}, state"] = {key: value.clone() for key, value in full_state(loss).items()}
        load_full_state(loss, other[name])
        found[f"{name}, loaded"] = outcome(loss)
    torch.save(found, folder / f"found{rank}.pt")
    dist.destroy_process_group()


@torch.no_grad()
def _forget_centres(loss: AbstractLoss) -> None:
    """Leave it to process 0 to say what the centres are."""
    for part in loss.modules():
        for name in getattr(part, "by_class", ()):
            getattr(part, name).zero_()


if __name__ == "__main__":
    _process(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
