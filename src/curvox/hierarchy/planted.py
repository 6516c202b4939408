"""Points that grow along a tree: what measures of hierarchy must find, and what they must not."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, PoincareBall, exp0, mobius_add
from curvox.hierarchy.clusters import curvature_of
from curvox.hierarchy.paths import TreePaths

# The first step in the ball, in units of 1/sqrt(c): long enough for siblings to part as on a tree, and five levels of
# such steps stay where float64 knows distances well.
_FIRST_STEP = 2.0


def planted_points(
    paths: TreePaths, space: AbstractSpace, *, dim: int, spread_ratio: float, seed: int
) -> NDArray[np.float64]:
    """Return points (n, dim) of the space that grow along the tree.

    From the root each node is a step in a random direction away from the node above, each item one from its leaf; the
    steps of a level are all equally long, those of the next ``spread_ratio`` times that. On the sphere the sums of the
    steps are projected. In the ball a step is a geodesic: it leads further out the deeper it is, for in many
    dimensions a random direction is across the radius, and siblings are about as far apart as the way by their parent.

    Args:
        paths: of n items.
        space: where the points shall live.
        dim: at least 2.
        spread_ratio: above 0, below 1; at 0.6 or less the levels are well apart.
        seed: of the directions.

    Raises:
        InputError: options out of range.
    """
    if dim < 2 or not 0 < spread_ratio < 1:
        raise InputError(f"expected dim of at least 2 and 0 < spread_ratio < 1, got {dim} and {spread_ratio}")
    rng = np.random.default_rng(seed)
    points = torch.zeros(len(paths), dim, dtype=torch.float64)
    columns = [*paths.nodes.T, np.arange(len(paths))]
    for depth, nodes in enumerate(columns):
        directions = rng.normal(size=(int(nodes.max()) + 1, dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        steps = torch.from_numpy(spread_ratio**depth * directions[nodes])
        if isinstance(space, PoincareBall):
            c = curvature_of(space)  # exp0(v) lies at the distance 2 |v|
            points = mobius_add(points, exp0(0.5 * _FIRST_STEP / c**0.5 * steps, c=c), c=c)
        else:
            points = points + steps
    return (points if isinstance(space, PoincareBall) else space.project(points)).numpy()


def shuffled(points: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the points in random order: the same cloud, of which the labels know nothing."""
    return points[np.random.default_rng(seed).permutation(len(points))]
