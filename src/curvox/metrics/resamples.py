"""The figures of trials under any multiplicities of their speakers, after one sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.metrics.cllr import bits
from curvox.metrics.corners import (
    Corners,
    acceptance_at,
    area,
    equal_error_value,
    hull_of,
    lowest_bits,
    rejection_at,
)
from curvox.metrics.dcf import bayes_threshold, corner_costs, normalised_cost
from curvox.metrics.figures import Choice
from curvox.metrics.sorted_trials import sort_checked


@dataclass(frozen=True, eq=False)
class _Side:
    """The trials of one class in order of rising scores.

    Attributes:
        speakers: one or two vectors (K,): the weight of a trial is the product of their speakers' multiplicities.
        weights: (K,) the trials' own weights; None if all are 1.
        corners: (V,) how many trials lie below each corner.
        bayes: (P,) how many lie below the Bayes threshold of each operating point.
        bits: (K,) what each trial costs as a log-likelihood ratio; None if the scores are none.
        named: how many speakers the trials name.
        below: (K + 1,) scratch for the summed weights, as fresh memory for each resample costs as much as the sums.
    """

    speakers: tuple[NDArray[np.int32], ...]
    weights: NDArray[np.float64] | None
    corners: NDArray[np.intp]
    bayes: NDArray[np.intp]
    bits: NDArray[np.float64] | None
    named: int
    below: NDArray[np.float64]

    @property
    def size(self) -> float:
        """How many trials there are; a weight counts for so many of them."""
        return float(self.below.size - 1 if self.weights is None else self.weights.sum())

    def weigh(self, multiplicities: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return the weight below each corner (V,), that below each Bayes threshold (P,) and the summed bits."""
        weights = multiplicities[self.speakers[0]]
        for speakers in self.speakers[1:]:
            weights *= multiplicities[speakers]
        if self.weights is not None:
            weights *= self.weights
        np.cumsum(weights, out=self.below[1:])
        cost = 0.0 if self.bits is None else float(self.bits @ weights)
        return self.below[self.corners], self.below[self.bayes], cost


@dataclass(frozen=True, eq=False)
class WeighedTrials:
    """Trials whose figures can be had for any speaker multiplicities.

    Attributes:
        choice: which figures.
        speakers: how many speakers the trials name; a multiplicity is wanted for each.
    """

    choice: Choice
    speakers: int
    _targets: _Side
    _non_targets: _Side

    @property
    def sizes(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """How many non-targets there are and how many speakers they name, and the same of targets."""
        return (self._non_targets.size, self._non_targets.named), (self._targets.size, self._targets.named)

    def figures(self, multiplicities: NDArray[np.integer] | NDArray[np.float64]) -> list[float] | None:
        """Return the figures of ``figures_and_rates`` alone."""
        found = self.figures_and_rates(multiplicities)
        return None if found is None else found[0]

    def equal_error_rate(self, multiplicities: NDArray[np.integer] | NDArray[np.float64]) -> float | None:
        """Return the equal error rate alone, the same as among ``figures`` at a fraction of their cost."""
        multiplicities = multiplicities.astype(np.float64)
        targets, non_targets = (side.weigh(multiplicities)[0] for side in (self._targets, self._non_targets))
        if targets[-1] <= 0 or non_targets[-1] <= 0:
            return None
        return equal_error_value(Corners(targets, non_targets))

    def figures_and_rates(
        self, multiplicities: NDArray[np.integer] | NDArray[np.float64]
    ) -> tuple[list[float], NDArray[np.float64]] | None:
        """Return the figures, in the order of ``choice.keys``, and the rates behind the actual costs.

        The rates (2, P) are false acceptance and false rejection at the Bayes threshold of every point; P is 0 where
        the scores are no ratios. None where targets or non-targets weigh nothing.

        Args:
            multiplicities: (S,) how often each speaker occurs, at least 0. A target trial of speaker s weighs n_s, a
                non-target trial of s and t weighs n_s · n_t, each times the trial's own weight.
        """
        multiplicities = multiplicities.astype(np.float64)
        targets, rejected, missed_bits = self._targets.weigh(multiplicities)
        non_targets, passed, accepted_bits = self._non_targets.weigh(multiplicities)
        if targets[-1] <= 0 or non_targets[-1] <= 0:
            return None
        corners = Corners(targets, non_targets)
        hull = hull_of(corners)
        choice = self.choice
        found = [equal_error_value(corners), equal_error_value(hull), area(corners)]
        if choice.llrs:
            found.append((missed_bits / targets[-1] + accepted_bits / non_targets[-1]) / 2)
        found.append(lowest_bits(hull))
        found += [float(corner_costs(hull, point).min()) for point in choice.points]
        rates = np.array([1 - passed / non_targets[-1], rejected / targets[-1]])
        if choice.llrs:
            costs = zip(*rates, choice.points, strict=True)
            found += [float(normalised_cost(far, frr, point)) for far, frr, point in costs]
        found += [rejection_at(corners, rate) for rate in choice.rates]
        return found + [acceptance_at(corners, rate) for rate in choice.rates], rates


def weighed_trials(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    speakers: int,
    choice: Choice,
) -> WeighedTrials:
    """Sort trials that were checked for any number of resamples; ``enrolment`` and ``test`` are 0 … speakers - 1."""
    trials = sort_checked(scores, labels, weights, keep_trials=True)
    thresholds = [bayes_threshold(point) for point in choice.points if choice.llrs]
    sides = []
    for values, places, corners, sign in (
        (trials.targets, trials.target_trials, trials.target_corners, -1),
        (trials.non_targets, trials.non_target_trials, trials.non_target_corners, 1),
    ):
        of_trial = (enrolment,) if sign < 0 else (enrolment, test)
        side = _Side(
            speakers=tuple(numbers[places].astype(np.int32) for numbers in of_trial),
            weights=None if weights is None else weights[places],
            corners=corners,
            bayes=np.searchsorted(values, thresholds),
            bits=bits(sign * values) if choice.llrs else None,
            named=np.unique(np.concatenate([numbers[places] for numbers in of_trial])).size,
            below=np.zeros(values.size + 1),
        )
        sides.append(side)
    return WeighedTrials(choice=choice, speakers=speakers, _targets=sides[0], _non_targets=sides[1])
