"""Depth: how far from the origin items lie, and rank correlations that ask what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.distances import checked_points, checked_weights

_TOLD_APART = 1e-4
"""Radii nearer to each other than this share of the largest are alike: float32 points on one sphere are."""


@dataclass(frozen=True, eq=False)
class Radii:
    """Distances (n,) of points from the origin of their space; None, with the reason, where they say nothing."""

    values: NDArray[np.float64] | None
    why_none: str | None = None


def radii(space: AbstractSpace, points: NDArray[np.float64]) -> Radii:
    """Return how far out points lie, in the unit of the space.

    There is nothing to tell without an origin, as on the sphere, nor where all points have one radius, as a lift that
    clips gives them when all raw embeddings are longer than its limit. Radii are rounded to 1/10,000 of the largest, so
    that ranks do not come from rounding.

    Args:
        space: where the points lie.
        points: (n, D).
    """
    x = torch.from_numpy(checked_points(points))
    if space.origin is None:
        return Radii(None, f"the space {space.describe()['name']} has no origin, so points have no depth")
    with torch.no_grad():
        values = space.origin.depths(x).numpy()
    step = _TOLD_APART * values.max()
    rounded = np.round(values / step) * step if step > 0 else values
    if np.ptp(rounded) <= 1.5 * step:
        return Radii(None, f"the radius is constant: all points lie {values.max():.4g} from the origin")
    return Radii(rounded)


def rank_correlation(a: ArrayLike, b: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return Spearman's rank correlation in [-1, 1], NaN where one side is constant; ties share their mean rank.

    Args:
        a: (n,) finite numbers.
        b: (n,) likewise.
        weights: (n,) how often each item is there, at least 0; 1 if None.

    Raises:
        InputError: other shapes or values.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not np.isfinite(x).all() or not np.isfinite(y).all():
        raise InputError(f"expected two vectors of finite numbers, one as long as the other; got {x.shape}, {y.shape}")
    w = checked_weights(None if weights is None else np.asarray(weights), len(x))
    return correlation(weighted_ranks(x, w), weighted_ranks(y, w), w)


def weighted_ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean rank (n,) of each value among values of which each is there as often as its weight says."""
    _, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights)
    return (np.cumsum(mass) - mass + (mass + 1) / 2)[inverse]


def correlation(a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return Pearson's correlation with weights, NaN where one side is constant."""
    there = weights > 0
    if not there.any() or np.ptp(a[there]) == 0 or np.ptp(b[there]) == 0:
        return float("nan")
    w = weights / weights.sum()
    x, y = a - w @ a, b - w @ b
    spread = np.sqrt((w @ (x * x)) * (w @ (y * y)))
    return float(np.clip((w @ (x * y)) / spread, -1, 1)) if spread > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class WithinSpeakers:
    """Rank correlations within speakers, so that neither a speaker's voice nor its channel nor its corpus plays a part.

    Attributes:
        values: (S,) Spearman's of the items of each speaker, NaN where one side does not vary.
        items: (S,) how many items each has.
    """

    values: NDArray[np.float64]
    items: NDArray[np.int64]

    @staticmethod
    def of(a: NDArray[np.float64], b: NDArray[np.float64], speakers: NDArray[np.int64], count: int) -> WithinSpeakers:
        """Correlate the items (n,) of each of ``count`` speakers (n,)."""
        values, items = np.full(count, np.nan), np.bincount(speakers, minlength=count)
        for own in np.split(np.argsort(speakers, kind="stable"), np.cumsum(items)[:-1]):
            if len(own):
                values[speakers[own[0]]] = rank_correlation(a[own], b[own])
        return WithinSpeakers(values, items)

    @property
    def varying(self) -> NDArray[np.int64]:
        """The speakers (K,) within whom both sides vary."""
        return np.flatnonzero(np.isfinite(self.values))

    def mean(self, drawn: NDArray[np.float64]) -> float:
        """Return the mean over speakers, each there as often as ``drawn`` (S,) says; NaN where none varies.

        A speaker of many items counts no more than one of few.
        """
        weights = drawn[self.varying]
        return float(weights @ self.values[self.varying] / weights.sum()) if weights.any() else float("nan")
