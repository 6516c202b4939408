"""Points of a space as NumPy arrays: their checks, their distances, and pairs drawn of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, self_distance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Pairs = tuple[Ints, Ints]
_PAIRS_AT_ONCE = 1000  # both sides stay in the processor's cache


@torch.no_grad()
def all_distances(space: AbstractSpace, points: Floats) -> Floats:
    """Return the distances (n, n) of all pairs of points (n, D); symmetric, 0 of a point to itself."""
    found = self_distance(torch.from_numpy(points), space)
    return (0.5 * (found + found.T)).fill_diagonal_(0.0).numpy()


@torch.no_grad()
def pair_distances(space: AbstractSpace, points: Floats, i: Ints, j: Ints) -> Floats:
    """Return the distances (P,) of the points i to the points j, by direct difference."""
    x = torch.from_numpy(points)
    starts = range(0, len(i), _PAIRS_AT_ONCE)
    parts = [
        space.distance(x[i[start : start + _PAIRS_AT_ONCE]], x[j[start : start + _PAIRS_AT_ONCE]]) for start in starts
    ]
    return torch.cat(parts).numpy() if parts else np.zeros(0)


@torch.no_grad()
def block_distances(space: AbstractSpace, points: Floats, rows: Ints) -> Floats:
    """Return the distances (B, n) of the points at ``rows`` to all points."""
    x = torch.from_numpy(points)
    return space.pairwise_distance(x[rows], x).numpy()


def sample_pairs(n: int, count: int, rng: np.random.Generator) -> Pairs:
    """Draw pairs i < j of n items, (count,) each, evenly and with repetition; all pairs once where that is no more."""
    if n < 2 or count < 1:
        raise InputError(f"expected at least two items and one pair, got {n} and {count}")
    if n * (n - 1) // 2 <= count:
        i, j = np.triu_indices(n, 1)
        return i.astype(np.int64), j.astype(np.int64)
    i = rng.integers(0, n, count)
    j = rng.integers(0, n - 1, count)
    j += j >= i
    return np.minimum(i, j), np.maximum(i, j)


def checked_weights(weights: Floats | None, count: int) -> Floats:
    """Return weights (count,), all 1 for None.

    Raises:
        InputError: another shape, values below 0 or not finite, or none above 0.
    """
    if weights is None:
        return np.ones(count)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise InputError(f"expected {count} weights of at least 0, one of them above 0; got shape {array.shape}")
    return array


def checked_points(points: Floats, items: int | None = None) -> Floats:
    """Return points (n, D) in float64.

    Raises:
        InputError: another shape, another number of them, or values that are not finite.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or not array.size or (items is not None and len(array) != items):
        expected = "(n, D)" if items is None else f"({items}, D)"
        raise InputError(f"points must be {expected}, got {array.shape}")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(f"points must be finite, the one of item {row} is not")
    return array
