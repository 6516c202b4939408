"""One error rate at a given value of the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from curvox.metrics.inputs import check_rate
from curvox.metrics.sorted_trials import SortedTrials, sort_trials


@dataclass(frozen=True)
class RateAt:
    """An error rate at a given value of the other.

    Attributes:
        rate: the given rate, which the threshold does not exceed, in [0, 1).
        value: the other rate, in [0, 1].
        threshold: accept scores of at least this; +inf where only rejecting everything keeps the given rate.
    """

    rate: float
    value: float
    threshold: float


def frr_at_far(scores: ArrayLike, labels: ArrayLike, far: float, weights: ArrayLike | None = None) -> RateAt:
    """Return the false rejection rate at the lowest threshold whose false acceptance rate is at most ``far``.

    Thresholds are scores of the trials; tied scores are accepted or rejected together, so the rate that is given may
    not be reached, and is never exceeded.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        far: the false acceptance rate to keep, in [0, 1).
        weights: (N,) how much each trial counts, at least 0; 1 if None.

    Raises:
        InputError: what ``roc_points`` refuses, or a rate outside [0, 1).
    """
    return frr_at_far_of_sorted(sort_trials(scores, labels, weights), check_rate(far, "far"))


def far_at_frr(scores: ArrayLike, labels: ArrayLike, frr: float, weights: ArrayLike | None = None) -> RateAt:
    """Return the false acceptance rate at the highest threshold whose false rejection rate is at most ``frr``.

    The mirror image of ``frr_at_far``; ``frr`` is the false rejection rate to keep, in [0, 1).
    """
    return far_at_frr_of_sorted(sort_trials(scores, labels, weights), check_rate(frr, "frr"))


def frr_at_far_of_sorted(trials: SortedTrials, far: float) -> RateAt:
    """Return what ``frr_at_far`` gives, of sorted trials."""
    scores = trials.non_targets
    rejected = bisect_left(range(scores.size), -far, key=lambda k: -trials.share_of_non_targets(k))
    if rejected == 0:
        targets = non_targets = 0
    else:
        # What is tied with the highest that is rejected goes with it.
        targets, non_targets = (
            int(np.searchsorted(side, scores[rejected - 1], side="right")) for side in (trials.targets, scores)
        )
    threshold = float(trials.thresholds(targets, non_targets))
    return RateAt(rate=far, value=trials.share_of_targets(targets), threshold=threshold)


def far_at_frr_of_sorted(trials: SortedTrials, frr: float) -> RateAt:
    """Return what ``far_at_frr`` gives, of sorted trials."""
    rejected = bisect_right(range(trials.targets.size), frr, key=trials.share_of_targets) - 1
    # The target at this position is accepted, and everything tied with it.
    threshold = float(trials.targets[rejected])
    non_targets = int(np.searchsorted(trials.non_targets, threshold))
    return RateAt(rate=frr, value=trials.share_of_non_targets(non_targets), threshold=threshold)
