"""What a dendrogram keeps of labels and distances: its purity, and where two items first come together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.hierarchy.linkage import Dendrogram
from curvox.hierarchy.points import Bools, Floats, Ints, Pairs


@dataclass(frozen=True, eq=False)
class DendrogramRow:
    """A dendrogram of n items laid out so that no branches cross: a row of items with a merge in each gap.

    The smallest cluster that holds two items is then the latest of the merges in the gaps between them.

    Attributes:
        items: (n,) int64, from left to right.
        gaps: (n - 1,) int64, the merge between each item and the next.
        first: (n - 1,) int64, the place in the row where the cluster of each merge begins.
        last: (n - 1,) int64, the place behind its last item.
    """

    items: Ints
    gaps: Ints
    first: Ints
    last: Ints

    @cached_property
    def places(self) -> Ints:
        """Where each item stands in the row (n,)."""
        places = np.empty(len(self.items), dtype=np.int64)
        places[self.items] = np.arange(len(self.items))
        return places

    @cached_property
    def middle(self) -> Ints:
        """The place (n - 1,) where the second part of each cluster begins."""
        middle = np.empty(len(self.gaps), dtype=np.int64)
        middle[self.gaps] = np.arange(1, len(self.items))
        return middle

    def latest(self, left: Ints, right: Ints) -> Ints:
        """Return the latest merge between the places left < right, of any number of pairs."""
        level = np.frexp(right - left)[1] - 1  # the largest power of two that is not longer
        table = self._latest_of_powers
        return np.maximum(table[level, left], table[level, right - (1 << level.astype(np.int64))])

    @cached_property
    def _latest_of_powers(self) -> Ints:
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


def reach(values: Ints) -> tuple[Ints, Ints]:
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


def purities(
    dendrogram: Dendrogram, labels: NDArray[np.integer], *, known: Bools | None = None, weights: Floats | None = None
) -> Floats:
    """Return the dendrogram purity in (0, 1], exactly, for each row of weights (R,): over all pairs of items of one
    label, the mean share of that label in the smallest cluster that holds both.

    It is 1 where every label has a subtree of its own, NaN where no two items have one label. The time is linear in n
    for each row, after one pass over the tree. Heller & Ghahramani 2005.

    Args:
        dendrogram: of n items.
        labels: (n,) whole numbers.
        known: (n,) where False, the item is left out, as if it were not in the tree.
        weights: (R, n) how often each item counts, >= 0; a pair counts the product, an item makes no pair with itself.
            One row of ones if None.

    Raises:
        InputError: arrays that do not fit the dendrogram.
    """
    known_ = _known(dendrogram, labels, known)
    weights_ = _weights(dendrogram, weights)
    row = row_of(dendrogram)
    places = np.flatnonzero(known_[row.items])  # of the items that count, those of one label after each other
    places = places[np.argsort(np.asarray(labels)[row.items[places]], kind="stable")]
    items = row.items[places]
    same = np.flatnonzero(np.diff(np.asarray(labels)[items]) == 0)  # gaps between neighbours of one label
    merges = np.full(max(len(items) - 1, 0), dendrogram.items)
    merges[same] = row.latest(places[same], places[same + 1])
    # the cluster of such a merge holds the items of the label as far as no later merge parts them
    left, right = (side[same] for side in reach(merges))
    first, last = row.first[merges[same]], row.last[merges[same]]
    found = np.full(len(weights_), np.nan)
    for k, weight in enumerate(weights_):
        in_row = _sums(np.where(known_, weight, 0.0)[row.items])
        in_label = _sums(weight[items])
        a, b = in_label[same + 1] - in_label[left], in_label[right + 2] - in_label[same + 1]
        pairs, whole = a * b, in_row[last] - in_row[first]
        if pairs.sum() > 0:
            share = np.divide(a + b, whole, out=np.ones_like(whole), where=whole > 0)
            found[k] = (pairs * np.minimum(share, 1.0)).sum() / pairs.sum()
    return found


def purity_of_chance(dendrogram: Dendrogram, labels: NDArray[np.integer], *, known: Bools | None = None) -> float:
    """Return the mean purity of this tree over all orders in which the labels could be dealt to its items, exactly.

    Of two items whose smallest cluster holds T of n, the label is the same for ``n_l (n_l - 1)`` of the
    ``n (n - 1)`` deals, and each of the T - 2 others in the cluster then bears it with ``(n_l - 2) / (n - 2)``.

    Raises:
        InputError: arrays that do not fit the dendrogram, or no two items of one label.
    """
    known_ = _known(dendrogram, labels, known)
    counts = np.unique(np.asarray(labels)[known_], return_counts=True)[1].astype(np.float64)
    n, pairs = counts.sum(), (counts * (counts - 1)).sum()
    if pairs == 0:
        raise InputError("purity needs two items of one label, each of known label; there are none")
    row = row_of(dendrogram)
    in_row = _sums(known_[row.items].astype(np.float64))
    a, b = in_row[row.middle] - in_row[row.first], in_row[row.last] - in_row[row.middle]
    split, whole = a * b, np.maximum(a + b, 1.0)  # an empty cluster parts no pair
    inverse = (split / whole).sum() / split.sum()  # mean of 1 / T over the pairs
    others = (counts - 2) / max(n - 2, 1.0)
    return float((counts * (counts - 1) * (2 * inverse + (1 - 2 * inverse) * others)).sum() / pairs)


def lowest_common_merges(dendrogram: Dendrogram, i: Ints, j: Ints) -> Ints:
    """Return for pairs of different items the merge (P,) that first brings them together.

    Raises:
        InputError: items that are not in the dendrogram, or a pair of an item with itself.
    """
    i, j = _pairs(dendrogram.items, i, j)
    row = row_of(dendrogram)
    a, b = row.places[i], row.places[j]
    return row.latest(np.minimum(a, b), np.maximum(a, b))


def _sums(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def _known(dendrogram: Dendrogram, labels: NDArray[np.integer], known: Bools | None) -> Bools:
    count = dendrogram.items
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(f"labels must be {count} whole numbers, one an item, got {labels.dtype} of {labels.shape}")
    if known is None:
        return np.ones(count, dtype=bool)
    known = np.asarray(known)
    if known.shape != (count,) or known.dtype != np.bool_:
        raise InputError(f"known must be {count} booleans, one an item, got {known.dtype} of shape {known.shape}")
    return known


def _weights(dendrogram: Dendrogram, weights: Floats | None) -> Floats:
    if weights is None:
        return np.ones((1, dendrogram.items))
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 2 or weights.shape[1] != dendrogram.items:
        raise InputError(f"expected a weight for each of {dendrogram.items} items, got shape {weights.shape[-1:]}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("weights must be finite numbers of at least 0")
    return weights


def _pairs(items: int, i: Ints, j: Ints) -> Pairs:
    if i.ndim != 1 or i.shape != j.shape or i.dtype.kind not in "iu" or j.dtype.kind not in "iu":
        raise InputError(f"pairs must be two equally long vectors of whole numbers, got {i.shape} and {j.shape}")
    if i.size and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= items or (i == j).any()):
        raise InputError(f"pairs must be of two different items, numbered 0 to {items - 1}")
    return i.astype(np.int64), j.astype(np.int64)
