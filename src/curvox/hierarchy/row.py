"""A dendrogram laid out so that no branches cross: its items in a row, a merge in each gap between neighbours.

The smallest cluster that holds two items is then the latest of the merges in the gaps between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curvox.hierarchy.linkage import Dendrogram


@dataclass(frozen=True, eq=False)
class DendrogramRow:
    """The row of a dendrogram of n items.

    Attributes:
        items: (n,) int64, from left to right.
        gaps: (n - 1,) int64, the merge between each item and the next.
        first: (n - 1,) int64, the place in the row where the cluster of each merge begins.
        last: (n - 1,) int64, the place behind its last item.
    """

    items: NDArray[np.int64]
    gaps: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where each item stands in the row (n,)."""
        places = np.empty(len(self.items), dtype=np.int64)
        places[self.items] = np.arange(len(self.items))
        return places

    @cached_property
    def middle(self) -> NDArray[np.int64]:
        """The place (n - 1,) where the second part of each cluster begins."""
        middle = np.empty(len(self.gaps), dtype=np.int64)
        middle[self.gaps] = np.arange(1, len(self.items))
        return middle

    def latest(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the latest merge between the places left < right, of any number of pairs."""
        level = np.frexp(right - left)[1] - 1  # the largest power of two that is not longer
        table = self._latest_of_powers
        return np.maximum(table[level, left], table[level, right - (1 << level.astype(np.int64))])

    @cached_property
    def _latest_of_powers(self) -> NDArray[np.int64]:
        """The latest merge of the 1, 2, 4, ... gaps from each on (L, n - 1)."""
        rows = [self.gaps]
        while 2 ** len(rows) <= len(self.gaps):
            step = 2 ** (len(rows) - 1)
            row = rows[-1].copy()
            np.maximum(row[:-step], row[step:], out=row[:-step])
            rows.append(row)
        return np.stack(rows)


def row_of(dendrogram: Dendrogram) -> DendrogramRow:
    """Lay a dendrogram out; of each merge the first part stands left."""
    count = dendrogram.items
    sizes = [1] * count + dendrogram.sizes.tolist()
    start = [0] * len(sizes)
    items, gaps = np.empty(count, dtype=np.int64), np.empty(count - 1, dtype=np.int64)
    merges = dendrogram.merges.tolist()
    for merge in range(count - 2, -1, -1):
        left, right = merges[merge]
        start[left] = start[count + merge]
        start[right] = start[left] + sizes[left]
        gaps[start[right] - 1] = merge
    items[start[:count]] = np.arange(count)
    first = np.array(start[count:], dtype=np.int64)
    return DendrogramRow(items, gaps, first, first + dendrogram.sizes)


def reach(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how far around each value none is larger: the first and the last place (inclusive)."""
    left, right = np.zeros(len(values), dtype=np.int64), np.full(len(values), len(values) - 1, dtype=np.int64)
    larger: list[int] = []
    numbers = values.tolist()
    for place, value in enumerate(numbers):
        while larger and numbers[larger[-1]] <= value:
            right[larger.pop()] = place - 1
        left[place] = larger[-1] + 1 if larger else 0
        larger.append(place)
    return left, right
