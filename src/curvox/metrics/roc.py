"""The curves behind every detection metric: both error rates over all thresholds, and the same ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.sorted_trials import SortedTrials, area, sort_trials

_LOWEST_RATE = 1e-4


@dataclass(frozen=True, eq=False)
class RocPoints:
    """Vertices of a ROC curve, from "reject all" to "accept all".

    A trial is accepted when its score is at least the threshold. Thresholds fall strictly from +inf (nothing is
    accepted) to the lowest score (everything is accepted).

    Attributes:
        false_acceptance: (V,) share of non-target trials accepted, in [0, 1], rising from 0 to 1.
        false_rejection: (V,) share of target trials rejected, in [0, 1], falling from 1 to 0.
        threshold: (V,) the threshold of each vertex.
    """

    false_acceptance: NDArray[np.float64]
    false_rejection: NDArray[np.float64]
    threshold: NDArray[np.float64]


def roc_corners(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> RocPoints:
    """Return the vertices at which the ROC curve turns, and both ends.

    Equal scores make one step, so no order of the input can win by luck. Between two corners lie scores of one class
    only, on a straight line, so nothing is lost with them; the corners of millions of trials are few. The arguments
    and what is refused are those of ``equal_error_rate``.
    """
    return corners_of_sorted(sort_trials(scores, labels, weights))


def corners_of_sorted(trials: SortedTrials) -> RocPoints:
    """Return the ROC corners of sorted trials, as ``roc_corners`` gives them."""
    corners = trials.corners()
    return RocPoints(
        false_acceptance=corners.false_acceptance[::-1],
        false_rejection=corners.false_rejection[::-1],
        threshold=trials.thresholds(trials.targets.corners[::-1], trials.non_targets.corners[::-1]),
    )


def auc(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the area under the ROC curve: how often a target scores above a non-target; ties count half.

    It is in [0, 1], 0.5 for scores that know nothing, and equals the Mann-Whitney statistic. The arguments and what is
    refused are those of ``equal_error_rate``.
    """
    return area(sort_trials(scores, labels, weights).corners())


@dataclass(frozen=True)
class DetCurve:
    """The vertices of a detection error trade-off curve worth drawing, from "reject all" to "accept all".

    Both error rates are drawn on axes warped by the normal quantile (Martin et al., "The DET curve in assessment of
    detection task performance", Eurospeech 1997).

    Attributes:
        false_acceptance: rates in [0, 1], rising from 0 to 1.
        false_rejection: rates in [0, 1], falling from 1 to 0.
    """

    false_acceptance: tuple[float, ...]
    false_rejection: tuple[float, ...]

    def deviates(self, lowest_rate: float = _LOWEST_RATE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both rates as normal deviates, false acceptance first, kept within the edges of a drawing.

        Args:
            lowest_rate: rates are limited to [lowest_rate, 1 - lowest_rate], for the deviates of 0 and 1 are infinite.
        """
        if not 0 < lowest_rate < 0.5:
            raise InputError(f"lowest_rate must lie strictly between 0 and 0.5, got {lowest_rate}")
        first, second = (
            probit(np.clip(rates, lowest_rate, 1 - lowest_rate))
            for rates in (self.false_acceptance, self.false_rejection)
        )
        return first, second


def det_curve(roc: RocPoints, max_points: int = 500) -> DetCurve:
    """Return at most ``max_points`` vertices of a ROC curve, chosen so that a DET plot of them looks the same.

    The way along the curve, in normal deviates between rates of 1e-4 and 1 - 1e-4, is cut into ``max_points // 2``
    equal pieces and the first and last vertex of every piece are kept. A vertex left out lies in the rectangle between
    two kept ones, less than a piece wide and high together (0.06 deviates for 500 points).
    """
    if max_points < 4:
        raise InputError(f"max_points must be at least 4, got {max_points}")
    way = _rough_probit(roc.false_acceptance) - _rough_probit(roc.false_rejection)
    # The approximation is good to 5e-4 and may step back by as much.
    way = np.maximum.accumulate(way)
    pieces = max_points // 2
    piece = np.minimum((way - way[0]) / (way[-1] - way[0]) * pieces, pieces - 1).astype(np.intp)
    changes = piece[1:] != piece[:-1]
    kept = np.append(True, changes) | np.append(changes, True)
    return DetCurve(
        false_acceptance=tuple(roc.false_acceptance[kept].tolist()),
        false_rejection=tuple(roc.false_rejection[kept].tolist()),
    )


def probit(rate: ArrayLike) -> NDArray[np.float64]:
    """Return the normal deviate of every rate, e.g. for the ticks of a DET plot; rates strictly between 0 and 1."""
    array = np.asarray(rate, dtype=np.float64)
    if not ((array > 0) & (array < 1)).all():
        raise InputError("rates must lie strictly between 0 and 1: the normal deviate of 0 and of 1 is infinite")
    inverse = NormalDist().inv_cdf
    return np.array([inverse(value) for value in array.ravel().tolist()]).reshape(array.shape)


def _rough_probit(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    # Abramowitz & Stegun 26.2.23, absolute error below 4.5e-4; millions of vertices pass here.
    t = np.sqrt(-2 * np.log(np.clip(np.minimum(rate, 1 - rate), _LOWEST_RATE, None)))
    numerator = 2.515517 + t * (0.802853 + t * 0.010328)
    denominator = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    return np.sign(rate - 0.5) * (t - numerator / denominator)
