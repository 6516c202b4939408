"""The detection cost at an operating point, and the operating points of published evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, require_positive
from curvox.metrics.intervals import Interval
from curvox.metrics.sorted_trials import Corners, SortedTrials, sort_trials


@dataclass(frozen=True)
class OperatingPoint:
    """Where a verifier is used: how frequent targets are and what its two errors cost.

    Attributes:
        p_target: prior probability of a target trial, strictly between 0 and 1.
        cost_miss: cost of rejecting a target, above 0.
        cost_false_alarm: cost of accepting a non-target, above 0.
    """

    p_target: float
    cost_miss: float = 1.0
    cost_false_alarm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a prior outside (0, 1) and costs that are not positive."""
        for name in ("p_target", "cost_miss", "cost_false_alarm"):
            object.__setattr__(self, name, require_positive(getattr(self, name), name))
        if self.p_target >= 1:
            raise InputError(f"p_target must lie strictly between 0 and 1, got {self.p_target}")


@dataclass(frozen=True)
class DetectionCost:
    """A normalised detection cost at an operating point.

    Attributes:
        p_target: of the point, as its costs.
        cost_miss: likewise.
        cost_false_alarm: likewise.
        value: the cost, at least 0; 1 is that of the better constant decision.
        threshold: accept scores of at least this to reach it; +inf when rejecting everything is best.
        interval: of the cost, by bootstrap over speakers; None without resamples.
    """

    p_target: float
    cost_miss: float
    cost_false_alarm: float
    value: float
    threshold: float
    interval: Interval | None = None

    def __post_init__(self) -> None:
        """Refuse what is no operating point."""
        OperatingPoint(self.p_target, self.cost_miss, self.cost_false_alarm)

    @property
    def point(self) -> OperatingPoint:
        """The operating point."""
        return OperatingPoint(self.p_target, self.cost_miss, self.cost_false_alarm)

    @classmethod
    def at(cls, point: OperatingPoint, value: float, threshold: float, interval: Interval | None = None) -> Self:
        """Return a cost at an operating point."""
        return cls(point.p_target, point.cost_miss, point.cost_false_alarm, value, threshold, interval)


def min_dcf(
    scores: ArrayLike, labels: ArrayLike, point: OperatingPoint, weights: ArrayLike | None = None
) -> DetectionCost:
    """Return the lowest normalised detection cost that any one threshold reaches (NIST SRE; VoxSRC).

    The cost at a threshold is ``cost_miss · p_target · FRR + cost_false_alarm · (1 - p_target) · FAR``, divided by
    the cost of the better constant decision, ``min(cost_miss · p_target, cost_false_alarm · (1 - p_target))``. Tied
    scores are accepted or rejected together. Of several thresholds with the lowest cost the highest is returned.

    The arguments and what is refused are those of ``equal_error_rate``.
    """
    return min_dcf_of_sorted(sort_trials(scores, labels, weights), point)


def actual_dcf(
    llrs: ArrayLike, labels: ArrayLike, point: OperatingPoint, weights: ArrayLike | None = None
) -> DetectionCost:
    """Return the normalised detection cost of decisions at the Bayes threshold of an operating point.

    A trial is accepted when its log-likelihood ratio is at least ``bayes_threshold(point)``. The cost is normalised as
    that of ``min_dcf``, and never below it; what is above it is lost by calibration. Badly calibrated ratios may cost
    far more than 1, that of deciding without any score. ``llrs`` (N,) are natural-log likelihood ratios; the other
    arguments and what is refused are those of ``equal_error_rate``.
    """
    return actual_dcf_of_sorted(sort_trials(llrs, labels, weights), point)


def bayes_threshold(point: OperatingPoint) -> float:
    """Return the natural-log likelihood ratio from which on accepting is the cheaper decision.

    It is ``log(cost_false_alarm · (1 - p_target)) - log(cost_miss · p_target)``.
    """
    reject = math.log(point.cost_false_alarm) + math.log1p(-point.p_target)
    return reject - math.log(point.cost_miss) - math.log(point.p_target)


def min_dcf_of_sorted(trials: SortedTrials, point: OperatingPoint) -> DetectionCost:
    """Return the lowest normalised detection cost of sorted trials, as ``min_dcf`` gives it."""
    cost = corner_costs(trials.corners(), point)
    lowest = cost.size - 1 - int(np.argmin(cost[::-1]))
    threshold = trials.thresholds(*(side.corners[lowest] for side in trials.sides))
    return DetectionCost.at(point, float(cost[lowest]), float(threshold))


def actual_dcf_of_sorted(trials: SortedTrials, point: OperatingPoint) -> DetectionCost:
    """Return the normalised detection cost at the Bayes threshold of sorted trials, as ``actual_dcf`` gives it."""
    threshold = bayes_threshold(point)
    rejected = trials.share_of_targets(int(np.searchsorted(trials.targets.scores, threshold)))
    accepted = trials.share_of_non_targets(int(np.searchsorted(trials.non_targets.scores, threshold)))
    cost = normalised_cost(np.array(accepted), np.array(rejected), point)
    return DetectionCost.at(point, float(cost), threshold)


def corner_costs(corners: Corners, point: OperatingPoint) -> NDArray[np.float64]:
    """Return (V,) the normalised detection cost at every corner."""
    return normalised_cost(corners.false_acceptance, corners.false_rejection, point)


def normalised_cost(
    false_acceptance: NDArray[np.float64], false_rejection: NDArray[np.float64], point: OperatingPoint
) -> NDArray[np.float64]:
    """Return the normalised detection cost of pairs of error rates (any one shape)."""
    miss = point.cost_miss * point.p_target
    false_alarm = point.cost_false_alarm * (1 - point.p_target)
    constant = min(miss, false_alarm)
    return (miss / constant) * false_rejection + (false_alarm / constant) * false_acceptance


# The evaluation plans of NIST for the SREs, the rules of VoxSRC 2020 to 2023 and of CNSRC 2022. SRE12, SRE16 and the
# telephone part of SRE18 average the cost over the two points of theirs.
OPERATING_POINTS: Mapping[str, OperatingPoint] = MappingProxyType(
    {
        "voxceleb": OperatingPoint(0.01),
        "voxsrc": OperatingPoint(0.05),
        "cnceleb": OperatingPoint(0.01),
        "sre08": OperatingPoint(0.01, cost_miss=10.0),
        "sre10": OperatingPoint(0.001),
        "sre12_low": OperatingPoint(0.001),
        "sre12_high": OperatingPoint(0.01),
        "sre16_low": OperatingPoint(0.005),
        "sre16_high": OperatingPoint(0.01),
        "sre18_low": OperatingPoint(0.005),
        "sre18_high": OperatingPoint(0.01),
        "sre18_video": OperatingPoint(0.05),
        "sre19_video": OperatingPoint(0.05),
    }
)
