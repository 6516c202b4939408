"""Embeddings in a Poincaré ball: how deep they lie, and what float32, the lift and the curvature make of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.diagnosis.probes.pairs import EmbeddingPairs
from curvox.geometry import PoincareBall, Published, rim_gap


@dataclass(frozen=True)
class PointsInBall:
    """The pairs of embeddings whose space is ``space``."""

    space: PoincareBall
    pairs: EmbeddingPairs

    def depth(self) -> float:
        """Median distance of the points from the origin."""
        points = self.pairs.points
        return self.space.distance(points, torch.zeros_like(points)).median().item()

    def rim_gap(self) -> float:
        """1 - c|x|² of the median point."""
        return rim_gap(self.pairs.points, c=self.space.c_value).median().item()

    def float32_error(self) -> tuple[float, float]:
        """The 95 % quantile of the error of float32 distances, and the standard deviation of the distances."""
        points = self.space.project(self.pairs.items.raw.float())
        rough = self.space.pairwise_distance(points, points).double()
        whole = self.pairs.same | self.pairs.different
        exact = self.pairs.once(whole)
        error = torch.quantile(_thinned((rough[whole.triu(1)] - exact).abs()), 0.95).item()
        return error, exact.std(correction=0).item()

    def length_over_reach(self) -> float:
        """Median length of the raw embeddings over the largest radius that the lift can give."""
        length = torch.linalg.vector_norm(self.pairs.items.raw.double(), dim=1).median().item()
        return length / self.space.reach

    def share_of_dead_lengths(self, slope: float) -> float:
        """Share of the embeddings whose distance from the origin follows their length by less than ``slope``."""
        return (self._radius_slopes() < slope).double().mean().item()

    def _radius_slopes(self) -> Tensor:
        """(N,) how the distance from the origin follows the raw length: d log distance / d log length."""
        raw, c = self.pairs.items.raw, self.space.c_value
        lengths = torch.linalg.vector_norm(raw.double(), dim=1).clamp_min(1e-12)
        with torch.enable_grad():
            logs = lengths.log().requires_grad_()
            squares = (2.0 * logs).exp()
            radii = logs.exp() * self.space.lift.factor(squares, dim=raw.shape[1], c=c)
            (slopes,) = torch.autograd.grad(radii.sum(), logs)
        radii = radii.detach()
        gaps = self.space.lift.rim_gap(squares.detach(), dim=raw.shape[1], c=c).detach()
        depth = 2.0 / c**0.5 * torch.atanh((c**0.5 * radii).clamp_max(1.0 - 1e-12))
        return 2.0 * slopes / gaps / depth.clamp_min(1e-300)

    def curvature_effect(self) -> float:
        """By how much hyperbolic over flat distance varies within the radius that the points reach.

        Around a point that ratio is ``2 / (1 - c |x|²)`` for short distances; for the longest, to the opposite point,
        it is ``2 artanh(r) / r`` with ``r = sqrt(c) |x|``. Pairs of a batch would tell less: early in a training all
        are short.
        """
        points, c = self.pairs.points, self.space.c_value
        local = 2.0 / rim_gap(points, c=c)
        radii = (c**0.5 * torch.linalg.vector_norm(points, dim=1)).clamp(1e-9, 1.0 - 1e-12)
        ratios = torch.cat((local, 2.0 * torch.atanh(radii) / radii))
        low, high = torch.quantile(ratios, torch.tensor([0.05, 0.95], dtype=ratios.dtype)).tolist()
        return 1.0 - low / high

    def published_curvature(self) -> float | None:
        """The curvature by which a lift as published clips; None for other lifts."""
        lift = self.space.lift
        return lift.curvature if isinstance(lift, Published) else None


def _thinned(values: Tensor) -> Tensor:
    """At most a million of them: `torch.quantile` takes no more than 16."""
    return values[:: max(1, len(values) // 1_000_000)]
