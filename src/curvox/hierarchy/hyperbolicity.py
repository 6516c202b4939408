"""How like a tree a metric is: Gromov's δ by the four-point condition, exact and sampled, and its distortion.

Of four points, the three ways to pair them up give three sums of two distances. In a tree the two largest sums are
equal; δ is the largest that half of their difference becomes. It is 0 for a tree, log 2 for the hyperbolic plane of
curvature -1, and at most half of the diameter for any metric. Gromov 1987 (Hyperbolic groups); as a share of the
diameter, for embeddings, Khrulkov et al. 2020 (Hyperbolic image embeddings, arXiv:1904.02239).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.points import Floats, Ints, all_distances, checked_points, pair_distances
from curvox.metrics import Interval

MOST_EXACT = 200
"""Points whose δ is found exactly in a second or two; the work grows with their fourth power."""
_CONFIDENCE = 0.95
_BLOCK = 1 << 18


def four_point_delta(d: Floats) -> float:
    """Return δ over all quadruples of points at distances (n, n), in their unit.

    It is the largest `base_point_delta` over all base points, so the time grows with the fourth power of n: 200 points
    take a second or two.
    """
    # A quadruple is looked at from its first point alone: the points before the base are left out.
    return max(base_point_delta(d[base:, base:], 0) for base in range(len(d)))


def base_point_delta(d: Floats, base: int) -> float:
    """Return δ over the quadruples that hold one base point w: δ_w <= δ <= 2 δ_w.

    With the Gromov products ``A = (x|y)_w = (d(x, w) + d(y, w) - d(x, y)) / 2``, it is the largest entry of the
    (max, min) product of A with itself, less A (Fournier, Ismail & Vigneron 2015, arXiv:1210.3323). The time grows with
    the third power of n: 1,500 points take some seconds.

    Args:
        d: (n, n) distances, symmetric, 0 on the diagonal.
        base: the position of w.
    """
    products = 0.5 * (d[base][:, None] + d[base][None, :] - d)
    largest = 0.0
    # The product has n^3 terms, of which some rows at a time are there: as many as fill `_BLOCK` numbers, 2 MiB.
    # A block is done at once, over x in its rows, y in the middle and z.
    rows = max(1, _BLOCK // len(d) ** 2)
    for start in range(0, len(d), rows):
        own = products[start : start + rows]
        # (rows, n, n): over the middle point y, the lesser of (x|y) and (y|z).
        best = np.minimum(own[:, :, None], products[None, :, :]).max(axis=1)
        largest = max(largest, float((best - own).max()))
    return largest


@dataclass(frozen=True)
class SampledDelta:
    """δ of many points from some of them.

    Attributes:
        relative: 2 δ / diameter of all points where these are few; else the mean of 2 δ_w / diameter, over random base
            points w of all, or over random subsets, each with one of its points as w.
        interval: 95 % of that mean, over the choice of base points or subsets; None where δ is exact.
        subsets: how many; 1 where it is all points.
        subset_size: points in each.
        bases: base points of each; all of them where δ is exact.
        largest: the largest δ that was met anywhere, in the unit of the distances. The δ of all points is no less.
        diameter: the largest distance that was met anywhere.
        quadruples: random quadruples that were looked at beside that; 0 where δ is exact.
        largest_of_quadruples: the largest half difference among them; δ where it is exact.
        exceeding_share: with 95 % confidence no more than this share of all quadruples exceeds it.
    """

    relative: float
    interval: Interval | None
    subsets: int
    subset_size: int
    bases: int
    largest: float
    diameter: float
    quadruples: int
    largest_of_quadruples: float
    exceeding_share: float


def sampled_delta(
    space: AbstractSpace,
    points: Floats,
    *,
    subsets: int = 8,
    subset_size: int = 400,
    quadruples: int = 50_000,
    seed: int = 0,
) -> SampledDelta:
    """Return δ of points, exactly for up to 200 of them, else as far as a sample tells.

    δ_w of one base point hangs on which point that is, and may be half of δ. So where a subset would hold all points,
    but too many for the exact δ, base points are drawn instead of subsets, as many.

    What a sample shows is a lower bound of δ, and grows with the size of the subsets, so values are compared at the
    same size. How rare what it missed is follows from random quadruples: where N of them all lie at or below a value,
    no more than ``1 - 0.05^(1 / N)``, about 3 / N, of all quadruples lie above it, with 95 % confidence.

    Args:
        space: where the points lie.
        points: (n, D), n >= 4.
        subsets: how many random subsets, or base points of all.
        subset_size: points of each, at least 4.
        quadruples: how many random quadruples.
        seed: of the choice.

    Raises:
        InputError: too few points, or numbers out of range.
    """
    x = checked_points(points)
    if min(len(x), subset_size) < 4 or subsets < 1 or quadruples < 1:
        raise InputError(
            f"δ needs at least 4 points, subsets of at least 4, and at least one of each; got {len(x)} points, "
            f"{subsets} subsets of {subset_size}, {quadruples} quadruples"
        )
    whole = len(x) <= subset_size
    if whole and len(x) <= MOST_EXACT:
        return _exact(all_distances(space, x))
    rng = np.random.default_rng(seed)
    relative, largest, diameter = [], 0.0, 0.0
    for d, base in _samples(space, x, subsets, None if whole else subset_size, rng):
        delta, across = base_point_delta(d, base), float(d.max())
        relative.append(2 * delta / across if across > 0 else 0.0)
        largest, diameter = max(largest, delta), max(diameter, across)
    highest = _highest_of_quadruples(space, x, quadruples, rng)
    return SampledDelta(
        relative=float(np.mean(relative)),
        interval=None if subsets < 2 else _interval_of_mean(np.array(relative)),
        subsets=1 if whole else subsets,
        subset_size=min(len(x), subset_size),
        bases=subsets if whole else 1,
        largest=max(largest, highest),
        diameter=diameter,
        quadruples=quadruples,
        largest_of_quadruples=highest,
        exceeding_share=exceeding_share(quadruples),
    )


def _exact(d: Floats) -> SampledDelta:
    delta, across, n = four_point_delta(d), float(d.max()), len(d)
    return SampledDelta(
        relative=2 * delta / across if across > 0 else 0.0,
        interval=None,
        subsets=1,
        subset_size=n,
        bases=n,
        largest=delta,
        diameter=across,
        quadruples=0,
        largest_of_quadruples=delta,
        exceeding_share=0.0,
    )


def _samples(
    space: AbstractSpace, x: Floats, count: int, size: int | None, rng: np.random.Generator
) -> Iterator[tuple[Floats, int]]:
    """Yield distances and a base point: of a random subset its first, of all points, with no size, a random one."""
    if size is None:
        d = all_distances(space, x)
        yield from ((d, int(base)) for base in rng.integers(len(x), size=count))
        return
    for _ in range(count):
        yield all_distances(space, x[rng.choice(len(x), size, replace=False)]), 0


def exceeding_share(draws: int) -> float:
    """Return the share that no more of a population exceeds than this, with 95 % confidence, when N draws did not.

    ``1 - 0.05^(1 / N)``, which is about 3 / N: the rule of three.
    """
    return float(-np.expm1(np.log(1 - _CONFIDENCE) / draws))


def _highest_of_quadruples(space: AbstractSpace, x: Floats, quadruples: int, rng: np.random.Generator) -> float:
    highest = 0.0
    for start in range(0, quadruples, _BLOCK):
        count = min(_BLOCK, quadruples - start)
        a, b, c, e = _different(len(x), count, rng)
        sums = np.stack(
            [
                pair_distances(space, x, one, other) + pair_distances(space, x, third, fourth)
                for one, other, third, fourth in ((a, b, c, e), (a, c, b, e), (a, e, b, c))
            ]
        )
        sums.sort(axis=0)
        highest = max(highest, float((sums[2] - sums[1]).max()) / 2)
    return highest


def _different(n: int, count: int, rng: np.random.Generator) -> Ints:
    """Quadruples (4, count) of different positions, each as likely: those with a repeat are drawn again."""
    drawn = rng.integers(n, size=(4, count))
    while True:
        ordered = np.sort(drawn, axis=0)
        repeated = (ordered[1:] == ordered[:-1]).any(axis=0)
        if not repeated.any():
            return drawn
        drawn[:, repeated] = rng.integers(n, size=(4, int(repeated.sum())))


def _interval_of_mean(values: Floats) -> Interval:
    from scipy.special import stdtrit  # slow to import

    reach = float(stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2) * values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return Interval(low=max(mean - reach, 0.0), high=min(mean + reach, 1.0), level=_CONFIDENCE)


@dataclass(frozen=True)
class Distortion:
    """What remains between two metrics when one is scaled as well as can be.

    Attributes:
        average: the mean over pairs of ``|s d - t| / t``, at least 0; never above 1, what s = 0 would give.
        worst: the largest ``d / t`` over the smallest, at least 1; infinite where points of a pair coincide.
        scale: s, the one with the least average, in tree edges over the unit of the distances; 0 where most points
            coincide.
        pairs: pairs with ``t`` above 0, which alone are counted.
    """

    average: float
    worst: float
    scale: float
    pairs: int


def distortion(distances: Floats, tree_distances: Floats) -> Distortion:
    """Return the average and the worst-case distortion of an embedding of a tree.

    Average and worst case are those of Sala et al. 2018 (Representation tradeoffs for hyperbolic embeddings,
    arXiv:1804.03329). The unit of a space is no business of the tree's, so the average is taken after the scale s that
    makes it least: a weighted median, exactly. The worst case is the same for every scale.

    Args:
        distances: (P,) d of pairs of items in the space, at least 0.
        tree_distances: (P,) t of the same pairs in the tree, one at least above 0; pairs at 0 are left out, as they
            have no relative error.
    """
    counted = tree_distances > 0
    ratios = np.sort(distances[counted] / tree_distances[counted])[::-1]
    average, scale = average_of_sorted(ratios, np.ones(len(ratios)))
    smallest = float(ratios.min())
    return Distortion(
        average=average,
        worst=float(ratios.max()) / smallest if smallest > 0 else math.inf,
        scale=scale,
        pairs=int(counted.sum()),
    )


def average_of_sorted(ratios: Floats, weights: Floats) -> tuple[float, float]:
    """Return the average distortion and its scale s from ratios ``d / t`` (P,), largest first, and weights (P,).

    s has the least sum of ``w |s r - 1| = w r |s - 1 / r|``: it is a median of 1 / r with the weights w r.
    """
    below = np.cumsum(weights * ratios)
    scale = float(1 / ratios[np.searchsorted(below, below[-1] / 2)]) if below[-1] > 0 else 0.0
    return float(weights @ np.abs(scale * ratios - 1) / weights.sum()), scale
