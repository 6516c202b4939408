"""Classes spread over processes: each holds the centres of its own, as DTensors of `torch.distributed.tensor`.

All processes give the loss the same points, the whole batch. Each scans its own classes, the sums go around, and every
process ends up with the loss of one process that holds all classes: its value, the whole gradient of the points and of
whatever else all have in common, and the rows it holds of the centres' gradient. Per step that sends a few (B, D) and
(B,) tensors, whatever the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Shard, distribute_tensor

from curvox.errors import InputError
from curvox.losses.centres.centres import AbstractCentreLoss
from curvox.losses.scan.class_shards import AbstractClassShard


class ShardOfClasses(AbstractClassShard):
    """The classes of this process on a one-dimensional mesh: as `torch.chunk` cuts them, as DTensor does."""

    def __init__(self, mesh: DeviceMesh, classes: int) -> None:
        self.mesh = mesh
        self.rank = mesh.get_local_rank()
        self.first = self.rank * _chunk(classes, mesh.size())

    def rows(self, parameter: Tensor) -> Tensor:
        assert isinstance(parameter, DTensor)
        return parameter.to_local()

    def total(self, part: Tensor) -> Tensor:
        return DTensor.from_local(part, self.mesh, [Partial()], run_check=False).full_tensor()

    def gathered(self, part: Tensor) -> Tensor:
        return DTensor.from_local(part.detach()[None], self.mesh, [Shard(0)], run_check=False).full_tensor()


def shard_centres(loss: nn.Module, mesh: DeviceMesh) -> None:
    """Spread the classes of every loss with centres inside ``loss`` over the processes of ``mesh``, in place.

    To be called in all processes, before an optimiser is built; process 0's values count. Parameters with a row for
    each class become DTensors that are cut along it, and so do their gradients and the state of an optimiser. From
    then on all processes must call the loss together, each with the same whole batch. Losses without centres stay as
    they are. Nothing happens to a loss that is sharded already.

    Raises:
        InputError: a mesh of more than one dimension, more processes than classes to give them, or centres that are
            kept on a manifold.
    """
    if mesh.ndim != 1:
        raise InputError(
            f"classes are spread over a mesh of one dimension, got {mesh.ndim}; take one of its dimensions"
        )
    losses = [part for part in _centre_losses(loss) if not isinstance(part.centres, DTensor)]
    for part in losses:
        _check(part, mesh)
    for part in losses:
        for name in part.by_class:
            old = getattr(part, name)
            rows = distribute_tensor(old.detach(), mesh, [Shard(0)])
            setattr(part, name, nn.Parameter(rows, requires_grad=old.requires_grad))
        part.shard = ShardOfClasses(mesh, len(part.centres))


def has_centres(loss: nn.Module) -> bool:
    """Whether ``loss``, or a loss inside it, has class centres to spread."""
    return any(_centre_losses(loss))


def sharded_parameters(module: nn.Module) -> list[str]:
    """Return the names of the parameters of ``module`` of which each process holds a part."""
    return [name for name, parameter in module.named_parameters() if isinstance(parameter, DTensor)]


@torch.no_grad()
def full_state(loss: nn.Module) -> dict[str, Tensor]:
    """Return the ``state_dict`` of ``loss`` with whole tensors, the same for any number of processes.

    To be called in all processes.
    """
    state = loss.state_dict()
    return {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in state.items()}


@torch.no_grad()
def load_full_state(loss: nn.Module, state: dict[str, Tensor]) -> None:
    """Load whole tensors, as `full_state` returns them, into ``loss``, sharded or not.

    To be called in all processes.
    """
    own = loss.state_dict()
    loss.load_state_dict({name: as_sharded(value, own.get(name)) for name, value in state.items()})


def as_sharded(whole: Tensor, like: Tensor | None) -> Tensor:
    """Return ``whole`` cut as ``like`` is, if it is; to be called in all processes."""
    if not isinstance(like, DTensor):
        return whole
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)


def _centre_losses(loss: nn.Module) -> Iterator[AbstractCentreLoss]:
    return (module for module in loss.modules() if isinstance(module, AbstractCentreLoss))


def _chunk(classes: int, processes: int) -> int:
    return -(-classes // processes)


def _check(loss: AbstractCentreLoss, mesh: DeviceMesh) -> None:
    name, classes, processes = type(loss).__name__, len(loss.centres), mesh.size()
    if hasattr(loss.centres, "manifold"):
        raise InputError(f'{name} keeps its centres on a manifold, which cannot be sharded; take centres "plain"')
    if (processes - 1) * _chunk(classes, processes) >= classes:
        used = -(-classes // _chunk(classes, processes))
        raise InputError(
            f"{classes} classes give only {used} of {processes} processes one or more; take fewer processes, or do not "
            "shard the classes"
        )
