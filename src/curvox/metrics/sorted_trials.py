"""Trials sorted once, the corners of their ROC curve, and what the corners and their convex hull say.

Between neighbouring corners only targets or only non-targets are rejected, or a group of tied scores of both. The
vertices in between lie on a straight line whatever the trials weigh, so the corners carry the whole curve; of ten
million trials they are a small part. Every figure is taken from one sort of each class, for any weights.
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


@dataclass(frozen=True, eq=False)
class SortedClass:
    """The trials of one class in order of rising scores; position k stands for a threshold that rejects the first k.

    Attributes:
        scores: (K,) rising.
        mass: (K + 1,) the weight of the first k trials; None where every trial weighs 1 and it is k.
        trials: (K,) which of the trials given each one is; None if that was not asked for.
        corners: (V,) position of every corner of the ROC curve, rising from 0 to K.
    """

    scores: NDArray[np.float64]
    mass: NDArray[np.float64] | None
    trials: NDArray[np.intp] | None
    corners: NDArray[np.intp]

    def mass_below(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the weight of the trials below positions (any one shape)."""
        return positions.astype(np.float64) if self.mass is None else self.mass[positions]


@dataclass(frozen=True, eq=False)
class SortedTrials:
    """Both classes of trials, each in order of rising scores."""

    targets: SortedClass
    non_targets: SortedClass

    @property
    def sides(self) -> tuple[SortedClass, SortedClass]:
        """Targets and non-targets."""
        return self.targets, self.non_targets

    @property
    def size(self) -> int:
        """How many trials there are."""
        return self.targets.scores.size + self.non_targets.scores.size

    def corners(self) -> Corners:
        """Return the corners of the ROC curve under the trials' own weights."""
        return Corners(*(side.mass_below(side.corners) for side in self.sides))

    def thresholds(self, target_positions: ArrayLike, non_target_positions: ArrayLike) -> NDArray[np.float64]:
        """Return the lowest score that is not rejected at pairs of positions (any one shape); +inf if all are."""
        lowest = np.full(np.shape(target_positions), np.inf)
        for side, positions in zip(self.sides, (target_positions, non_target_positions), strict=True):
            at, last = np.asarray(positions), side.scores.size - 1
            lowest = np.minimum(lowest, np.where(at <= last, side.scores[np.minimum(at, last)], np.inf))
        return lowest

    def share_of_targets(self, position: int) -> float:
        """Return the share of target trials below a position, in [0, 1]."""
        count, mass = self.targets.scores.size, self.targets.mass
        return position / count if mass is None else float(mass[position] / mass[-1])

    def share_of_non_targets(self, position: int) -> float:
        """Return the share of non-target trials at or above a position, in [0, 1]."""
        count, mass = self.non_targets.scores.size, self.non_targets.mass
        return (count - position) / count if mass is None else float((mass[-1] - mass[position]) / mass[-1])


def sort_trials(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> SortedTrials:
    """Check trials and sort them; arguments and refusals are those of ``equal_error_rate``."""
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
    corners = corner_positions(sides[0][0], sides[1][0])
    return SortedTrials(*(SortedClass(*side, corners=at) for side, at in zip(sides, corners, strict=True)))
