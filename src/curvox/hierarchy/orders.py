"""The order in which items lie around others, by distance, a few queries at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.geometry import AbstractSpace
from curvox.hierarchy.distances import block_distances

# Rows of distances at a time: a product costs a pass over all points. Then fewer are ranked at a time, in the cache.
_ROWS = 64
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class Order:
    """What is ranked behind some queries, in positions among the items that are kept.

    Attributes:
        block: where these B queries stand among all.
        own: (B,) the queries.
        items: (B, K) by their distance.
        there: (B, K) whether they are ranked.
        last: (B, K) the last rank of those at the same distance; None where every distance is another.
    """

    block: slice
    own: NDArray[np.int64]
    items: NDArray[np.int64]
    there: NDArray[np.bool_]
    last: NDArray[np.int64] | None


def orders(
    space: AbstractSpace,
    x: NDArray[np.float64],
    kept: NDArray[np.int64],
    asking: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Iterator[Order]:
    """Put the kept of some points (n, D) in order behind each query, block by block.

    Args:
        space: where the points lie.
        x: (n, D).
        kept: (K,) positions of those that are ranked.
        asking: (Q,) positions of the queries, all of them kept.
        groups: (n,) items of the query's own group are not ranked.
    """
    place = np.full(len(x), -1)
    place[kept] = np.arange(len(kept))
    rows, within, group = max(1, _BLOCK // max(1, len(kept))), x[kept], groups[kept]
    for start in range(0, len(asking), _ROWS):
        many = place[asking[start : start + _ROWS]]
        of_many = block_distances(space, within, many)
        for inner in range(0, len(many), rows):
            own, distances = many[inner : inner + rows], of_many[inner : inner + rows]
            distances[group[own][:, None] == group[None, :]] = np.inf
            items = np.argsort(distances, axis=1)
            ordered = np.take_along_axis(distances, items, axis=1)
            block = slice(start + inner, start + inner + len(own))
            yield Order(block, own, items, np.isfinite(ordered), _ends_of_ties(ordered))


def _ends_of_ties(ordered: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The last rank (B, K) of the items at the same distance; None where every distance is another."""
    same = (ordered[:, 1:] == ordered[:, :-1]) & np.isfinite(ordered[:, 1:])
    if not same.any():
        return None
    n = ordered.shape[1]
    ends = np.where(np.concatenate([~same, np.ones((len(ordered), 1), dtype=bool)], axis=1), np.arange(n), n)
    return np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
