"""What every measure of a tree starts from and ends in: the tree in its space, the number, its interval.

`Setting` holds the points, where they hang, whose they are, and the sampled pairs; `Measure` and `TreeMeasures` are the
results, to JSON and back; between them stand the intervals, from a measure on draws of speakers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.points import Bools, Floats, Ints, checked_points, pair_distances, sample_pairs
from curvox.metrics import Interval, resample_speakers, speaker_draws
from curvox.records import from_plain, to_plain

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Measure:
    """One number about the tree in a space.

    Attributes:
        key: what it is, such as "purity".
        title: the same for readers.
        value: the number; None where there is none, with the reason in ``why_none``.
        level: the level of the tree it is about; None for the whole tree.
        interval: 95 %, by bootstrap over the speakers behind it unless ``note`` says otherwise.
        chance: what shuffled labels give; None where that has no meaning.
        better: which way a space holds the tree better; None where it can be wanted either way.
        pairs: how many pairs, or items, stand behind it.
        why_none: why there is no value.
        note: how it was taken, and with which error.

    Raises:
        InputError: numbers that are not finite, or a value and a reason for none, or neither.
    """

    key: str
    title: str
    value: float | None
    level: str | None
    interval: Interval | None
    chance: float | None
    better: Better | None
    pairs: int
    why_none: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "chance"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise InputError(f"the {name} of the measure {self.key} must be finite or None, got {number}")
        if (self.value is None) != (self.why_none is not None):
            raise InputError(f"the measure {self.key} needs a value, or a reason why there is none, and not both")
        if self.better is not None and self.better not in get_args(Better):
            raise InputError(f"better is higher, lower or None, got {self.better!r}")


@dataclass(frozen=True)
class Kind:
    """What is measured: all of a `Measure` but what comes out."""

    key: str
    title: str
    level: str | None = None
    better: Better | None = None

    def none(self, why: str) -> Measure:
        """Return a measure without a value, and the reason."""
        return Measure(self.key, self.title, None, self.level, None, None, self.better, 0, why_none=why)

    def found(
        self, value: float, *, interval: Interval | None = None, chance: float | None = None, pairs: int, note: str
    ) -> Measure:
        """Return a measure with its value; see `Measure`."""
        return Measure(self.key, self.title, value, self.level, interval, chance, self.better, pairs, note=note)


@dataclass(frozen=True)
class TreeMeasures:
    """All that was measured of one tree in one space.

    Attributes:
        space: the name of the space.
        utterances: how many items.
        speakers: how many speakers they are of.
        levels: of the tree, from the root down.
        measures: the numbers.
        resamples: of the bootstrap over speakers.
        seed: of everything that was drawn.
        sampled_pairs: how many pairs of items stand for all; all of them where they are no more.
    """

    space: str
    utterances: int
    speakers: int
    levels: tuple[str, ...]
    measures: tuple[Measure, ...]
    resamples: int
    seed: int
    sampled_pairs: int

    def measure(self, key: str, level: str | None = None) -> Measure | None:
        """Return the measure of this key and level, None where there is none."""
        return next((m for m in self.measures if (m.key, m.level) == (key, level)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return to_plain(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TreeMeasures:
        """Return what `to_dict` turned into plain values.

        Raises:
            InputError: keys or values that it does not give.
        """
        return from_plain(TreeMeasures, values, what="tree measures")


Scale = Callable[[Any], Floats]
IntervalLike = Callable[[float, Floats, int], Interval | None]
"""From an estimate, its values in draws (R,) and the number of speakers behind it to an interval."""

_LEVEL = 0.95
_ALMOST_ONE = 1 - 1e-12


def rate_like(estimate: float, values: Floats, speakers: int) -> Interval | None:
    """Return the interval of a measure in [0, 1] from those of draws of speakers; None with fewer than 2 of either.

    The standard deviation of the replicates on the scale arcsin(sqrt(measure)), times Student's quantile for one degree
    of freedom less than there are speakers behind the estimate, is laid off on both sides of it (Hesterberg 2015, The
    American Statistician 69). The replicates' own middle is not used: among drawn speakers some are missing, so that
    those left are told apart more easily than all are.
    """
    return _interval(estimate, values, speakers, _angle, _rate)


def correlation_like(estimate: float, values: Floats, speakers: int) -> Interval | None:
    """Return the interval of a measure in [-1, 1], likewise on the scale artanh(measure) (Fisher 1921)."""
    return _interval(estimate, values, speakers, lambda r: np.arctanh(np.clip(r, -_ALMOST_ONE, _ALMOST_ONE)), np.tanh)


def ratio_like(estimate: float, values: Floats, speakers: int) -> Interval | None:
    """Return the interval of a measure of at least 0, likewise on the scale log(measure)."""
    return _interval(estimate, values, speakers, lambda a: np.log(np.maximum(a, np.finfo(np.float64).tiny)), np.exp)


def jackknife_interval(estimate: float, values: Floats, speakers: int | None = None) -> Interval | None:
    """Return the interval of a measure in [0, 1] from its values when one of G groups of speakers is left out.

    The jackknife's standard error on the scale arcsin(sqrt(measure)), times Student's quantile for one degree of
    freedom less than there are groups, or speakers behind the estimate where these are fewer; Efron & Stein 1981 (The
    jackknife estimate of variance). None with fewer than 2 of either.
    """
    kept = values[np.isfinite(values)]
    behind = len(kept) if speakers is None else min(len(kept), speakers)
    if behind < 2:
        return None
    # As many times larger as leaving one group out changes less than drawing all anew does.
    stretched = (_angle(kept) - _angle(kept).mean()) * (len(kept) - 1) ** 0.5
    error = float(stretched.std()) * ((behind - 1) / behind) ** 0.5
    return _around(estimate, error, behind, _angle, _rate)


def _interval(estimate: float, values: Floats, speakers: int, to: Scale, back: Scale) -> Interval | None:
    if len(values) < 2 or speakers < 2:
        return None
    return _around(estimate, float(np.std(to(values))), speakers, to, back)


def _around(estimate: float, spread: float, speakers: int, to: Scale, back: Scale) -> Interval:
    from scipy.special import stdtrit  # slow to import

    # Draws of S speakers vary by (S - 1) / S less than speakers do.
    error = spread * (speakers / (speakers - 1)) ** 0.5
    reach = float(stdtrit(speakers - 1, (1 + _LEVEL) / 2)) * error
    middle = to(np.array(estimate))
    low, high = float(back(middle - reach)), float(back(middle + reach))
    return Interval(low=min(low, estimate), high=max(high, estimate), level=_LEVEL)


def _rate(angle: Floats) -> Floats:
    return np.sin(np.clip(angle, 0, np.pi / 2)) ** 2


def _angle(rate: Floats | float) -> Floats:
    return np.arcsin(np.sqrt(np.clip(rate, 0, 1)))


_MOST_GROUPS = 200
# A measure that most draws do not have is given up after so many draws for each value.
_MOST_REDRAWS = 20
ABOVE, SPEAKER, BELOW, ACROSS = "above", "speaker", "below", "across"


@dataclass(frozen=True, eq=False)
class Setting:
    """A tree in a space, ready to be measured.

    Attributes:
        space: where the points lie.
        points: (n, D).
        paths: where each hangs.
        speakers: (n,) numbered from 0.
        count: S, how many speakers.
        i: (P,) the one item of each sampled pair.
        j: (P,) the other.
        distances: (P,) of the pairs in the space.
        resamples: of the bootstrap.
        seed: of everything that is drawn.
    """

    space: AbstractSpace
    points: Floats
    paths: TreePaths
    speakers: Ints
    count: int
    i: Ints
    j: Ints
    distances: Floats
    resamples: int
    seed: int

    @staticmethod
    def of(
        space: AbstractSpace, points: Floats, paths: TreePaths, speakers: Ints, *, pairs: int, resamples: int, seed: int
    ) -> Setting:
        """Check what is given and draw the pairs: all of them where they are no more than ``pairs``.

        Raises:
            InputError: arrays that do not fit, fewer than 4 items or 2 speakers, or numbers out of range.
        """
        x, owners = checked_points(points, len(paths)), np.asarray(speakers)
        if owners.shape != (len(x),) or owners.dtype.kind not in "iu":
            raise InputError(f"speakers must be ({len(x)},) whole numbers, got {owners.dtype} {owners.shape}")
        if pairs < 1 or resamples < 0:
            raise InputError(f"expected at least 1 pair and 0 resamples, got {pairs} and {resamples}")
        names, owners = np.unique(owners, return_inverse=True)
        if len(x) < 4 or len(names) < 2:
            raise InputError(f"a tree is measured on at least 4 items of 2 speakers, got {len(x)} of {len(names)}")
        i, j = sample_pairs(len(x), pairs, np.random.default_rng(seed))
        distances = pair_distances(space, x, i, j)
        return Setting(space, x, paths, owners, len(names), i, j, distances, resamples, seed)

    def speakers_of(self, items: Bools) -> Ints:
        """Return the speakers (K,) of some items (n,)."""
        return np.unique(self.speakers[items])

    def draws(self, among: Ints) -> Iterator[Floats]:
        """Yield the multiplicities (S,) of every draw of some speakers (K,); those of others are 0."""
        for drawn in islice(speaker_draws(len(among), seed=self.seed), self.resamples):
            yield self._spread(among, drawn)

    def interval(
        self,
        like: IntervalLike,
        value: float,
        measure: Callable[[Floats], float],
        among: Ints,
        *,
        behind: int | None = None,
    ) -> Interval | None:
        """Return the interval of a value by bootstrap over the speakers behind it.

        Args:
            like: `rate_like`, `correlation_like` or `ratio_like`.
            value: the estimate.
            measure: from multiplicities (S,) to the value of a draw.
            among: (K,) the speakers whose items have a part in the value. Others are not drawn: they would not change
                it, and their number would make it seem better known than it is.
            behind: how many of them the value is a mean over, where some have a lesser part; K if None.
        """

        def of_draw(drawn: Ints) -> float | None:
            found = measure(self._spread(among, drawn))
            return found if np.isfinite(found) else None

        values, _ = resample_speakers(
            of_draw,
            speakers=len(among),
            resamples=self.resamples,
            seed=self.seed,
            most_draws=_MOST_REDRAWS * self.resamples,
        )
        return like(value, np.array(values), len(among) if behind is None else behind)

    def left_out(self, among: Ints) -> Floats:
        """Return weights (G, S) for a jackknife: each row leaves out one of some speakers (K,), or one of 200 groups of
        them where they are more. No rows where there are to be no intervals.
        """
        groups = min(len(among), _MOST_GROUPS) if self.resamples else 0
        group = np.full(self.count, -1)
        group[among] = np.random.default_rng(self.seed).permutation(len(among)) % max(groups, 1)
        return (group[None, :] != np.arange(groups)[:, None]).astype(np.float64)

    def _spread(self, among: Ints, drawn: Ints) -> Floats:
        weights = np.zeros(self.count)
        weights[among] = drawn
        return weights

    def standing(self, level: str) -> str:
        """Return how a level lies to the speakers, by its items that are known for certain.

        "above" where every speaker has one node and some share one; "speaker" where nodes are the speakers and no level
        above them is; "below" where every node is of one speaker; "across" where neither holds.
        """
        usable = self.paths.usable(level)
        column, owners = self.paths.nodes[usable, self.paths.place(level)], self.speakers[usable]
        pairs = len(np.unique(np.stack([column, owners], axis=1), axis=0))
        one_node, one_speaker = pairs == len(np.unique(owners)), pairs == len(np.unique(column))
        if one_node and one_speaker:
            earlier = (self.standing(name) for name in self.paths.levels[: self.paths.place(level)])
            return BELOW if SPEAKER in earlier else SPEAKER
        return ABOVE if one_node else BELOW if one_speaker else ACROSS
