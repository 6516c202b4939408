"""Modules put back as they were, bit for bit: weights, buffers, gradients, modes, and the state of chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class KeptWeights:
    """Copies of parameters and buffers, and of the state of chance, to return to as often as one likes."""

    parameters: tuple[tuple[nn.Parameter, Tensor], ...]
    buffers: tuple[tuple[nn.Module, str, Tensor, Tensor], ...]
    chance: Tensor
    device_chance: tuple[Tensor, ...]

    @classmethod
    def of(cls, modules: Sequence[nn.Module]) -> KeptWeights:
        """Copy what ``modules`` hold now."""
        whole = nn.ModuleList(modules)  # which has what several of them share once
        buffers = ((part, name, buffer) for part in whole.modules() for name, buffer in part._buffers.items())
        return cls(
            tuple((p, p.detach().clone()) for p in whole.parameters()),
            tuple((part, name, b, b.detach().clone()) for part, name, b in buffers if b is not None),
            torch.get_rng_state(),
            tuple(torch.cuda.get_rng_state_all()) if torch.cuda.is_initialized() else (),
        )

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back; a buffer that was replaced by another tensor is the old tensor again."""
        for parameter, copy in self.parameters:
            parameter.copy_(copy)
        for part, name, buffer, copy in self.buffers:
            buffer.copy_(copy)
            part._buffers[name] = buffer
        torch.set_rng_state(self.chance)
        if self.device_chance:
            torch.cuda.set_rng_state_all(list(self.device_chance))


@contextmanager
def kept_state(modules: Sequence[nn.Module]) -> Iterator[KeptWeights]:
    """Let anything happen to ``modules`` inside, and put it all back at the end, an error or not.

    Inside, gradients are None to begin with.
    """
    kept = KeptWeights.of(modules)
    parameters = [parameter for parameter, _ in kept.parameters]
    gradients = [(p, p.grad, p.requires_grad) for p in parameters]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    for parameter in parameters:
        parameter.grad = None
    try:
        yield kept
    finally:
        kept.restore()
        for parameter, gradient, requires in gradients:
            parameter.requires_grad_(requires)
            parameter.grad = gradient
        for part, mode in modes:
            part.training = mode
