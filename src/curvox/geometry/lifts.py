"""Lifts: how a raw encoder output z of any length becomes a point of the Poincaré ball.

Every lift keeps the direction of z and maps its length; what differs is the length it gives, how far from the
origin it can reach, and whether the length of a batch-normalised z (about sqrt(D)) still gets a gradient.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry.poincare import tanh_ratio
from curvox.geometry.vectors import norm
from curvox.tables import Entry, Table

RIM_MARGIN = 1e-5
"""No lift goes closer to the rim than this share of the ball's radius, so that float32 never rounds onto it."""

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


def largest_radius(c: float) -> float:
    """The largest Euclidean radius that a lift may use in the ball of curvature -c."""
    return (1.0 - RIM_MARGIN) / math.sqrt(c)


def clip(z: Float[Tensor, "*batch D"], *, radius: float) -> Float[Tensor, "*batch D"]:
    """``z * min(1, radius / |z|)``: vectors longer than ``radius`` are shortened to it."""
    return z * (radius / norm(z).clamp_min(radius))


class AbstractLift(nn.Module, ABC):
    """Maps raw embeddings (..., D) into the ball, ``forward(z, c=c)``."""

    @abstractmethod
    def forward(self, z: Tensor, *, c: float) -> Tensor:
        """Return points (..., D) strictly inside the ball of curvature -c."""

    @abstractmethod
    def reach(self, *, c: float) -> float:
        """Return the largest Euclidean norm of a lifted point; refuse a c with which the lift does not fit."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name and constructor arguments, plain enough for JSON."""

    def max_distance(self, *, c: float) -> float:
        """The largest geodesic distance between two lifted points (opposite ones)."""
        root = math.sqrt(c)
        return 4.0 / root * math.atanh(root * self.reach(c=c))


def _checked_radius(radius: float | None, c: float) -> float:
    limit = largest_radius(c)
    if radius is None:
        return limit
    if radius > limit:
        raise InputError(
            f"radius must be below the ball's own, at most {limit:.6g} for c = {c:g}, got {radius:g}; "
            "leave it out to reach just inside the rim"
        )
    return radius


class Clip(AbstractLift):
    """`clip` to ``radius`` (default: just inside the rim).

    Gets no gradient on the length of a z longer than the radius: batch-normalised embeddings all land on the
    sphere of that radius. Clipped hyperbolic classifiers: Guo et al. 2022 (arXiv:2107.11472).
    """

    def __init__(self, radius: float | None = None) -> None:
        super().__init__()
        self.radius = None if radius is None else require_positive(radius, "radius")

    def reach(self, *, c: float) -> float:
        return _checked_radius(self.radius, c)

    def forward(self, z: Tensor, *, c: float) -> Tensor:
        return clip(z, radius=self.reach(c=c))

    def describe(self) -> dict[str, Any]:
        return {"name": "clip", "radius": self.radius}


class Published(AbstractLift):
    """The published H-Softmax and HAM-Softmax setting, where "curvature" C only sets the clip radius.

    The radius is ``(1 - 1e-5) / sqrt(C)``; the distance stays that of the ball of c = 1. Published values: C = 5
    for H-Softmax (reach 0.447, opposite points at 1.92) and C = 3 for HAM-Softmax (reach 0.577, 2.63).

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

    def reach(self, *, c: float) -> float:
        if c != 1.0:
            raise InputError(f'the lift "published" belongs to the ball of c = 1, got c = {c:g}; use "clip" there')
        return largest_radius(self.curvature)

    def forward(self, z: Tensor, *, c: float) -> Tensor:
        return clip(z, radius=self.reach(c=c))

    def describe(self) -> dict[str, Any]:
        return {"name": "published", "curvature": self.curvature}


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
        return nn.functional.softplus(self.raw_gain)

    def reach(self, *, c: float) -> float:
        return largest_radius(c)

    def forward(self, z: Tensor, *, c: float) -> Tensor:
        root = math.sqrt(c)
        v = z * self.gain
        longest = math.atanh(root * self.reach(c=c)) / root
        v = clip(v, radius=longest)
        return v * tanh_ratio(norm(v) * root)

    def describe(self) -> dict[str, Any]:
        return {"name": "exp_map", "gain": self.initial_gain}


class SoftClip(AbstractLift):
    """``x = radius * z / (w + sqrt(w^2 + |z|^2))`` with ``w = width * sqrt(D)``: no corner and no saturation.

    z / w is taken as the space-like coordinates of a point of the hyperboloid and mapped to the ball. With the
    default radius its distance from the origin is ``asinh(|z| / w) / sqrt(c)``: linear in a short z, the logarithm
    of a long one, so that the length of z has a gradient at every size. Batch-normalised embeddings have
    |z| / sqrt(D) = 1, which makes ``width`` independent of D; the default puts them at a distance of 1.44 / sqrt(c).

    Args:
        width: where bending sets in, in units of the root mean square of z's coordinates.
        radius: the limit for an infinitely long z; default just inside the rim.
    """

    def __init__(self, width: float = 0.5, radius: float | None = None) -> None:
        super().__init__()
        self.width = require_positive(width, "width")
        self.radius = None if radius is None else require_positive(radius, "radius")

    def reach(self, *, c: float) -> float:
        return _checked_radius(self.radius, c)

    def forward(self, z: Tensor, *, c: float) -> Tensor:
        ratio = z / (self.width * math.sqrt(z.shape[-1]))
        bend = 1.0 + (1.0 + ratio.square().sum(-1, keepdim=True)).sqrt()
        return self.reach(c=c) * ratio / bend

    def describe(self) -> dict[str, Any]:
        return {"name": "soft_clip", "width": self.width, "radius": self.radius}
