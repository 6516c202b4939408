"""How well log-likelihood ratios are calibrated, prior by prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.corners import hull_of
from curvox.metrics.sorted_trials import SortedTrials, mass_below, sort_trials

_LOG_ODDS = np.linspace(-7, 7, 57)


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
    """Return actual and lowest detection costs over priors from log-odds -7 to 7.

    Args:
        llrs: (N,) finite natural-log likelihood ratios, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        weights: (N,) how much each trial counts, at least 0; 1 if None.

    Raises:
        InputError: empty input, lengths that differ, NaN or infinite ratios, other labels, one class only.
    """
    return calibration_of_sorted(sort_trials(llrs, labels, weights))


def calibration_of_sorted(trials: SortedTrials) -> CalibrationCurve:
    """Return the calibration curve of sorted trials."""
    corners = trials.corners()
    rejected, passed = (
        mass_below(mass, np.searchsorted(llrs, -_LOG_ODDS))
        for llrs, mass in ((trials.targets, trials.target_mass), (trials.non_targets, trials.non_target_mass))
    )
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
