"""Trials sorted once, so that their error rates under other speaker weights cost no further sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_speakers, check_trials
from curvox.metrics.roc import last_of_each_tie

# Trials are gathered in pieces of about this many weights (float64), to stay within the processor's cache.
_GATHERED_WEIGHTS = 1 << 17


@dataclass(frozen=True, eq=False)
class _Side:
    """The trials of one class, from the highest score to the lowest."""

    enrolment: NDArray[np.intp]
    test: NDArray[np.intp] | None
    starts: NDArray[np.intp]
    runs: NDArray[np.intp]

    def weight_per_run(self, multiplicities: NDArray[np.float64], runs: int) -> NDArray[np.float64]:
        """Return (runs, B): the summed weight of this class's trials in every run."""
        total = np.zeros((runs, multiplicities.shape[1]))
        rows = max(1, _GATHERED_WEIGHTS // multiplicities.shape[1])
        for first in range(0, self.enrolment.size, rows):
            last = min(first + rows, self.enrolment.size)
            weights = multiplicities[self.enrolment[first:last]]
            if self.test is not None:
                weights *= multiplicities[self.test[first:last]]
            # The run under way at `first` began earlier; its part in this piece is added to it.
            from_run = int(np.searchsorted(self.starts, first, side="right")) - 1
            to_run = int(np.searchsorted(self.starts, last, side="left"))
            starts = np.maximum(self.starts[from_run:to_run] - first, 0)
            total[self.runs[from_run:to_run]] += np.add.reduceat(weights, starts, axis=0)
        return total


@dataclass(frozen=True, eq=False)
class SortedTrials:
    """Trials sorted by score and cut into runs, whose error rates can be had for any speaker multiplicities.

    A run is a group of tied scores, or several neighbouring groups of one class only. The vertices inside a run lie on
    a straight part of the ROC curve whatever the weights are, so the ends of the runs carry the whole curve.

    Attributes:
        speakers: how many speakers the trials name; a multiplicity is wanted for each.
        runs: how many runs there are.
    """

    speakers: int
    runs: int
    _targets: _Side
    _non_targets: _Side

    def error_rates(
        self, multiplicities: NDArray[np.integer] | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the ROC corners under every column of multiplicities.

        Args:
            multiplicities: (S, B) how often each speaker (in the order of the sorted names) occurs, at least 0. A
                target trial of speaker s weighs n_s, a non-target trial of s and t weighs n_s · n_t.

        Returns:
            False acceptance (runs + 1, B), false rejection (runs + 1, B), and (B,) whether the column has both
            targets and non-targets; the rates of a column that has not are meaningless.
        """
        multiplicities = np.ascontiguousarray(multiplicities, dtype=np.float64)
        targets = np.cumsum(self._targets.weight_per_run(multiplicities, self.runs), axis=0)
        non_targets = np.cumsum(self._non_targets.weight_per_run(multiplicities, self.runs), axis=0)
        usable = (targets[-1] > 0) & (non_targets[-1] > 0)
        rejected = targets[-1] - targets
        rejected /= np.where(usable, targets[-1], 1.0)
        non_targets /= np.where(usable, non_targets[-1], 1.0)
        columns = multiplicities.shape[1]
        return (
            np.concatenate((np.zeros((1, columns)), non_targets)),
            np.concatenate((np.ones((1, columns)), rejected)),
            usable,
        )


def sort_trials(
    scores: ArrayLike, labels: ArrayLike, *, enrolment_speakers: ArrayLike, test_speakers: ArrayLike
) -> SortedTrials:
    """Sort trials once for any number of resamples.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (N,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (N,) likewise of the test side.

    Raises:
        InputError: what ``roc_points`` refuses, and labels that contradict the speakers.
    """
    scores_, labels_, _ = check_trials(scores, labels)
    enrolment, test, speakers = check_speakers(labels_, enrolment_speakers, test_speakers)
    order = np.argsort(scores_)[::-1]
    labels_ = labels_[order]
    run = _run_of_each(scores_[order], labels_)
    sides = []
    for of_class in (labels_, ~labels_):
        runs, starts = np.unique(run[of_class], return_index=True)
        trials = order[of_class]
        second = test[trials] if of_class is not labels_ else None
        sides.append(_Side(enrolment=enrolment[trials], test=second, starts=starts, runs=runs))
    return SortedTrials(speakers=speakers, runs=int(run[-1]) + 1, _targets=sides[0], _non_targets=sides[1])


def _run_of_each(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return (N,) the number of the run each trial, sorted by score, belongs to."""
    last = last_of_each_tie(scores)
    size = np.diff(last, prepend=-1)
    targets = np.diff(np.cumsum(labels)[last], prepend=0)
    pure = (targets == 0) | (targets == size)
    is_target = targets > 0
    joins_previous = pure[1:] & pure[:-1] & (is_target[1:] == is_target[:-1])
    run_of_tie = np.concatenate(([0], np.cumsum(~joins_previous)))
    return np.repeat(run_of_tie, size)
