"""What a training step knows of the other processes: their embeddings, for a loss that needs the whole batch."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from curvox.geometry import widen
from curvox.losses import AbstractLoss


def compares_items(loss: AbstractLoss) -> bool:
    """Whether ``loss``, or a loss inside it, compares the recordings of a batch with each other."""
    return any(isinstance(module, AbstractLoss) and module.whole_batch for module in loss.modules())


def process_count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def mesh_of_processes(device_type: str) -> DeviceMesh:
    """Return all processes in a row, of which each computes on one device of ``device_type``."""
    assert dist.group.WORLD is not None
    return DeviceMesh.from_group(dist.group.WORLD, device_type)


def gather(values: Tensor) -> Tensor:
    """Return the values of all processes, (W B, ...) from (B, ...) of each, in the order of their ranks."""
    if process_count() == 1:
        return values
    own = values.detach().contiguous()
    blocks = [torch.empty_like(own) for _ in range(process_count())]
    dist.all_gather(blocks, own)
    return torch.cat(blocks)


def gather_embeddings(embeddings: Tensor) -> Tensor:
    """Return the embeddings of all processes, (W B, D) in at least float32, for a loss that each computes whole.

    The gradient goes into the own rows only, W times: the mean over the processes, which is what data-parallel training
    applies, is then the gradient of one process with all rows. Parameters of the loss get their whole gradient in each
    process, so that the mean changes nothing.
    """
    count = process_count()
    if count == 1:
        return embeddings
    wide = widen(embeddings)
    own = wide.view_as(wide)  # a node of its own: the hook must not touch what else is done with the embeddings
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * count)
    blocks = list(gather(wide).chunk(count))
    blocks[dist.get_rank()] = own
    return torch.cat(blocks)
