"""From a measure on draws of speakers to its interval, and the weights of pairs in such a draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvox.metrics import Interval

Scale = Callable[[Any], NDArray[np.float64]]
IntervalLike = Callable[[float, NDArray[np.float64], int], Interval | None]
"""From an estimate, its values in draws (R,) and the number of speakers behind it to an interval."""

_LEVEL = 0.95
_ALMOST_ONE = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class SpeakerPairs:
    """Which two speakers each of P pairs of items is of: Q different ones, in whose numbers all is counted.

    Attributes:
        first: (Q,) speaker.
        second: (Q,) speaker.
        place: (P,) which of the Q each pair of items is.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    place: NDArray[np.int64]

    @staticmethod
    def of(a: NDArray[np.int64], b: NDArray[np.int64]) -> SpeakerPairs:
        """Number the pairs of items of speakers a (P,) and b (P,)."""
        low, high = np.minimum(a, b), np.maximum(a, b)
        width = int(high.max(initial=0)) + 1
        found, place = np.unique(low * width + high, return_inverse=True)
        return SpeakerPairs(found // width, found % width, place.ravel())

    @property
    def speakers(self) -> NDArray[np.int64]:
        """The speakers (K,) that have a part in a pair."""
        return np.union1d(self.first, self.second)

    def multiplicities(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much the pairs of each two speakers (Q,) weigh in a draw (S,).

        A pair of two speakers weighs the product of their multiplicities, a pair of one speaker its multiplicity: a
        speaker drawn twice stands for two people. That is how `curvox.metrics.bootstrap_speakers` weighs trials.
        """
        return np.where(self.first == self.second, drawn[self.first], drawn[self.first] * drawn[self.second])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums (Q,) of values of pairs of items (P,)."""
        return np.bincount(self.place, values, minlength=len(self.first)).astype(np.float64)


def rate_like(estimate: float, values: NDArray[np.float64], speakers: int) -> Interval | None:
    """Return the interval of a measure in [0, 1] from those of draws of speakers; None with fewer than 2 of either.

    The standard deviation of the replicates on the scale arcsin(sqrt(measure)), times Student's quantile for one degree
    of freedom less than there are speakers behind the estimate, is laid off on both sides of it (Hesterberg 2015, The
    American Statistician 69). The replicates' own middle is not used: among drawn speakers some are missing, so that
    those left are told apart more easily than all are.
    """
    return _interval(estimate, values, speakers, _angle, _rate)


def correlation_like(estimate: float, values: NDArray[np.float64], speakers: int) -> Interval | None:
    """Return the interval of a measure in [-1, 1], likewise on the scale artanh(measure) (Fisher 1921)."""
    return _interval(estimate, values, speakers, lambda r: np.arctanh(np.clip(r, -_ALMOST_ONE, _ALMOST_ONE)), np.tanh)


def ratio_like(estimate: float, values: NDArray[np.float64], speakers: int) -> Interval | None:
    """Return the interval of a measure of at least 0, likewise on the scale log(measure)."""
    return _interval(estimate, values, speakers, lambda a: np.log(np.maximum(a, np.finfo(np.float64).tiny)), np.exp)


def jackknife_interval(estimate: float, values: NDArray[np.float64], speakers: int | None = None) -> Interval | None:
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


def _interval(estimate: float, values: NDArray[np.float64], speakers: int, to: Scale, back: Scale) -> Interval | None:
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


def _rate(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(np.clip(angle, 0, np.pi / 2)) ** 2


def _angle(rate: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.arcsin(np.sqrt(np.clip(rate, 0, 1)))
