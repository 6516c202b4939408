"""A ball entered much nearer to its rim than float32 can tell, as hyperbolic layers are commonly written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from curvox.geometry import AbstractLift


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
