"""What is done to an encoder: layers that break it, put into it or behind it, weights that are held, a ball's rim."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from curvox.geometry import AbstractLift

Change = Callable[[nn.Module], nn.Module]
"""From an encoder to another one, usually the same with something changed inside."""


class Behind(nn.Module):
    """An encoder, and a layer behind it that maps its embeddings (B, D) to others (B, ``embedding_dim``)."""

    def __init__(self, encoder: nn.Module, layer: nn.Module, embedding_dim: int) -> None:
        super().__init__()
        self.encoder, self.layer, self.embedding_dim = encoder, layer, embedding_dim

    def forward(self, features: Tensor, lengths_frames: Tensor | None = None) -> Tensor:
        return self.layer(self.encoder(features, lengths_frames))


def behind(make: Callable[[int], nn.Module], *, more: int = 0) -> Change:
    """Put the layer that ``make`` makes for D dimensions behind the encoder; it has ``more`` outputs than inputs."""

    def change(encoder: nn.Module) -> nn.Module:
        dim = _dim(encoder)
        return Behind(encoder, make(dim), dim + more)

    return change


def within(place: str, make: Callable[[], nn.Module]) -> Change:
    """Put a layer behind the child ``place`` of the encoder, which must map a tensor to one of its shape."""

    def change(encoder: nn.Module) -> nn.Module:
        setattr(encoder, place, nn.Sequential(encoder.get_submodule(place), make()))
        return encoder

    return change


def frozen(*places: str) -> Change:
    """Let the children ``places`` of the encoder require no gradient; without any, the whole encoder."""

    def change(encoder: nn.Module) -> nn.Module:
        for part in [encoder.get_submodule(place) for place in places] or [encoder]:
            part.requires_grad_(False)
        return encoder

    return change


def with_idle(*sizes: int) -> Change:
    """Give the encoder linear layers of these sizes that nothing goes through."""

    def change(encoder: nn.Module) -> nn.Module:
        encoder.add_module("head", nn.Sequential(*(nn.Linear(m, n) for m, n in pairwise(sizes))))
        return encoder

    return change


def _dim(encoder: nn.Module) -> int:
    return int(encoder.embedding_dim)  # pyright: ignore[reportArgumentType]


class Detached(nn.Module):
    """Lets nothing of the gradient through."""

    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


class Steps(nn.Module):
    """Quantises by rounding to ``levels`` steps a unit, which has no gradient anywhere."""

    def __init__(self, levels: float) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.levels).round() / self.levels


class _GradientTimes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None


class GradientTimes(nn.Module):
    """Passes its input on and multiplies the gradient by ``factor``, in every ``every``-th training step."""

    calls: Tensor

    def __init__(self, factor: float, every: int = 1) -> None:
        super().__init__()
        self.factor, self.every = factor, every
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        due = int(self.calls) % self.every == 0
        return _GradientTimes.apply(x, self.factor if due else 1.0)  # pyright: ignore[reportReturnType]


class Chaos(nn.Module):
    """``x <- tanh(W x)`` many times with one large W: a recurrent layer whose gradient grows with every turn."""

    def __init__(self, dim: int, *, turns: int, gain: float) -> None:
        super().__init__()
        self.turns = turns
        self.weight = nn.Parameter(gain * torch.linalg.qr(torch.randn(dim, dim))[0])

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.turns):
            x = torch.tanh(x @ self.weight.T)
        return x


class Constant(nn.Module):
    """Returns one learnt vector for everybody; what comes in plays no part."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.randn(dim))

    def forward(self, z: Tensor) -> Tensor:
        return 0.0 * z + self.vector


class Offset(nn.Module):
    """Adds the same large number to every coordinate."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, z: Tensor) -> Tensor:
        return z + self.offset


class Noise(nn.Module):
    """Appends ``dims`` coordinates of white noise, drawn from the embedding's own digits so that it stays the same."""

    def __init__(self, dims: int, level: float) -> None:
        super().__init__()
        self.dims, self.level = dims, level

    def forward(self, z: Tensor) -> Tensor:
        seeds = z.detach().float().mul(1e3).frac().mul(2**20).long().sum(1)
        rows = [torch.randn(self.dims, generator=torch.Generator().manual_seed(int(s))) for s in seeds.abs()]
        return torch.cat([z, self.level * torch.stack(rows).to(z)], 1)


class Hubs(nn.Module):
    """Shortens a ``share`` of the embeddings, chosen by their own digits, so that they lie in the middle of all."""

    def __init__(self, share: float, factor: float) -> None:
        super().__init__()
        self.share, self.factor = share, factor

    def forward(self, z: Tensor) -> Tensor:
        chosen = z.detach().float().sum(1).mul(1e3).frac().abs() < self.share
        return torch.where(chosen[:, None], self.factor * z, z)


class SelfScaled(nn.Module):
    """Divides by the standard deviation over frequency and time, without a guard: silence is 0 / 0."""

    def forward(self, features: Tensor) -> Tensor:
        return features / features.std((1, 2), keepdim=True)


class Before(nn.Module):
    """A layer for the features (B, T, n_mels), and the encoder behind it."""

    def __init__(self, layer: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.layer, self.encoder, self.embedding_dim = layer, encoder, _dim(encoder)

    def forward(self, features: Tensor, lengths_frames: Tensor | None = None) -> Tensor:
        return self.encoder(self.layer(features), lengths_frames)


def self_scaled(encoder: nn.Module) -> nn.Module:
    """Put `SelfScaled` before the encoder."""
    return Before(SelfScaled(), encoder)


class InHalf(nn.Module):
    """Takes its input ``gain`` times as large through float16 and back."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return (x.half() * self.gain).float() / self.gain


class NearRim(AbstractLift):
    """Puts every embedding at ``1 - gap`` of the ball's radius, and takes ``1 - c |x|²`` from the rounded point."""

    def __init__(self, gap: float) -> None:
        super().__init__()
        self.gap = gap

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return self.reach(c=c) * squared_norm.clamp_min(1e-12).rsqrt()

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        points = self.factor(squared_norm, dim=dim, c=c)
        # One grain of float32 below 1 at least, so that the distance is wrong but no division by zero.
        return (1.0 - c * squared_norm * points.square()).clamp_min(torch.finfo(torch.float32).eps)

    def reach(self, *, c: float | Tensor) -> float:
        return (1.0 - self.gap) / float(c) ** 0.5

    def describe(self) -> dict[str, Any]:
        return {"name": "clip", "radius": None}
