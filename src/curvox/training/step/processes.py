"""What a training step shares with other processes: the batch, sharded parameters, gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial

from curvox.geometry import widen
from curvox.losses import AbstractLoss, as_sharded


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


# Parameters that are sharded over the processes: whole in a checkpoint, for any number of them to read, and their
# gradients counted together.


def full_tensors(state: Any) -> Any:
    """Return a tree of dicts, lists and tuples with every sharded tensor made whole; all processes must call it."""
    if isinstance(state, DTensor):
        return state.full_tensor()
    if isinstance(state, dict):
        return {key: full_tensors(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(full_tensors(value) for value in state)
    return state


def shard_weights(weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return whole ``weights`` with those sharded that are sharded in ``module``."""
    own = module.state_dict()
    return {name: as_sharded(tensor, own.get(name)) for name, tensor in weights.items()}


def shard_optimizer_state(state: dict[str, Any], optimizer: optim.Optimizer) -> dict[str, Any]:
    """Return the whole ``state`` of an optimiser with what belongs to a sharded parameter sharded as that one."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    places = [place for group in state["param_groups"] for place in group["params"]]
    of_place = dict(zip(places, parameters, strict=True))

    def sharded(place: int, value: Any) -> Any:
        parameter = of_place[place]
        fits = isinstance(value, Tensor) and value.shape == parameter.shape
        return as_sharded(value, parameter) if fits else value

    entries = {place: {key: sharded(place, v) for key, v in entry.items()} for place, entry in state["state"].items()}
    return {**state, "state": entries}


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the norm of all gradients together, those in other processes' shards included."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    sharded = [gradient for gradient in gradients if isinstance(gradient, DTensor)]
    whole = nn.utils.get_total_norm([gradient for gradient in gradients if not isinstance(gradient, DTensor)])
    if not sharded:
        return whole
    here = nn.utils.get_total_norm([gradient.to_local() for gradient in sharded]).square()
    total = DTensor.from_local(here, sharded[0].device_mesh, [Partial()], run_check=False).full_tensor()
    return torch.sqrt(whole.square() + total)
