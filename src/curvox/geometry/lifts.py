"""Lifts: how a raw encoder output z of any length becomes a point of the Poincaré ball.

Every lift keeps the direction of z and maps its length; what differs is the length it gives, how far from the
origin it can reach, and whether the length of a batch-normalised z (about sqrt(D)) still gets a gradient.

A lift is therefore a factor, ``x = factor(|z|^2) z``, with a second number that only it knows well: how far inside the
rim the point is, ``rim_gap = 1 - c |x|^2``. Taken from a rounded x near the rim that difference has lost most of its
digits, and with them the distance; taken from |z|^2 it keeps them.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry.poincare import squared_sech, tanh_ratio
from curvox.geometry.vectors import widen
from curvox.tables import Entry, Table

RIM_MARGIN = 1e-5
"""No lift goes closer to the rim than this share of the ball's radius, so that float32 never rounds onto it."""

SMALLEST_GAP = RIM_MARGIN * (2.0 - RIM_MARGIN)
"""``1 - c |x|^2`` of a point as close to the rim as that."""

_HERE = "curvox.geometry.lifts"

LIFTS = Table(
    "lift",
    {
        "clip": Entry(_HERE, "Clip", "z, shortened to a radius", "guo2022clipped"),
        "published": Entry(_HERE, "Published", "the clip of the published H-Softmax code", "fang2026ham"),
        "exp_map": Entry(_HERE, "ExpMap", "exp0(g z) with a learnable gain g", "desai2023meru"),
        "soft_clip": Entry(_HERE, "SoftClip", "the hyperboloid's bend: distance grows as the log of |z|"),
    },
)


def largest_radius(c: float | Tensor) -> float | Tensor:
    """The largest Euclidean radius that a lift may use in the ball of curvature -c."""
    return (1.0 - RIM_MARGIN) / c**0.5


class AbstractLift(nn.Module, ABC):
    """Maps raw embeddings into the ball. c is a float, or a scalar tensor where the curvature is learnt."""

    def forward(self, z: Tensor, *, c: float | Tensor) -> Tensor:
        """Return points (..., D) strictly inside the ball of curvature -c, in the directions of z (..., D)."""
        squared_norm = z.square().sum(-1)
        return z * self.factor(squared_norm, dim=z.shape[-1], c=c)[..., None]

    @abstractmethod
    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        """Return the factors (...) above 0 that take vectors z of these squared norms (...) to their points.

        Value and gradient are finite for every finite squared norm, zero included.

        Args:
            squared_norm: |z|^2.
            dim: D, the number of coordinates of z.
            c: the ball's.
        """

    @abstractmethod
    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        """Return ``1 - c |x|^2`` (...) of the points, from |z|^2; good to a few eps of itself where the lift bends.

        A lift that clips has x = z inside its radius, where the difference is taken as it stands, with an error of
        a few eps; it is exact again at the radius itself.
        """

    @abstractmethod
    def reach(self, *, c: float | Tensor) -> float:
        """Return the largest Euclidean norm of a lifted point; refuse a c with which the lift does not fit."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name and constructor arguments, plain enough for JSON."""

    def max_distance(self, *, c: float | Tensor) -> float:
        """The largest geodesic distance between two lifted points (opposite ones)."""
        root = math.sqrt(c)
        return 4.0 / root * math.atanh(root * self.reach(c=c))


def lifted(raw: Tensor, lift: AbstractLift, *, dim: int, c: float | Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, D) of raw vectors, and their ``1 - c |x|^2`` (B, 1) as exactly as the lift knows it."""
    squares = raw.square().sum(1, keepdim=True)
    return lift.factor(squares, dim=dim, c=c) * raw, lift.rim_gap(squares, dim=dim, c=c)


@dataclass(frozen=True)
class _Limit:
    """The radius a lift keeps to, and ``1 - c radius^2`` without cancellation where it is the rim's own."""

    radius: float | Tensor
    gap: float | Tensor


def _as(scalar: float | Tensor, like: Tensor) -> float | Tensor:
    """A scalar tensor in the precision of ``like``, before any arithmetic with it."""
    return scalar.to(like.dtype) if isinstance(scalar, Tensor) else scalar


def _limit(radius: float | None, c: float | Tensor) -> _Limit:
    """A given radius is refused where it does not fit a fixed c, and follows the rim inwards where c is learnt."""
    if radius is None:
        return _Limit(largest_radius(c), SMALLEST_GAP)
    if isinstance(c, Tensor):
        return _Limit(((1.0 - RIM_MARGIN) * c.rsqrt()).clamp_max(radius), (1.0 - c * radius**2).clamp_min(SMALLEST_GAP))
    limit = largest_radius(c)
    if radius > limit:
        raise InputError(
            f"radius must be below the ball's own, at most {limit:.6g} for c = {c:g}, got {radius:g}; "
            "leave it out to reach just inside the rim"
        )
    return _Limit(radius, 1.0 - c * radius**2)


def _clip_factor(squared_norm: Tensor, limit: _Limit) -> Tensor:
    """``min(1, radius / |z|)``."""
    long = squared_norm > limit.radius**2
    return torch.where(long, limit.radius * torch.where(long, squared_norm, 1.0).rsqrt(), 1.0)


def _clip_gap(squared_norm: Tensor, limit: _Limit, c: float | Tensor) -> Tensor:
    return (1.0 - c * squared_norm).clamp_min(limit.gap)


class Clip(AbstractLift):
    """``z * min(1, radius / |z|)``: vectors longer than ``radius`` are shortened to it (default: just inside the rim).

    Gets no gradient on the length of a z longer than the radius: batch-normalised embeddings all land on the
    sphere of that radius. Clipped hyperbolic classifiers: Guo et al. 2022 (arXiv:2107.11472).

    Args:
        radius: must fit the ball; where c is learnt and the ball becomes too small, just inside its rim instead.
    """

    def __init__(self, radius: float | None = None) -> None:
        super().__init__()
        self.radius = None if radius is None else require_positive(radius, "radius")

    def reach(self, *, c: float | Tensor) -> float:
        return float(_limit(self.radius, c).radius)

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return _clip_factor(squared_norm, _limit(self.radius, _as(c, squared_norm)))

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        c = _as(c, squared_norm)
        return _clip_gap(squared_norm, _limit(self.radius, c), c)

    def describe(self) -> dict[str, Any]:
        return {"name": "clip", "radius": self.radius}


class Published(AbstractLift):
    """The published H-Softmax and HAM-Softmax setting, where "curvature" C only sets the clip radius.

    The radius is ``(1 - 1e-5) / sqrt(C)``; the distance stays that of the ball of c = 1, which cannot be learnt.
    Published values: C = 5 for H-Softmax (reach 0.447, opposite points at 1.92) and C = 3 for HAM-Softmax (reach
    0.577, 2.63).

    Args:
        curvature: the published C, at least 1.
    """

    def __init__(self, curvature: float = 3.0) -> None:
        super().__init__()
        self.curvature = require_positive(curvature, "curvature")
        if self.curvature < 1.0:
            raise InputError(
                "the published lift clips at 1/sqrt(curvature) in a ball of radius 1, "
                f"so curvature must be at least 1, got {curvature:g}"
            )

    def reach(self, *, c: float | Tensor) -> float:
        return float(self._limit(c).radius)

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return _clip_factor(squared_norm, self._limit(c))

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return _clip_gap(squared_norm, self._limit(c), c)

    def describe(self) -> dict[str, Any]:
        return {"name": "published", "curvature": self.curvature}

    def _limit(self, c: float | Tensor) -> _Limit:
        if isinstance(c, Tensor) or c != 1.0:
            came = "one that is learnt" if isinstance(c, Tensor) else f"c = {c:g}"
            raise InputError(f'the lift "published" belongs to the ball of c = 1, got {came}; use "clip" there')
        # with C = 1 this is the rim's own gap, which 1 - radius^2 would give with fewer digits
        return _Limit(largest_radius(self.curvature), (1.0 - 1.0 / self.curvature) + SMALLEST_GAP / self.curvature)


class ExpMap(AbstractLift):
    """``x = exp0(g z)`` with a learnable gain g > 0: the point lies at distance ``2 g |z|`` from the origin.

    That distance is held at ``2 artanh(1 - 1e-5) / sqrt(c)`` = 12.2 / sqrt(c); a longer z gets no gradient on
    its length. With a batch-normalised z of 192 dimensions the default gain starts at a distance of 2.8.
    MERU: Desai et al. 2023 (arXiv:2304.09172).

    Args:
        gain: the value of g that training starts from.
    """

    def __init__(self, gain: float = 0.1) -> None:
        super().__init__()
        self.initial_gain = require_positive(gain, "gain")
        raw = self.initial_gain + math.log(-math.expm1(-self.initial_gain))  # softplus(raw) = gain
        self.raw_gain = nn.Parameter(torch.tensor(raw))

    @property
    def gain(self) -> Tensor:
        """The present g, a scalar."""
        return nn.functional.softplus(widen(self.raw_gain))

    def reach(self, *, c: float | Tensor) -> float:
        return float(largest_radius(c))

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        gain, c = self.gain.to(squared_norm.dtype), _as(c, squared_norm)
        depth = _squared_depth(squared_norm, gain, c)
        far = depth > _LONGEST_DEPTH**2
        near = gain * tanh_ratio(torch.where(far, 1.0, depth))
        return torch.where(far, largest_radius(c) * torch.where(far, squared_norm, 1.0).rsqrt(), near)

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        gain, c = self.gain.to(squared_norm.dtype), _as(c, squared_norm)
        depth = _squared_depth(squared_norm, gain, c)
        far = depth > _LONGEST_DEPTH**2
        return torch.where(far, SMALLEST_GAP, squared_sech(torch.where(far, 0.0, depth)))

    def describe(self) -> dict[str, Any]:
        return {"name": "exp_map", "gain": self.initial_gain}


_LONGEST_DEPTH = math.atanh(1.0 - RIM_MARGIN)


def _squared_depth(squared_norm: Tensor, gain: Tensor, c: float | Tensor) -> Tensor:
    """``c |g z|^2``: the point lies at twice its root, in units of the ball's curvature radius."""
    return c * gain.square() * squared_norm


class SoftClip(AbstractLift):
    """``x = radius * z / (w + sqrt(w^2 + |z|^2))`` with ``w = width * sqrt(D)``: no corner and no saturation.

    z / w is taken as the space-like coordinates of a point of the hyperboloid and mapped to the ball. With the
    default radius its distance from the origin is ``asinh(|z| / w) / sqrt(c)``: linear in a short z, the logarithm
    of a long one, so that the length of z has a gradient at every size. Batch-normalised embeddings have
    |z| / sqrt(D) = 1, which makes ``width`` independent of D; the default puts them at a distance of 1.44 / sqrt(c).

    Args:
        width: where bending sets in, in units of the root mean square of z's coordinates.
        radius: the limit for an infinitely long z; default just inside the rim, which it also is where c is learnt
            and the ball becomes too small for the radius.
    """

    def __init__(self, width: float = 0.5, radius: float | None = None) -> None:
        super().__init__()
        self.width = require_positive(width, "width")
        self.radius = None if radius is None else require_positive(radius, "radius")

    def reach(self, *, c: float | Tensor) -> float:
        return float(_limit(self.radius, c).radius)

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        width = self.width * math.sqrt(dim)
        return _limit(self.radius, _as(c, squared_norm)).radius / width / (1.0 + _bend(squared_norm, width))

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        bend, gap = _bend(squared_norm, self.width * math.sqrt(dim)), _limit(self.radius, _as(c, squared_norm)).gap
        # |x|^2 = radius^2 (bend - 1) / (bend + 1), and every term here is positive
        return (gap * bend + (2.0 - gap)) / (bend + 1.0)

    def describe(self) -> dict[str, Any]:
        return {"name": "soft_clip", "width": self.width, "radius": self.radius}


def _bend(squared_norm: Tensor, width: float) -> Tensor:
    return (1.0 + squared_norm / width**2).sqrt()
