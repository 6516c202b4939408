"""The curve behind every detection metric: both error rates at every threshold, tied scores taken together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.corners import area
from curvox.metrics.inputs import check_trials
from curvox.metrics.sorted_trials import SortedTrials, sort_trials


@dataclass(frozen=True, eq=False)
class RocPoints:
    """The vertices of a ROC curve, from "reject all" to "accept all".

    A trial is accepted when its score is at least the threshold. Thresholds fall strictly from +inf (nothing is
    accepted) through every distinct score to the lowest one (everything is accepted), so there is one more vertex than
    distinct scores.

    Attributes:
        false_acceptance: (V,) share of non-target trials accepted, in [0, 1], rising from 0 to 1.
        false_rejection: (V,) share of target trials rejected, in [0, 1], falling from 1 to 0.
        threshold: (V,) the threshold of each vertex.
    """

    false_acceptance: NDArray[np.float64]
    false_rejection: NDArray[np.float64]
    threshold: NDArray[np.float64]


def roc_points(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> RocPoints:
    """Return the ROC vertices of trials; equal scores make one step, so no order of the input can win by luck.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        weights: (N,) how much each trial counts, at least 0; a whole number equals that many repetitions. 1 if None.

    Raises:
        InputError: empty input, lengths that differ, NaN or infinite scores, other labels, one class only.
    """
    scores_, labels_, weights_ = check_trials(scores, labels, weights)
    if weights_ is not None:
        counted = weights_ > 0
        scores_, labels_, weights_ = scores_[counted], labels_[counted], weights_[counted]
    order = np.argsort(scores_)[::-1]
    scores_, labels_ = scores_[order], labels_[order]
    last_of_tie = last_of_each_tie(scores_)
    if weights_ is None:
        targets = np.cumsum(labels_)[last_of_tie]
        non_targets = last_of_tie + 1 - targets
    else:
        weights_ = weights_[order]
        targets = np.cumsum(np.where(labels_, weights_, 0.0))[last_of_tie]
        non_targets = np.cumsum(np.where(labels_, 0.0, weights_))[last_of_tie]
    return RocPoints(
        false_acceptance=np.concatenate(([0.0], non_targets / non_targets[-1])),
        false_rejection=np.concatenate(([1.0], (targets[-1] - targets) / targets[-1])),
        threshold=np.concatenate(([np.inf], scores_[last_of_tie])),
    )


def roc_corners(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> RocPoints:
    """Return those vertices of ``roc_points`` at which the curve turns, and both ends.

    Between two of them lie scores of one class only, on a straight line; the two curves are the same drawn, and the
    corners of millions of trials are few. The arguments and what is refused are those of ``roc_points``.
    """
    return corners_of_sorted(sort_trials(scores, labels, weights))


def corners_of_sorted(trials: SortedTrials) -> RocPoints:
    """Return the ROC corners of sorted trials, as ``roc_corners`` gives them."""
    corners = trials.corners()
    return RocPoints(
        false_acceptance=corners.false_acceptance[::-1],
        false_rejection=corners.false_rejection[::-1],
        threshold=trials.thresholds(trials.target_corners[::-1], trials.non_target_corners[::-1]),
    )


def auc(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the area under the ROC curve: how often a target scores above a non-target; ties count half.

    It is in [0, 1], 0.5 for scores that know nothing, and equals the Mann-Whitney statistic. The arguments and what is
    refused are those of ``roc_points``.
    """
    return area(sort_trials(scores, labels, weights).corners())


def last_of_each_tie(sorted_scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the position of the last member of every group of equal scores in a sorted, non-empty vector."""
    return np.append(np.flatnonzero(sorted_scores[1:] != sorted_scores[:-1]), sorted_scores.size - 1)


def tied_share(scores: ArrayLike) -> float:
    """Return the share of scores, in [0, 1], that at least one other trial has exactly as well.

    A healthy model gives about 0; a collapsed one gives 1.
    """
    sorted_scores = np.sort(np.asarray(scores, dtype=np.float64))
    if sorted_scores.size == 0:
        return 0.0
    sizes = np.diff(last_of_each_tie(sorted_scores), prepend=-1)
    return float(sizes[sizes > 1].sum() / sorted_scores.size)
