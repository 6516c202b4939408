"""How well a dendrogram keeps the labels and the distances: purity, cophenetic distances, correlations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.distances import Pairs, checked_points, pair_distances
from curvox.hierarchy.linkage import Dendrogram
from curvox.hierarchy.paths import TreePaths

# A dendrogram laid out so that no branches cross: its items in a row, a merge in each gap between neighbours.
#
# The smallest cluster that holds two items is then the latest of the merges in the gaps between them.


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


# Weights of pairs at a time, in numbers.
_BLOCK_NUMBERS = 1 << 22


def purity(
    dendrogram: Dendrogram,
    labels: NDArray[np.integer],
    *,
    known: NDArray[np.bool_] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the dendrogram purity in (0, 1], exactly: over all pairs of items of one label, the mean share of that
    label in the smallest cluster that holds both.

    It is 1 where every label has a subtree of its own. Heller & Ghahramani 2005.

    Args:
        dendrogram: of n items.
        labels: (n,) whole numbers.
        known: (n,) where False, the item is left out, as if it were not in the tree.
        weights: (n,) how often each item counts, >= 0; a pair counts the product, an item makes no pair with itself.

    Raises:
        InputError: arrays that do not fit the dendrogram, or no two items of one label.
    """
    rows = None if weights is None else np.asarray(weights)[None]
    found = float(purities(dendrogram, labels, known=known, weights=rows)[0])
    if np.isnan(found):
        raise InputError("purity needs two items of one label, each of known label and positive weight; there are none")
    return found


def purities(
    dendrogram: Dendrogram,
    labels: NDArray[np.integer],
    *,
    known: NDArray[np.bool_] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return `purity` (R,) for each row of weights (R, n) at once, for resampling; NaN where no pair is left.

    Without weights there is one row, of ones. Linear in n for each row, after one pass over the tree.
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


def purity_of_chance(
    dendrogram: Dendrogram, labels: NDArray[np.integer], *, known: NDArray[np.bool_] | None = None
) -> float:
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


def lowest_common_merges(dendrogram: Dendrogram, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for pairs of different items the merge (P,) that first brings them together.

    Raises:
        InputError: items that are not in the dendrogram, or a pair of an item with itself.
    """
    i, j = _pairs(dendrogram.items, (i, j))
    row = row_of(dendrogram)
    a, b = row.places[i], row.places[j]
    return row.latest(np.minimum(a, b), np.maximum(a, b))


def cophenetic_distances(dendrogram: Dendrogram, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the heights (P,) of the smallest clusters that hold both items of each pair. Sokal & Rohlf 1962."""
    return dendrogram.heights[lowest_common_merges(dendrogram, i, j)]


def cophenetic_correlation(
    dendrogram: Dendrogram, space: AbstractSpace, points: NDArray[np.float64], pairs: Pairs
) -> float:
    """Return Pearson's correlation over pairs between cophenetic distances and distances in the space.

    The heights are taken as distances (`Dendrogram.distances`), so that both are in one unit. Sokal & Rohlf 1962.

    Raises:
        InputError: points or pairs that do not fit the dendrogram; nothing that varies.
    """
    i, j = _pairs(dendrogram.items, pairs)
    x = checked_points(points, dendrogram.items)
    distances = pair_distances(space, x, i, j)
    heights = dendrogram.distances[lowest_common_merges(dendrogram, i, j)]
    return _refuse_nan(_correlations(heights, distances, np.ones((1, len(i))))[0])


def tree_correlation(
    dendrogram: Dendrogram, paths: TreePaths, pairs: Pairs, weights: NDArray[np.float64] | None = None
) -> float:
    """Return Pearson's correlation over pairs between cophenetic distances and distances in the label tree.

    The heights are taken as distances of the space. Pairs whose distance in the label tree is not certain are left out
    (`TreePaths.certain`).

    Args:
        dendrogram: of n items.
        paths: of the same items in the label tree.
        pairs: (P,), (P,) items.
        weights: (n,) how often each item counts, >= 0; a pair counts the product.

    Raises:
        InputError: arrays that do not fit, no pair left, or nothing that varies.
    """
    rows = None if weights is None else np.asarray(weights)[None]
    return _refuse_nan(tree_correlations(dendrogram, paths, pairs, rows)[0])


def tree_correlations(
    dendrogram: Dendrogram, paths: TreePaths, pairs: Pairs, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return `tree_correlation` (R,) for each row of weights (R, n) at once; NaN where nothing varies."""
    if len(paths.nodes) != dendrogram.items:
        raise InputError(f"the label tree has {len(paths.nodes)} items, the dendrogram {dendrogram.items}")
    weights_ = _weights(dendrogram, weights)
    i, j = _pairs(dendrogram.items, pairs)
    certain = paths.certain(i, j)
    i, j = i[certain], j[certain]
    heights = dendrogram.distances[lowest_common_merges(dendrogram, i, j)]
    edges = np.asarray(paths.tree_distance(i, j), dtype=np.float64)
    rows = max(1, _BLOCK_NUMBERS // max(1, len(i)))
    found = [
        _correlations(heights, edges, block[:, i] * block[:, j])
        for block in (weights_[start : start + rows] for start in range(0, len(weights_), rows))
    ]
    return np.concatenate(found)


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values)])


def _correlations(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted correlations (R,) for weights (R, P), NaN where one of both does not vary."""
    if not len(x):
        return np.full(len(weights), np.nan)
    x, y = x - x.mean(), y - y.mean()
    total = np.maximum(weights.sum(1), np.finfo(np.float64).tiny)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    var_x, var_y = weights @ (x * x) / total - mean_x**2, weights @ (y * y) / total - mean_y**2
    varies = (var_x > 1e-12 * np.square(x).mean()) & (var_y > 1e-12 * np.square(y).mean())
    scale = np.sqrt(np.where(varies, var_x * var_y, 1.0))
    return np.where(varies, np.clip((weights @ (x * y) / total - mean_x * mean_y) / scale, -1.0, 1.0), np.nan)


def _refuse_nan(correlation: float) -> float:
    if np.isnan(correlation):
        raise InputError("a correlation needs pairs whose heights and distances differ; draw more pairs or items")
    return float(correlation)


def _known(dendrogram: Dendrogram, labels: NDArray[np.integer], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
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


def _weights(dendrogram: Dendrogram, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if weights is None:
        return np.ones((1, dendrogram.items))
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 2 or weights.shape[1] != dendrogram.items:
        raise InputError(f"expected a weight for each of {dendrogram.items} items, got shape {weights.shape[-1:]}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("weights must be finite numbers of at least 0")
    return weights


def _pairs(items: int, pairs: Pairs) -> Pairs:
    i, j = np.asarray(pairs[0]), np.asarray(pairs[1])
    if i.ndim != 1 or i.shape != j.shape or i.dtype.kind not in "iu" or j.dtype.kind not in "iu":
        raise InputError(f"pairs must be two equally long vectors of whole numbers, got {i.shape} and {j.shape}")
    if i.size and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= items or (i == j).any()):
        raise InputError(f"pairs must be of two different items, numbered 0 to {items - 1}")
    return i.astype(np.int64), j.astype(np.int64)
