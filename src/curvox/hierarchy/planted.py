"""Points that grow along a tree: what measures of hierarchy must find, and what they must not."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.paths import TreePaths

# The first step in the ball, in units of 1/sqrt(c): long enough for siblings to part as on a tree, and five levels of
# such steps stay where float64 knows distances well.
_FIRST_STEP = 2.0


@torch.no_grad()
def planted_points(
    paths: TreePaths, space: AbstractSpace, *, dim: int, spread_ratio: float, seed: int
) -> NDArray[np.float64]:
    """Return points (n, dim) of the space that grow along the tree.

    From the root each node is a step in a random direction away from the node above, each item one from its leaf; the
    steps of a level are all equally long, those of the next ``spread_ratio`` times that. The sums of the steps are
    projected into the space. In the ball a step is a geodesic: it leads further out the deeper it is, for in many
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
    curvature = space.curvature
    first_step = None if curvature is None or curvature >= 0 else _FIRST_STEP / (-curvature) ** 0.5
    points = torch.zeros(len(paths), dim, dtype=torch.float64)
    columns = [*paths.nodes.T, np.arange(len(paths))]
    for depth, nodes in enumerate(columns):
        directions = rng.normal(size=(int(nodes.max()) + 1, dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        steps = torch.from_numpy(spread_ratio**depth * directions[nodes])
        points = points + steps if first_step is None else space.exp_map(points, first_step * steps)
    return (space.project(points) if first_step is None else points).numpy()


def shuffled(points: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the points in random order: the same cloud, of which the labels know nothing."""
    return points[np.random.default_rng(seed).permutation(len(points))]
