"""The equal error rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.roc import RocPoints, roc_points


@dataclass(frozen=True)
class Eer:
    """An equal error rate.

    Attributes:
        value: the rate as a fraction in [0, 1]; 0.5 is chance.
        threshold: the score whose two error rates lie nearest to the crossing: accept scores of at least this.
    """

    value: float
    threshold: float


def equal_error_rate(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Eer:
    """Return the rate at which false acceptances and false rejections are equally frequent.

    The two rates are taken at every distinct score (ties together) and joined by straight lines, as if a score on the
    border were decided by a coin; the value is where the lines cross. A model that gives every trial the same score
    has exactly 0.5, never 0, and reversed scores have one minus the value.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        weights: (N,) how much each trial counts, at least 0; 1 if None.

    Raises:
        InputError: empty input, lengths that differ, NaN or infinite scores, other labels, one class only.
    """
    return eer_of_roc(roc_points(scores, labels, weights))


def eer_of_roc(roc: RocPoints) -> Eer:
    """Return the equal error rate of a ROC curve already at hand."""
    value = crossing(roc.false_acceptance[:, None], roc.false_rejection[:, None])[0]
    gap = np.abs(roc.false_rejection - roc.false_acceptance)
    # Of two vertices equally near take the lower threshold: the first one, +inf, is no score.
    nearest = gap.size - 1 - int(np.argmin(gap[::-1]))
    return Eer(value=float(value), threshold=float(roc.threshold[nearest]))


def crossing(false_acceptance: NDArray[np.float64], false_rejection: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (B,) the rate at which each column's two curves (V, B) meet, by linear interpolation between vertices.

    Each column rises from 0 to 1 in ``false_acceptance`` and falls from 1 to 0 in ``false_rejection``.
    """
    gap = false_rejection - false_acceptance
    after = np.argmax(gap <= 0, axis=0)
    column = np.arange(gap.shape[1])
    gap_before, gap_after = gap[after - 1, column], gap[after, column]
    rate_before, rate_after = false_acceptance[after - 1, column], false_acceptance[after, column]
    return rate_before + gap_before / (gap_before - gap_after) * (rate_after - rate_before)
