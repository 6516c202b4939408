"""Measures of a tree by its items two, or four, at a time: δ-hyperbolicity, distortion, what the dendrogram keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from curvox.hierarchy.dendrogram import lowest_common_merges
from curvox.hierarchy.depth import correlation
from curvox.hierarchy.hyperbolicity import SampledDelta, average_of_sorted, distortion, sampled_delta
from curvox.hierarchy.linkage import Dendrogram
from curvox.hierarchy.measures.setting import Kind, Measure, Setting, correlation_like, ratio_like
from curvox.hierarchy.points import Bools, Floats, Ints
from curvox.metrics import Interval

_SHUFFLES = 3
_DELTA = Kind("delta_relative", "δ-hyperbolicity over diameter", better="lower")
_AVERAGE = Kind("distortion", "Average distortion", better="lower")
_WORST = Kind("worst_distortion", "Worst-case distortion", better="lower")
_COPHENETIC = Kind("cophenetic", "Cophenetic correlation", better="higher")
_LABEL_TREE = Kind("tree_correlation", "Dendrogram and label tree", better="higher")


@dataclass(frozen=True, eq=False)
class SpeakerPairs:
    """Which two speakers each of P pairs of items is of: Q different ones, in whose numbers all is counted.

    Attributes:
        first: (Q,) speaker.
        second: (Q,) speaker.
        place: (P,) which of the Q each pair of items is.
    """

    first: Ints
    second: Ints
    place: Ints

    @staticmethod
    def of(a: Ints, b: Ints) -> SpeakerPairs:
        """Number the pairs of items of speakers a (P,) and b (P,)."""
        low, high = np.minimum(a, b), np.maximum(a, b)
        width = int(high.max(initial=0)) + 1
        found, place = np.unique(low * width + high, return_inverse=True)
        return SpeakerPairs(found // width, found % width, place.ravel())

    @property
    def speakers(self) -> Ints:
        """The speakers (K,) that have a part in a pair."""
        return np.union1d(self.first, self.second)

    def multiplicities(self, drawn: Floats) -> Floats:
        """Return how much the pairs of each two speakers (Q,) weigh in a draw (S,).

        A pair of two speakers weighs the product of their multiplicities, a pair of one speaker its multiplicity: a
        speaker drawn twice stands for two people. That is how `curvox.metrics.bootstrap_speakers` weighs trials.
        """
        return np.where(self.first == self.second, drawn[self.first], drawn[self.first] * drawn[self.second])

    def sums(self, values: Floats) -> Floats:
        """Return the sums (Q,) of values of pairs of items (P,)."""
        return np.bincount(self.place, values, minlength=len(self.first)).astype(np.float64)


def delta_measure(setting: Setting) -> Measure:
    """Return δ-hyperbolicity relative to the diameter: exact for few items, else with the interval of its sampling.

    It compares embeddings in one space. Between spaces it also compares their metrics: distances that bend down where
    they are long, as those of a ball do against the angle, have a lower δ of the very same points.
    """
    found = sampled_delta(setting.space, setting.points, seed=setting.seed)
    pairs = found.subsets * found.subset_size
    return _DELTA.found(found.relative, interval=found.interval, pairs=pairs, note=_how_delta(found))


def _how_delta(found: SampledDelta) -> str:
    if found.bases == found.subset_size:
        return f"2 δ / diameter of all {found.subset_size} items, exact"
    how = (
        f"mean of 2 δ_w / diameter of all {found.subset_size} items from {found.bases} random base points w, interval "
        "over their choice"
        if found.bases > 1
        else f"mean of 2 δ_w / diameter of {found.subsets} random subsets of {found.subset_size} items, interval over "
        "the choice of subsets"
    )
    return (
        f"{how}; δ of all items is at least {found.largest:.4g}, and with 95 % confidence no more than "
        f"{100 * found.exceeding_share:.2g} % of quadruples exceed {found.largest_of_quadruples:.4g}"
    )


def distortion_measures(setting: Setting) -> tuple[Measure, Measure]:
    """Return the average and the worst-case distortion of the tree, with those of items shuffled over leaves."""
    tree, certain = _tree_distances(setting, setting.i, setting.j)
    why = _why_no_distortion(setting, tree, certain)
    if why is not None:
        return _AVERAGE.none(why), _WORST.none(why)
    found = distortion(setting.distances[certain], tree[certain])
    shuffled = [
        distortion(setting.distances[sure], other[sure])
        for other, sure in _shuffled_trees(setting)
        if (other[sure] > 0).any()
    ]
    average = _AVERAGE.found(
        found.average,
        interval=_distortion_interval(setting, found.average, tree, certain),
        chance=_mean([other.average for other in shuffled]),
        pairs=found.pairs,
        note="mean of |s d - t| / t after the best scale s, over pairs of two leaves; chance of items shuffled",
    )
    if not math.isfinite(found.worst):
        return average, _WORST.none("items of two leaves coincide")
    return average, _WORST.found(
        found.worst,
        chance=_mean([other.worst for other in shuffled]),
        pairs=found.pairs,
        note="largest d / t over smallest, among the pairs taken; no less among all pairs",
    )


def _distortion_interval(setting: Setting, value: float, tree: Floats, certain: Bools) -> Interval | None:
    """Of the average distortion; the pairs are sorted once for all draws."""
    counted = np.flatnonzero(certain & (tree > 0))
    counted = counted[np.argsort(-setting.distances[counted] / tree[counted])]
    ratios = setting.distances[counted] / tree[counted]
    owners = SpeakerPairs.of(*(speakers[counted] for speakers in _owners(setting)))

    def of_draw(drawn: Floats) -> float:
        weights = owners.multiplicities(drawn)[owners.place]
        return average_of_sorted(ratios, weights)[0] if weights.any() else math.nan

    return setting.interval(ratio_like, value, of_draw, owners.speakers)


def dendrogram_measures(setting: Setting, dendrogram: Dendrogram) -> tuple[Measure, Measure]:
    """Return the cophenetic correlation and the correlation of the dendrogram with the label tree.

    The bootstrap over speakers weighs the pairs; the dendrogram stays that of all items.
    """
    heights = dendrogram.distances[lowest_common_merges(dendrogram, setting.i, setting.j)]
    tree, certain = _tree_distances(setting, setting.i, setting.j)
    shuffled = [_pearson(heights[sure], other[sure]) for other, sure in _shuffled_trees(setting)]
    return (
        _correlation_measure(
            setting,
            _COPHENETIC,
            (heights, setting.distances),
            np.ones(len(tree), dtype=bool),
            why="all pairs of items are equally far apart",
            note="Pearson's, of the heights of the dendrogram as distances and distances in the space",
        ),
        _correlation_measure(
            setting,
            _LABEL_TREE,
            (heights, tree),
            certain,
            chance=_mean(shuffled),
            why="no two pairs of items are known to differ in their tree distance",
            note="Pearson's, of the heights of the dendrogram as distances and distances in the label tree; chance by "
            "items shuffled over leaves",
        ),
    )


def _correlation_measure(
    setting: Setting,
    kind: Kind,
    sides: tuple[Floats, Floats],
    taken: Bools,
    *,
    chance: float | None = None,
    why: str,
    note: str,
) -> Measure:
    x, y = sides[0][taken], sides[1][taken]
    a, b = (owners[taken] for owners in _owners(setting))
    value = _pearson(x, y)
    if not math.isfinite(value):
        return kind.none(why)
    owners = SpeakerPairs.of(a, b)
    # About the means of all, so that little is lost in the sums.
    u, v = x - x.mean(), y - y.mean()
    moments = np.stack([owners.sums(part) for part in (np.ones(len(x)), u, v, u * u, v * v, u * v)])

    def of_draw(drawn: Floats) -> float:
        return _pearson_of_moments(moments @ owners.multiplicities(drawn))

    return kind.found(
        value,
        interval=setting.interval(correlation_like, value, of_draw, owners.speakers),
        chance=chance,
        pairs=len(x),
        note=f"{note}; in the bootstrap the dendrogram is held fixed",
    )


def _pearson(x: Floats, y: Floats) -> float:
    return correlation(x, y, np.ones(len(x))) if len(x) else math.nan


def _pearson_of_moments(moments: Floats) -> float:
    """Pearson's correlation from the weights' sum and those of x, y, x x, y y and x y (6,)."""
    if moments[0] <= 0:
        return math.nan
    _, x, y, xx, yy, xy = moments / moments[0]
    spread = (xx - x * x) * (yy - y * y)
    return float(np.clip((xy - x * y) / math.sqrt(spread), -1, 1)) if spread > 0 else math.nan


def _mean(values: list[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _tree_distances(setting: Setting, i: Ints, j: Ints) -> tuple[Floats, Bools]:
    return setting.paths.tree_distance(i, j).astype(np.float64), setting.paths.certain(i, j)


def _shuffled_trees(setting: Setting) -> list[tuple[Floats, Bools]]:
    rng = np.random.default_rng(setting.seed)
    orders = [rng.permutation(len(setting.points)) for _ in range(_SHUFFLES)]
    return [_tree_distances(setting, order[setting.i], order[setting.j]) for order in orders]


def _owners(setting: Setting) -> tuple[Ints, Ints]:
    return setting.speakers[setting.i], setting.speakers[setting.j]


def _why_no_distortion(setting: Setting, tree: Floats, certain: Bools) -> str | None:
    if not (tree[certain] > 0).any():
        return "no two items are known to hang at different leaves"
    return None if setting.distances[certain & (tree > 0)].any() else "all items coincide"
