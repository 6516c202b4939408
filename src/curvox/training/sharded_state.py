"""Parameters that are sharded over the processes: whole in a checkpoint, for any number of them to read, and their
gradients counted together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.distributed.tensor import DTensor, Partial

from curvox.losses import as_sharded


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
