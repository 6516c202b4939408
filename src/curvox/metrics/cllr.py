"""The cost of log-likelihood ratios over all priors and prior by prior, and the best ratios scores can be turned into.

Brümmer & du Preez, "Application-independent evaluation of speaker detection", Computer Speech and Language 20, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_trials
from curvox.metrics.sorted_trials import (
    SortedTrials,
    hull_of,
    hull_positions,
    lowest_bits,
    sort_checked,
    sort_trials,
)

_CHUNK = 1 << 13
_LOG_ODDS = np.linspace(-7, 7, 57)


def cllr(llrs: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the mean cost of log-likelihood ratios, in bits.

    Half the mean of log2(1 + exp(-llr)) over the targets and half that of log2(1 + exp(llr)) over the non-targets. 0 is
    perfect, ratios that are all 0 have 1, and badly calibrated ones more. The classes weigh the same whatever their
    numbers are. Ratios up to 1e300 do not overflow. ``llrs`` (N,) are natural-log likelihood ratios; the other
    arguments and what is refused are those of ``equal_error_rate``.
    """
    llrs_, labels_, weights_ = check_trials(llrs, labels, weights)
    sides = []
    for of_class, sign in ((labels_, -1), (~labels_, 1)):
        sides.append(_mean_bits(sign * llrs_[of_class], None if weights_ is None else weights_[of_class]))
    return (sides[0] + sides[1]) / 2


def min_cllr(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the lowest ``cllr``, in [0, 1] bits, that any never falling function of the scores gives these trials.

    That function is ``pav_llrs``; what ``cllr`` is above this is lost by calibration. The arguments and what is refused
    are those of ``equal_error_rate``: any scores do.
    """
    return lowest_bits(hull_of(sort_trials(scores, labels, weights).corners()))


def pav_llrs(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the best natural-log likelihood ratios (N,) of the trials' scores, by pool-adjacent-violators.

    They never fall with the score. Scores that pool together share the ratio of the shares of targets and of
    non-targets among them. They flatter, for they are fitted on the very trials they are given for. Scores below every
    target have -inf, scores above every non-target +inf. A trial of weight 0 has the ratio of the pool at or below its
    score. The arguments and what is refused are those of ``equal_error_rate``.
    """
    scores_, labels_, weights_ = check_trials(scores, labels, weights)
    trials = sort_checked(scores_, labels_, weights_)
    corners = trials.corners()
    kept = hull_positions(corners)
    hull = corners.at(kept)
    with np.errstate(divide="ignore"):
        ratio = np.log(np.diff(hull.targets) / hull.targets[-1])
        ratio -= np.log(np.diff(hull.non_targets) / hull.non_targets[-1])
    # Pools whose ratios are equal but for the rounding of the logarithms must not fall either.
    ratio = np.maximum.accumulate(ratio)
    lowest = trials.thresholds(*(side.corners[kept] for side in trials.sides))
    return ratio[np.clip(np.searchsorted(lowest, scores_, side="right") - 1, 0, ratio.size - 1)]


def cllr_of_sorted(trials: SortedTrials) -> float:
    """Return the Cllr of sorted trials, as ``cllr`` gives it but for rounding."""
    return (
        sum(
            _mean_bits(sign * side.scores, None if side.mass is None else np.diff(side.mass))
            for side, sign in zip(trials.sides, (-1, 1), strict=True)
        )
        / 2
    )


def bits(llrs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log2(1 + exp(llr)) of every ratio (N,): its cost for a non-target; that of -llr is that for a target."""
    costs = np.empty_like(llrs)
    for first in range(0, llrs.size, _CHUNK):
        part = llrs[first : first + _CHUNK]
        costs[first : first + _CHUNK] = np.maximum(part, 0) + np.log1p(np.exp(-np.abs(part)))
    return costs / np.log(2)


def _mean_bits(llrs: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    whole = llrs.size if weights is None else weights.sum()
    total = 0.0
    for first in range(0, llrs.size, _CHUNK):
        costs = bits(llrs[first : first + _CHUNK]) / whole
        total += float(costs.sum() if weights is None else costs @ weights[first : first + _CHUNK])
    return total


@dataclass(frozen=True)
class CalibrationCurve:
    """A normalised Bayes error-rate plot (Brümmer & de Villiers, "The BOSARIS toolkit", 2011, arXiv:1304.2865).

    Attributes:
        log_odds: (M,) natural logarithms of the odds of a target, rising; costs that differ shift them, for
            ``-bayes_threshold(point)`` stands for an operating point.
        normalised_dcf: (M,) the normalised detection cost of decisions at the Bayes threshold of each.
        min_dcf: (M,) the lowest normalised detection cost over all thresholds at the same.
    """

    log_odds: tuple[float, ...]
    normalised_dcf: tuple[float, ...]
    min_dcf: tuple[float, ...]


def calibration_curve(llrs: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> CalibrationCurve:
    """Return actual and lowest detection costs over priors from log-odds -7 to 7; arguments as for ``cllr``."""
    return calibration_of_sorted(sort_trials(llrs, labels, weights))


def calibration_of_sorted(trials: SortedTrials) -> CalibrationCurve:
    """Return the calibration curve of sorted trials."""
    corners = trials.corners()
    rejected, passed = (side.mass_below(np.searchsorted(side.scores, -_LOG_ODDS)) for side in trials.sides)
    whole = corners.non_targets[-1]
    actual = _costs(_LOG_ODDS, (whole - passed) / whole, rejected / corners.targets[-1])
    hull = hull_of(corners)
    lowest = _costs(_LOG_ODDS[:, None], hull.false_acceptance, hull.false_rejection).min(axis=1)
    return CalibrationCurve(
        log_odds=tuple(_LOG_ODDS.tolist()),
        normalised_dcf=tuple(actual.tolist()),
        min_dcf=tuple(np.minimum(lowest, actual).tolist()),
    )


def _costs(
    log_odds: NDArray[np.float64], false_acceptance: NDArray[np.float64], false_rejection: NDArray[np.float64]
) -> NDArray[np.float64]:
    p_target, p_other = 1 / (1 + np.exp(-log_odds)), 1 / (1 + np.exp(log_odds))
    rarer = np.minimum(p_target, p_other)
    return p_target / rarer * false_rejection + p_other / rarer * false_acceptance
