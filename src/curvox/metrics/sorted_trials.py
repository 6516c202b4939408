"""Trials sorted once, each class for itself: all that the figures need, for any weights, without another sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.corners import Corners, corner_positions
from curvox.metrics.inputs import check_trials


@dataclass(frozen=True, eq=False)
class SortedTrials:
    """Scores of both classes in rising order, and where the corners of their ROC curve are.

    A position k in the scores of a class stands for a threshold that rejects the first k of them.

    Attributes:
        targets: (T,) scores of the target trials, rising.
        non_targets: (N,) scores of the non-target trials, rising.
        target_mass: (T + 1,) the weight of the first k targets; None where every trial weighs 1 and it is k.
        non_target_mass: (N + 1,) likewise.
        target_trials: (T,) which of the trials given each one is; None if that was not asked for.
        non_target_trials: (N,) likewise.
        target_corners: (V,) position in ``targets`` of every corner, rising from 0 to T.
        non_target_corners: (V,) position in ``non_targets`` of the same, rising from 0 to N.
    """

    targets: NDArray[np.float64]
    non_targets: NDArray[np.float64]
    target_mass: NDArray[np.float64] | None
    non_target_mass: NDArray[np.float64] | None
    target_trials: NDArray[np.intp] | None
    non_target_trials: NDArray[np.intp] | None
    target_corners: NDArray[np.intp]
    non_target_corners: NDArray[np.intp]

    def corners(self) -> Corners:
        """Return the corners of the ROC curve under the trials' own weights."""
        return Corners(
            mass_below(self.target_mass, self.target_corners), mass_below(self.non_target_mass, self.non_target_corners)
        )

    def thresholds(self, target_positions: ArrayLike, non_target_positions: ArrayLike) -> NDArray[np.float64]:
        """Return the lowest score that is not rejected at pairs of positions (any one shape); +inf if all are."""
        lowest = np.full(np.shape(target_positions), np.inf)
        for scores, positions in ((self.targets, target_positions), (self.non_targets, non_target_positions)):
            at = np.asarray(positions)
            here = np.where(at < scores.size, scores[np.minimum(at, scores.size - 1)], np.inf)
            lowest = np.minimum(lowest, here)
        return lowest

    def share_of_targets(self, position: int) -> float:
        """Return the share of target trials below a position, in [0, 1]."""
        return _share_below(self.target_mass, self.targets.size, position)

    def share_of_non_targets(self, position: int) -> float:
        """Return the share of non-target trials at or above a position, in [0, 1]."""
        count, mass = self.non_targets.size, self.non_target_mass
        return (count - position) / count if mass is None else float((mass[-1] - mass[position]) / mass[-1])


def sort_trials(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> SortedTrials:
    """Check trials and sort them.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        weights: (N,) how much each trial counts, at least 0; 1 if None.

    Raises:
        InputError: what ``roc_points`` refuses.
    """
    return sort_checked(*check_trials(scores, labels, weights))


def sort_checked(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    *,
    keep_trials: bool = False,
) -> SortedTrials:
    """Sort trials that were checked; ``keep_trials`` remembers which trial each sorted score belongs to."""
    sides = []
    for of_class in (labels, ~labels):
        if weights is None and not keep_trials:
            # A plain sort of one class is several times quicker than an argsort of all.
            sides.append((np.sort(scores[of_class]), None, None))
            continue
        trials = np.flatnonzero(of_class if weights is None else of_class & (weights > 0))
        trials = trials[np.argsort(scores[trials], kind="stable")]
        mass = None if weights is None else np.concatenate(([0.0], np.cumsum(weights[trials])))
        sides.append((scores[trials], mass, trials))
    (targets, target_mass, target_trials), (non_targets, non_target_mass, non_target_trials) = sides
    target_corners, non_target_corners = corner_positions(targets, non_targets)
    return SortedTrials(
        targets=targets,
        non_targets=non_targets,
        target_mass=target_mass,
        non_target_mass=non_target_mass,
        target_trials=target_trials,
        non_target_trials=non_target_trials,
        target_corners=target_corners,
        non_target_corners=non_target_corners,
    )


def mass_below(mass: NDArray[np.float64] | None, positions: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the weight of the scores below positions (any one shape)."""
    return positions.astype(np.float64) if mass is None else mass[positions]


def _share_below(mass: NDArray[np.float64] | None, count: int, position: int) -> float:
    return position / count if mass is None else float(mass[position] / mass[-1])
