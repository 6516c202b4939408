"""Distances of points in their space as NumPy arrays: of all pairs, of given pairs, of a block against all."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.geometry import AbstractSpace, self_distance

_PAIRS_AT_ONCE = 1000  # both sides stay in the processor's cache


@torch.no_grad()
def all_distances(space: AbstractSpace, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances (n, n) of all pairs of points (n, D); symmetric, 0 of a point to itself."""
    found = self_distance(torch.from_numpy(points), space)
    return (0.5 * (found + found.T)).fill_diagonal_(0.0).numpy()


@torch.no_grad()
def pair_distances(
    space: AbstractSpace, points: NDArray[np.float64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the distances (P,) of the points i to the points j, by direct difference."""
    x = torch.from_numpy(points)
    starts = range(0, len(i), _PAIRS_AT_ONCE)
    parts = [
        space.distance(x[i[start : start + _PAIRS_AT_ONCE]], x[j[start : start + _PAIRS_AT_ONCE]]) for start in starts
    ]
    return torch.cat(parts).numpy() if parts else np.zeros(0)


@torch.no_grad()
def block_distances(space: AbstractSpace, points: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the distances (B, n) of the points at ``rows`` to all points."""
    x = torch.from_numpy(points)
    return space.pairwise_distance(x[rows], x).numpy()
