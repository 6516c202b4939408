"""Depth: how far from the origin items and nodes lie, and whether that says how specific, long or clean they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Euclidean, PoincareBall, to_lorentz
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.resampling import checked_points, checked_weights

_TOLD_APART = 1e-4
"""Radii nearer to each other than this share of the largest are alike: float32 points on one sphere are."""


@dataclass(frozen=True, eq=False)
class Radii:
    """Distances (n,) of points from the origin of their space; None, with the reason, where they say nothing."""

    values: NDArray[np.float64] | None
    why_none: str | None = None


def radii(space: AbstractSpace, points: NDArray[np.float64]) -> Radii:
    """Return how far out points lie, in the unit of the space.

    There is nothing to tell on the sphere, nor where all points have one radius, as a lift that clips gives them when
    all raw embeddings are longer than its limit. Radii are rounded to 1/10,000 of the largest, so that ranks do not
    come from rounding.

    Args:
        space: where the points lie.
        points: (n, D).
    """
    x = torch.from_numpy(checked_points(points))
    if not isinstance(space, (Euclidean, PoincareBall)):
        return Radii(None, f"the space {space.describe()['name']} has no origin, so points have no depth")
    with torch.no_grad():
        values = space.distance(torch.zeros_like(x), x).numpy()
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
    w = weights / weights.sum()
    x, y = a - w @ a, b - w @ b
    spread = np.sqrt((w @ (x * x)) * (w @ (y * y)))
    return float(np.clip((w @ (x * y)) / spread, -1, 1)) if spread > 0 else float("nan")


@dataclass(frozen=True)
class NodeDepths:
    """Whether nodes further down the tree lie further out.

    Attributes:
        specificity: Spearman's correlation of the radius of a node's centroid with its level, NaN with one level.
        steps: the share of nodes whose parent lies nearer to the origin, NaN without any parent.
        nodes: how many nodes.
        parents: how many nodes have a parent of several children, which ``steps`` counts.
    """

    specificity: float
    steps: float
    nodes: int
    parents: int


def node_depths(
    space: AbstractSpace, points: NDArray[np.float64], paths: TreePaths, *, weights: ArrayLike | None = None
) -> NodeDepths:
    """Return how the radius of nodes follows their level.

    The place of a node is the centroid of its items: the mean in flat space, the Lorentz centroid in the ball. A mean
    of many points lies nearer to the origin than they do, in any space and for any labels, so these figures are high by
    themselves and mean something only beside those of shuffled labels. A node that is its parent's only child is the
    same point again and counted once, at its parent; nodes that are not known for certain are left out.

    Args:
        space: flat, or a Poincaré ball.
        points: (n, D).
        paths: where each hangs.
        weights: (n,) of the items in the centroids, at least 0; 1 if None.

    Raises:
        InputError: a space without an origin, or arrays that do not fit.
    """
    x = checked_points(points, len(paths))
    w = checked_weights(None if weights is None else np.asarray(weights), len(x))
    coordinates = _linear_coordinates(space, x)
    places, depths, inner, outer = [], [], [], []
    above: NDArray[np.float64] | None = None
    for depth, level in enumerate(paths.levels):
        count = len(paths.names[depth])
        usable = paths.usable(level) & (w > 0)
        column, mass = paths.nodes[usable, depth], w[usable]
        there = np.bincount(column, minlength=count) > 0
        sums = np.zeros((count, coordinates.shape[1]))
        np.add.at(sums, column, mass[:, None] * coordinates[usable])
        found = np.full(count, np.nan)
        found[there] = _radius_of_sums(space, sums[there])
        parents = paths.parents(level)
        if above is not None:
            there &= _has_siblings(parents, there)
            with_parent = there & np.isfinite(above[np.maximum(parents, 0)])
            inner.append(above[parents[with_parent]])
            outer.append(found[with_parent])
        places.append(found[there])
        depths.append(np.full(int(there.sum()), float(depth)))
        above = found
    radius, depth_of = np.concatenate(places), np.concatenate(depths)
    steps = np.concatenate(inner) < np.concatenate(outer) if inner else np.zeros(0)
    return NodeDepths(
        specificity=rank_correlation(radius, depth_of) if len(radius) else float("nan"),
        steps=float(steps.mean()) if len(steps) else float("nan"),
        nodes=len(radius),
        parents=len(steps),
    )


def _has_siblings(parents: NDArray[np.int64], there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    children = np.bincount(parents[there], minlength=1)
    found = np.zeros(len(parents), dtype=bool)
    found[there] = children[parents[there]] > 1
    return found


def _linear_coordinates(space: AbstractSpace, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates in which a centroid is the scaled sum: a 1 or the time before those of the point."""
    if isinstance(space, PoincareBall):
        with torch.no_grad():
            return to_lorentz(torch.from_numpy(x), c=space.c).numpy()
    if isinstance(space, Euclidean):
        return np.concatenate([np.ones((len(x), 1)), x], axis=1)
    raise InputError(f"points of the space {space.describe()['name']} have no depth")


@torch.no_grad()
def _radius_of_sums(space: AbstractSpace, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of the centroid from the origin: ``|x|``, or ``artanh(|space| / time) / sqrt(c)``."""
    share = np.linalg.norm(sums[:, 1:], axis=1) / sums[:, 0]
    if isinstance(space, PoincareBall):
        return np.arctanh(np.minimum(share, 1 - np.finfo(np.float64).eps)) / float(space.c) ** 0.5
    return share
