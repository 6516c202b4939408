"""Mean average precision: are the nearest items of an item those of its own node?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.points import Bools, Floats, Ints, block_distances, checked_points, checked_weights

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
    own: Ints
    items: Ints
    there: Bools
    last: Ints | None


def orders(space: AbstractSpace, x: Floats, kept: Ints, asking: Ints, groups: Ints) -> Iterator[Order]:
    """Put those kept (K,) of some points (n, D) in order behind each query (Q,), block by block.

    Queries are among the kept; items of the query's own group (n,) are not ranked.
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


def _ends_of_ties(ordered: Floats) -> Ints | None:
    """The last rank (B, K) of the items at the same distance; None where every distance is another."""
    same = (ordered[:, 1:] == ordered[:, :-1]) & np.isfinite(ordered[:, 1:])
    if not same.any():
        return None
    n = ordered.shape[1]
    ends = np.where(np.concatenate([~same, np.ones((len(ordered), 1), dtype=bool)], axis=1), np.arange(n), n)
    return np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]


@dataclass(frozen=True, eq=False)
class AveragePrecisions:
    """The average precision of each query, and what every item does to their mean.

    Attributes:
        queries: (Q,) positions of the items that asked and had something to find.
        values: (Q,) their average precisions, in (0, 1].
        chance: (Q,) what a random order would have on average.
        pull: (n,) the derivative of the mean of ``values`` by the weight of each item among those that are ranked.
    """

    queries: Ints
    values: Floats
    chance: Floats
    pull: Floats


def average_precisions(
    space: AbstractSpace,
    points: Floats,
    labels: ArrayLike,
    *,
    known: ArrayLike | None = None,
    apart: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    queries: ArrayLike | None = None,
) -> AveragePrecisions:
    """Return the average precision of queries against all items, exactly, block by block.

    Each query ranks all others by their distance in the space; its average precision is the mean, over the items of its
    own label, of the share of that label among what is ranked no later. As a measure of embedded graphs: Nickel & Kiela
    2017 (Poincaré embeddings, arXiv:1705.08039), Sala et al. 2018.

    Items at the same distance are ranked together, so a space where all points are one has the share of the label.

    Args:
        space: where the points lie.
        points: (n, D).
        labels: (n,) whole numbers of at least 0.
        known: (n,) which items are asked and ranked; all if None.
        apart: (n,) whole numbers; items of the query's own group are left out of its ranking. With the speaker as
            group this asks whether *other* speakers of the same language lie near, which a space that knows
            speakers alone would otherwise seem to answer. The query itself is always left out.
        fixed: (n,) whole numbers; in ``pull`` items of the query's own group keep their weight. With the speaker as
            group a speaker that is drawn twice is two people, neither of whom sees the other's items as its own.
        weights: (n,) how often each item is ranked, at least 0; 1 if None.
        queries: (Q,) positions of the items that ask; all if None.

    Raises:
        InputError: arrays of other shapes.
    """
    x = checked_points(points)
    columns = _columns(len(x), labels, known, apart, fixed, weights)
    kept = np.flatnonzero(columns.known & (columns.weights > 0))
    asking = np.arange(len(x)) if queries is None else np.asarray(queries, dtype=np.int64)
    asking = asking[np.isin(asking, kept)]
    ranked = _Ranked(columns.labels[kept], columns.fixed[kept], columns.weights[kept])
    values, chance, pull = np.full(len(asking), np.nan), np.full(len(asking), np.nan), np.zeros(len(x))
    for order in orders(space, x, kept, asking, columns.groups):
        values[order.block], chance[order.block], pulled = _block(order, ranked)
        pull[kept] += pulled
    found = np.isfinite(values)
    return AveragePrecisions(asking[found], values[found], chance[found], pull / max(1, int(found.sum())))


def mean_precisions(
    space: AbstractSpace,
    points: Floats,
    labels: Ints,
    *,
    known: ArrayLike | None = None,
    apart: ArrayLike | None = None,
    queries: ArrayLike | None = None,
) -> Floats:
    """Return the mean average precision (K,) for each row of labels (K, n), NaN where queries have nothing to find.

    The items are put in order once for all rows. See `average_precisions` for the arguments.
    """
    x = checked_points(points)
    columns = _columns(len(x), labels[0], known, apart, None, None)
    kept = np.flatnonzero(columns.known)
    asking = np.arange(len(x)) if queries is None else np.asarray(queries, dtype=np.int64)
    asking = asking[columns.known[asking]]
    sums, counts = np.zeros(len(labels)), np.zeros(len(labels))
    for order in orders(space, x, kept, asking, columns.groups):
        for k, row in enumerate(labels[:, kept]):
            found = _unweighted(order, row)
            sums[k] += found.sum()
            counts[k] += len(found)
    return np.divide(sums, counts, out=np.full(len(labels), np.nan), where=counts > 0)


def chance_of_random_order(relevant: ArrayLike, ranked: ArrayLike) -> Floats:
    """Return the average precision that a random order has on average.

    With R of N items to find, ``(H + (R - 1) / (N - 1) (N - H)) / N`` where H is the N-th harmonic number: the item at
    rank k is one of them with the probability R / N, and each before it then with (R - 1) / (N - 1).

    Args:
        relevant: R, at least 1.
        ranked: N, at least R.
    """
    from scipy.special import digamma  # slow to import

    r, n = np.asarray(relevant, dtype=np.float64), np.asarray(ranked, dtype=np.float64)
    harmonic = digamma(n + 1) + np.euler_gamma
    return (harmonic + (r - 1) / np.maximum(n - 1, 1) * (n - harmonic)) / n


@dataclass(frozen=True, eq=False)
class _Columns:
    labels: Ints
    groups: Ints
    fixed: Ints
    weights: Floats
    known: Bools


@dataclass(frozen=True, eq=False)
class _Ranked:
    labels: Ints
    fixed: Ints
    weights: Floats


def _columns(
    n: int,
    labels: ArrayLike,
    known: ArrayLike | None,
    apart: ArrayLike | None,
    fixed: ArrayLike | None,
    weights: ArrayLike | None,
) -> _Columns:
    made = _Columns(
        labels=np.asarray(labels, dtype=np.int64),
        # Without groups every item is its own, which leaves out the query alone.
        groups=np.arange(n) if apart is None else np.asarray(apart, dtype=np.int64),
        fixed=np.arange(n) if fixed is None else np.asarray(fixed, dtype=np.int64),
        weights=checked_weights(None if weights is None else np.asarray(weights), n),
        known=np.ones(n, dtype=bool) if known is None else np.asarray(known, dtype=bool),
    )
    for name in ("labels", "groups", "fixed", "known"):
        if getattr(made, name).shape != (n,):
            raise InputError(f"{name} must be ({n},), got {getattr(made, name).shape}")
    return made


def _unweighted(order: Order, labels: Ints) -> Floats:
    """The average precisions of the queries that have something to find."""
    relevant = (labels[order.items] == labels[order.own][:, None]) & order.there
    found, total = np.cumsum(relevant, axis=1), np.arange(1, relevant.shape[1] + 1)[None]
    whole = found[:, -1]
    if order.last is not None:
        found, total = np.take_along_axis(found, order.last, axis=1), order.last + 1
    sums = np.where(relevant, found / total, 0.0).sum(axis=1)
    return sums[whole > 0] / whole[whole > 0]


def _block(order: Order, ranked: _Ranked) -> tuple[Floats, Floats, Floats]:
    """Average precisions (B,), their chance (B,), and the sum of their derivatives by the weights (n,).

    With w the weights in rank order, R and C the running sums of those to find and of all, and S the whole of R, the
    average precision is ``sum of w_r R_r / C_r over those to find / S``.
    """
    items, own, last = order.items, order.own, order.last
    w = np.where(order.there, ranked.weights[items], 0.0)
    relevant = (ranked.labels[items] == ranked.labels[own][:, None]) & (w > 0)
    hits = np.where(relevant, w, 0.0)
    total, found = np.cumsum(w, axis=1), np.cumsum(hits, axis=1)
    if last is not None:
        total, found = np.take_along_axis(total, last, axis=1), np.take_along_axis(found, last, axis=1)
    whole = found[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(total > 0, found / total, 0.0)
        values = np.where(whole > 0, (hits * precision).sum(axis=1) / whole, np.nan)
        counts = relevant.sum(axis=1), (w > 0).sum(axis=1)
        chance = np.where(whole > 0, chance_of_random_order(*counts), np.nan)
        pull = _pull(hits, relevant, precision, total, values, whole, last)
    free = (w > 0) & (ranked.fixed[items] != ranked.fixed[own][:, None])
    pulled = np.bincount(items.ravel(), np.where(free, pull, 0.0).ravel(), minlength=len(ranked.labels))
    return values, chance, pulled.astype(np.float64)


def _pull(
    hits: Floats, relevant: Bools, precision: Floats, total: Floats, values: Floats, whole: Floats, last: Ints | None
) -> Floats:
    """The derivative of each average precision by the weight at each rank (B, n); 0 where nothing is to be found."""
    each = np.where(total > 0, hits / total, 0.0)
    if last is not None:  # what is ranked together counts at the end of its tie
        each, loss = _at_ends(each, last), _at_ends(each * precision, last)
    else:
        loss = each * precision
    later, lost = (np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (each, loss))
    if last is not None:
        # Everything in a tie sees the whole tie, from its first rank on.
        later, lost = np.take_along_axis(later, last, axis=1), np.take_along_axis(lost, last, axis=1)
    gain = np.where(relevant, precision - values[:, None] + later, 0.0)
    return np.where(whole[:, None] > 0, (gain - lost) / whole[:, None], 0.0)


def _at_ends(part: Floats, last: Ints) -> Floats:
    moved = np.zeros_like(part)
    np.add.at(moved, (np.arange(len(part))[:, None], last), part)
    return moved
