"""Depth: how far from the origin items and nodes lie, and rank correlations that ask what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from curvox.errors import InputError
from curvox.geometry import AbstractOrigin, AbstractSpace
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.points import Floats, Ints, checked_points

_TOLD_APART = 1e-4
"""Radii nearer to each other than this share of the largest are alike: float32 points on one sphere are."""


@dataclass(frozen=True, eq=False)
class Radii:
    """Distances (n,) of points from the origin of their space; None, with the reason, where they say nothing."""

    values: Floats | None
    why_none: str | None = None


def radii(space: AbstractSpace, points: Floats) -> Radii:
    """Return how far out points lie, in the unit of the space.

    There is nothing to tell without an origin, as on the sphere, nor where all points have one radius, as a lift that
    clips gives them when all raw embeddings are longer than its limit. Radii are rounded to 1/10,000 of the largest, so
    that ranks do not come from rounding.
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


def rank_correlation(a: Floats, b: Floats, weights: Floats) -> float:
    """Return Spearman's rank correlation (n,) in [-1, 1], NaN where one side is constant; ties share their mean rank.

    ``weights`` (n,) says how often each item is there.
    """
    return correlation(_mean_ranks(a, weights), _mean_ranks(b, weights), weights)


def _mean_ranks(values: Floats, weights: Floats) -> Floats:
    """The mean rank (n,) of each value among values of which each is there as often as its weight says."""
    _, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights)
    return (np.cumsum(mass) - mass + (mass + 1) / 2)[inverse]


def correlation(a: Floats, b: Floats, weights: Floats) -> float:
    """Return Pearson's correlation with weights, NaN where one side is constant."""
    there = weights > 0
    if not there.any() or np.ptp(a[there]) == 0 or np.ptp(b[there]) == 0:
        return math.nan
    w = weights / weights.sum()
    x, y = a - w @ a, b - w @ b
    spread = np.sqrt((w @ (x * x)) * (w @ (y * y)))
    return float(np.clip((w @ (x * y)) / spread, -1, 1)) if spread > 0 else math.nan


@dataclass(frozen=True, eq=False)
class WithinSpeakers:
    """Rank correlations within speakers, so that neither a speaker's voice nor its channel nor its corpus plays a part.

    Attributes:
        values: (S,) Spearman's of the items of each speaker, NaN where one side does not vary.
        items: (S,) how many items each has.
    """

    values: Floats
    items: Ints

    @staticmethod
    def of(a: Floats, b: Floats, speakers: Ints, count: int) -> WithinSpeakers:
        """Correlate the items (n,) of each of ``count`` speakers (n,)."""
        values, items = np.full(count, np.nan), np.bincount(speakers, minlength=count)
        for own in np.split(np.argsort(speakers, kind="stable"), np.cumsum(items)[:-1]):
            if len(own):
                values[speakers[own[0]]] = rank_correlation(a[own], b[own], np.ones(len(own)))
        return WithinSpeakers(values, items)

    @property
    def varying(self) -> Ints:
        """The speakers (K,) within whom both sides vary."""
        return np.flatnonzero(np.isfinite(self.values))

    def mean(self, drawn: Floats) -> float:
        """Return the mean over speakers, each there as often as ``drawn`` (S,) says; NaN where none varies.

        A speaker of many items counts no more than one of few.
        """
        weights = drawn[self.varying]
        return float(weights @ self.values[self.varying] / weights.sum()) if weights.any() else math.nan


@dataclass(frozen=True)
class NodeDepths:
    """How the radius of nodes follows their level.

    Attributes:
        specificity: Spearman's correlation of the radius of a node's centroid with its level, NaN with one level.
        steps: the share of nodes whose parent lies nearer to the origin, NaN without any parent.
        nodes: how many nodes.
        parents: how many of them have a parent, which ``steps`` counts.
    """

    specificity: float
    steps: float
    nodes: int
    parents: int


@dataclass(frozen=True, eq=False)
class NodeSums:
    """What the centroids of nodes are made of: sums over the items of one speaker at one leaf, G of them.

    The place of a node is the centroid of its items: the mean in flat space, the Lorentz centroid in the ball. In the
    coordinates of the origin a centroid is the direction of a sum, so that the nodes of a draw of speakers need no
    further pass over the points. A mean of many points lies nearer to the origin than they do, in any space and for any
    labels, so these figures are high by themselves and mean something only beside those of shuffled labels. A node that
    is its parent's only child is the same point again and counted once, at its parent; nodes that are not known for
    certain are left out.

    Attributes:
        origin: of the space.
        paths: of the sums.
        sums: (G, E).
        owners: (G,) the speaker of each.
    """

    origin: AbstractOrigin
    paths: TreePaths
    sums: Floats
    owners: Ints

    @staticmethod
    def of(space: AbstractSpace, points: Floats, paths: TreePaths, speakers: Ints) -> NodeSums:
        """Add up points (n, D) of speakers (n,).

        Raises:
            InputError: a space without an origin, or arrays that do not fit.
        """
        x = checked_points(points, len(paths))
        if space.origin is None:
            raise InputError(f"points of the space {space.describe()['name']} have no depth")
        coordinates = space.origin.coordinates(x)
        keys = np.concatenate([paths.nodes, paths.known, speakers[:, None]], axis=1)
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        sums = _added_up(group.ravel(), coordinates, len(first))
        return NodeSums(space.origin, paths.rows(first), sums, speakers[first])

    def depths(self, drawn: Floats) -> NodeDepths:
        """Return the figures when each speaker is there as often as ``drawn`` (S,) says.

        A node of one speaker counts as often as the speaker, every other node once.
        """
        radius, depth, counted, steps, step_counted = [], [], [], [], []
        above = np.zeros(0)
        for place, level in enumerate(self.paths.levels):
            radii, multiplicity = self._level(place, drawn)
            if place:
                parents = self.paths.parents(level)
                # An only child is its parent over again.
                here = np.flatnonzero((multiplicity > 0) & (parents >= 0))
                family = np.bincount(parents[here], minlength=len(above))
                here = here[family[parents[here]] > 1]
                with_parent = here[np.isfinite(above[parents[here]])]
                steps.append(above[parents[with_parent]] < radii[with_parent])
                step_counted.append(multiplicity[with_parent])
            else:
                here = np.flatnonzero(multiplicity > 0)
            radius.append(radii[here])
            counted.append(multiplicity[here])
            depth.append(np.full(len(here), float(place)))
            above = radii
        levels, times = np.concatenate(depth), np.concatenate(counted)
        further, step_times = np.concatenate([*steps, np.zeros(0)]), np.concatenate([*step_counted, np.zeros(0)])
        return NodeDepths(
            specificity=rank_correlation(np.concatenate(radius), levels, times) if len(levels) else math.nan,
            steps=float(step_times @ further / step_times.sum()) if len(further) else math.nan,
            nodes=len(levels),
            parents=len(further),
        )

    def _level(self, place: int, drawn: Floats) -> tuple[Floats, Floats]:
        """The radius of each node of a level, NaN of those without items, and how often it counts."""
        count = len(self.paths.names[place])
        weights = drawn[self.owners]
        rows = np.flatnonzero(self.paths.usable(self.paths.levels[place]) & (weights > 0))
        column, owners = self.paths.nodes[rows, place], self.owners[rows]
        sums = _added_up(column, self.sums[rows] * weights[rows][:, None], count)
        there = np.bincount(column, minlength=count) > 0
        radii = np.full(count, np.nan)
        radii[there] = self.origin.depths_of_sums(sums[there])
        lowest, highest = np.full(count, len(drawn)), np.full(count, -1)
        np.minimum.at(lowest, column, owners)
        np.maximum.at(highest, column, owners)
        alone = there & (lowest == highest)
        multiplicity = there.astype(np.float64)
        multiplicity[alone] = drawn[lowest[alone]]
        return radii, multiplicity


def _added_up(groups: Ints, rows: Floats, count: int) -> Floats:
    from scipy.sparse import csr_array  # slow to import

    ones = np.ones(len(groups))
    return csr_array((ones, (groups, np.arange(len(groups)))), shape=(count, len(groups))) @ rows
