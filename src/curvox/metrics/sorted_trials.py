"""The corners of a ROC curve and its convex hull, as weights of rejected trials.

Between neighbouring corners only targets or only non-targets are rejected, or a group of tied scores of both. The
vertices in between lie on a straight line whatever the trials weigh, so the corners carry the whole curve; of ten
million trials they are a small part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_trials


@dataclass(frozen=True, eq=False)
class Corners:
    """A ROC curve from "accept all" to "reject all", in order of rising thresholds.

    Attributes:
        targets: (V,) summed weight of the rejected targets, rising from 0 to that of all.
        non_targets: (V,) likewise of the non-targets.
    """

    targets: NDArray[np.float64]
    non_targets: NDArray[np.float64]

    @property
    def false_rejection(self) -> NDArray[np.float64]:
        """(V,) share of targets rejected, rising from 0 to 1."""
        return self.targets / self.targets[-1]

    @property
    def false_acceptance(self) -> NDArray[np.float64]:
        """(V,) share of non-targets accepted, falling from 1 to 0."""
        return (self.non_targets[-1] - self.non_targets) / self.non_targets[-1]

    def at(self, kept: NDArray[np.intp]) -> Corners:
        """Return some of the corners; the first and the last should be among them."""
        return Corners(self.targets[kept], self.non_targets[kept])


def corner_positions(
    targets: NDArray[np.float64], non_targets: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (V,) and (V,) how many of the sorted targets and non-targets lie below every corner, rising from 0."""
    if targets.size > non_targets.size:
        second, first = _positions(non_targets, targets)
        return first, second
    return _positions(targets, non_targets)


def _positions(few: NDArray[np.float64], many: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    below = np.searchsorted(many, few)
    tied = many[np.minimum(below, many.size - 1)] == few
    # Of the fewer, those between two neighbours of the many make one step, those tied with one of the many another.
    changes = np.flatnonzero((below[1:] != below[:-1]) | (tied[1:] != tied[:-1])) + 1
    start = np.concatenate(([0], changes))
    low = below[start]
    high = low.copy()
    tied = tied[start]
    high[tied] = np.searchsorted(many, few[start[tied]], side="right")
    first = np.stack((start, np.append(changes, few.size)), axis=1).ravel()
    second = np.stack((low, high), axis=1).ravel()
    return _without_straight_parts(np.concatenate(([0], first, [few.size])), np.concatenate(([0], second, [many.size])))


def _without_straight_parts(
    first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    moved = np.append(True, (np.diff(first) > 0) | (np.diff(second) > 0))
    first, second = first[moved], second[moved]
    straight = np.zeros(first.size, dtype=bool)
    for positions in (first, second):
        rests = np.diff(positions) == 0
        straight[1:-1] |= rests[1:] & rests[:-1]
    return first[~straight], second[~straight]


def hull_positions(corners: Corners) -> NDArray[np.intp]:
    """Return which corners are those of the ROC convex hull, by pool-adjacent-violators, rising.

    The blocks in which isotonic regression pools the share of targets are the segments of the hull (Fawcett &
    Niculescu-Mizil, "PAV and the ROC convex hull", Machine Learning 68, 2007).
    """
    from scipy.optimize import isotonic_regression  # slow to import

    targets, non_targets = np.diff(corners.targets), np.diff(corners.non_targets)
    weight = targets + non_targets
    steps = np.flatnonzero(weight > 0)
    if steps.size < weight.size:
        targets, weight = targets[steps], weight[steps]
    blocks = isotonic_regression(targets / weight, weights=weight).blocks
    # Block b begins with step blocks[b]; a step begins at the corner of its own number.
    return np.concatenate(([0], steps[blocks[1:-1]], [corners.targets.size - 1]))


def hull_of(corners: Corners) -> Corners:
    """Return the convex hull of a curve as a curve."""
    return corners.at(hull_positions(corners))


def equal_error_value(corners: Corners) -> float:
    """Return where the two error rates meet, by linear interpolation between the corners."""
    false_rejection, false_acceptance = corners.false_rejection, corners.false_acceptance
    before = last_before_crossing(false_rejection, false_acceptance)
    low, high = false_rejection[before], false_rejection[before + 1]
    gap_before = false_acceptance[before] - low
    gap_after = high - false_acceptance[before + 1]
    return float(low + gap_before / (gap_before + gap_after) * (high - low))


def last_before_crossing(false_rejection: NDArray[np.float64], false_acceptance: NDArray[np.float64]) -> int:
    """Return the last corner whose false acceptance rate is above its false rejection rate or equal to it."""
    return int(np.searchsorted(false_rejection - false_acceptance, 0, side="right")) - 1


def area(corners: Corners) -> float:
    """Return the area under the curve of accepted targets over accepted non-targets."""
    rejected = corners.targets[1:] + corners.targets[:-1]
    # A non-target in the step is above the targets rejected before it, and half of those in it.
    above = np.dot(np.diff(corners.non_targets), rejected) / 2
    return float(1 - above / (corners.targets[-1] * corners.non_targets[-1]))


def lowest_bits(hull: Corners) -> float:
    """Return the Cllr, in bits, of the ratios that the segments of a hull have."""
    targets = np.diff(hull.targets) / hull.targets[-1]
    non_targets = np.diff(hull.non_targets) / hull.non_targets[-1]
    both = targets + non_targets
    nats = _times_its_log(both) - _times_its_log(targets) - _times_its_log(non_targets)
    return float(min(max(nats.sum() / (2 * np.log(2)), 0.0), 1.0))


def rejection_at(corners: Corners, false_acceptance: float) -> float:
    """Return the false rejection rate at the lowest threshold that does not exceed a false acceptance rate."""
    # First corner, in rising order, whose rate is low enough.
    low_enough = int(np.searchsorted(-corners.false_acceptance, -false_acceptance))
    return float(corners.targets[low_enough] / corners.targets[-1])


def acceptance_at(corners: Corners, false_rejection: float) -> float:
    """Return the false acceptance rate at the highest threshold that does not exceed a false rejection rate."""
    low_enough = int(np.searchsorted(corners.false_rejection, false_rejection, side="right")) - 1
    whole = corners.non_targets[-1]
    return float((whole - corners.non_targets[low_enough]) / whole)


def _times_its_log(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share * np.log(np.where(share > 0, share, 1.0))


# Trials sorted once, each class for itself: all that the figures need, for any weights, without another sort.


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
