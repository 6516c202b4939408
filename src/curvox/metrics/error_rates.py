"""The equal error rate, and one error rate at a given value of the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_rate
from curvox.metrics.intervals import Interval
from curvox.metrics.sorted_trials import (
    SortedTrials,
    equal_error_value,
    hull_of,
    last_before_crossing,
    sort_trials,
)


@dataclass(frozen=True)
class Eer:
    """An equal error rate.

    Attributes:
        value: the rate as a fraction in [0, 1]; 0.5 is chance.
        threshold: the score whose two error rates lie nearest to the crossing: accept scores of at least this.
        interval: of the rate, by bootstrap over speakers; None without resamples.
    """

    value: float
    threshold: float
    interval: Interval | None = None


def equal_error_rate(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Eer:
    """Return the rate at which false acceptances and false rejections are equally frequent.

    The two rates are taken at every distinct score (ties together) and joined by straight lines, as if a score on the
    border were decided by a coin; the value is where the lines cross. A model that gives every trial the same score
    has exactly 0.5, never 0, and reversed scores have one minus the value.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        weights: (N,) how much each trial counts, at least 0; a whole number equals that many repetitions. 1 if None.

    Raises:
        InputError: empty input, lengths that differ, NaN or infinite scores, other labels, one class only (also when
            the weights leave only one).
    """
    return eer_of_sorted(sort_trials(scores, labels, weights))


def eer_of_hull(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the equal error rate on the convex hull of the ROC curve, in [0, 0.5].

    On the hull a decision may be made by a coin between two thresholds; its EER is the largest minimum cost that any
    prior can bring about (Brümmer & de Villiers, "The BOSARIS toolkit", 2011, arXiv:1304.2865). It is never above the
    plain EER, and reversed scores have 0.5.

    The arguments and what is refused are those of ``equal_error_rate``.
    """
    return equal_error_value(hull_of(sort_trials(scores, labels, weights).corners()))


def eer_of_sorted(trials: SortedTrials) -> Eer:
    """Return the equal error rate of sorted trials, as ``equal_error_rate`` gives it."""
    corners = trials.corners()
    before = last_before_crossing(corners.false_rejection, corners.false_acceptance)
    # The nearest threshold may lie inside the straight part between the corners.
    targets, non_targets = (side.corners[before : before + 2] for side in trials.sides)
    if targets[0] == targets[1]:
        non_targets = _distinct(trials.non_targets.scores, *non_targets)
        targets = np.full(non_targets.size, targets[0])
    elif non_targets[0] == non_targets[1]:
        targets = _distinct(trials.targets.scores, *targets)
        non_targets = np.full(targets.size, non_targets[0])
    rejected = trials.targets.mass_below(targets) / corners.targets[-1]
    whole = corners.non_targets[-1]
    accepted = (whole - trials.non_targets.mass_below(non_targets)) / whole
    # Of two equally near take the lower threshold: the last of all, +inf, is no score.
    nearest = int(np.argmin(np.abs(rejected - accepted)))
    threshold = trials.thresholds(targets[nearest], non_targets[nearest])
    return Eer(value=equal_error_value(corners), threshold=float(threshold))


def _distinct(scores: NDArray[np.float64], first: np.intp, last: np.intp) -> NDArray[np.intp]:
    """Return the positions first … last of sorted scores that do not part a group of ties."""
    begins = np.flatnonzero(scores[first + 1 : last] != scores[first : last - 1]) + 1
    return first + np.concatenate(([0], begins, [last - first]))


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
    not be reached, and is never exceeded. ``far`` is the false acceptance rate to keep, in [0, 1); the other arguments
    and what is refused are those of ``equal_error_rate``.
    """
    return frr_at_far_of_sorted(sort_trials(scores, labels, weights), check_rate(far, "far"))


def far_at_frr(scores: ArrayLike, labels: ArrayLike, frr: float, weights: ArrayLike | None = None) -> RateAt:
    """Return the false acceptance rate at the highest threshold whose false rejection rate is at most ``frr``.

    The mirror image of ``frr_at_far``; ``frr`` is the false rejection rate to keep, in [0, 1).
    """
    return far_at_frr_of_sorted(sort_trials(scores, labels, weights), check_rate(frr, "frr"))


def frr_at_far_of_sorted(trials: SortedTrials, far: float) -> RateAt:
    """Return what ``frr_at_far`` gives, of sorted trials."""
    scores = trials.non_targets.scores
    rejected = bisect_left(range(scores.size), -far, key=lambda k: -trials.share_of_non_targets(k))
    if rejected == 0:
        targets = non_targets = 0
    else:
        # What is tied with the highest that is rejected goes with it.
        targets, non_targets = (
            int(np.searchsorted(side, scores[rejected - 1], side="right")) for side in (trials.targets.scores, scores)
        )
    threshold = float(trials.thresholds(targets, non_targets))
    return RateAt(rate=far, value=trials.share_of_targets(targets), threshold=threshold)


def far_at_frr_of_sorted(trials: SortedTrials, frr: float) -> RateAt:
    """Return what ``far_at_frr`` gives, of sorted trials."""
    rejected = bisect_right(range(trials.targets.scores.size), frr, key=trials.share_of_targets) - 1
    # The target at this position is accepted, and everything tied with it.
    threshold = float(trials.targets.scores[rejected])
    non_targets = int(np.searchsorted(trials.non_targets.scores, threshold))
    return RateAt(rate=frr, value=trials.share_of_non_targets(non_targets), threshold=threshold)
