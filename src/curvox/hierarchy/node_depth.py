"""Whether nodes further down the tree lie further from the origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractOrigin, AbstractSpace
from curvox.hierarchy.depth import rank_correlation
from curvox.hierarchy.distances import checked_points, checked_weights
from curvox.hierarchy.paths import TreePaths


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


def node_depths(
    space: AbstractSpace, points: NDArray[np.float64], paths: TreePaths, *, weights: ArrayLike | None = None
) -> NodeDepths:
    """Return how the radius of nodes follows their level.

    The place of a node is the centroid of its items: the mean in flat space, the Lorentz centroid in the ball. A mean
    of many points lies nearer to the origin than they do, in any space and for any labels, so these figures are high by
    themselves and mean something only beside those of shuffled labels. A node that is its parent's only child is the
    same point again and counted once, at its parent; nodes that are not known for certain are left out.

    Args:
        space: with an origin: flat, or a Poincaré ball.
        points: (n, D).
        paths: where each hangs.
        weights: (n,) of the items in the centroids, at least 0; 1 if None.

    Raises:
        InputError: a space without an origin, or arrays that do not fit.
    """
    items = np.arange(len(paths))
    w = checked_weights(None if weights is None else np.asarray(weights), len(items))
    return NodeSums.of(space, points, paths, np.zeros(len(items), dtype=np.int64), weights=w).depths(np.ones(1))


@dataclass(frozen=True, eq=False)
class NodeSums:
    """What the centroids of nodes are made of: sums over the items of one speaker at one leaf, G of them.

    In the coordinates of the origin a centroid is the direction of a sum.

    Attributes:
        origin: of the space.
        paths: of the sums.
        sums: (G, E).
        owners: (G,) the speaker of each.
    """

    origin: AbstractOrigin
    paths: TreePaths
    sums: NDArray[np.float64]
    owners: NDArray[np.int64]

    @staticmethod
    def of(
        space: AbstractSpace,
        points: NDArray[np.float64],
        paths: TreePaths,
        speakers: NDArray[np.int64],
        *,
        weights: NDArray[np.float64] | None = None,
    ) -> NodeSums:
        """Add up points (n, D) of speakers (n,)."""
        x = checked_points(points, len(paths))
        if space.origin is None:
            raise InputError(f"points of the space {space.describe()['name']} have no depth")
        coordinates = space.origin.coordinates(x)
        if weights is not None:
            coordinates, kept = coordinates * weights[:, None], weights > 0
            coordinates, paths, speakers = coordinates[kept], paths.rows(kept), speakers[kept]
        keys = np.concatenate([paths.nodes, paths.known, speakers[:, None]], axis=1)
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        sums = _added_up(group.ravel(), coordinates, len(first))
        return NodeSums(space.origin, paths.rows(first), sums, speakers[first])

    def depths(self, drawn: NDArray[np.float64]) -> NodeDepths:
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
        nodes = np.concatenate(radius), np.concatenate(depth), np.concatenate(counted)
        return _figures(nodes, steps, step_counted)

    def _level(self, place: int, drawn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def _figures(
    nodes: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    steps: list[NDArray[np.bool_]],
    step_counted: list[NDArray[np.float64]],
) -> NodeDepths:
    radius, depth, counted = nodes
    further = np.concatenate(steps) if steps else np.zeros(0, dtype=bool)
    times = np.concatenate(step_counted) if steps else np.zeros(0)
    return NodeDepths(
        specificity=rank_correlation(radius, depth, weights=counted) if len(radius) else float("nan"),
        steps=float(times @ further / times.sum()) if len(further) else float("nan"),
        nodes=len(radius),
        parents=len(further),
    )


def _added_up(groups: NDArray[np.int64], rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    from scipy.sparse import csr_array  # slow to import

    ones = np.ones(len(groups))
    return csr_array((ones, (groups, np.arange(len(groups)))), shape=(count, len(groups))) @ rows
