"""The detection cost at an operating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, require_positive
from curvox.metrics.roc import RocPoints, roc_points


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
class MinDcf:
    """The lowest normalised detection cost over all thresholds.

    Attributes:
        point: the operating point.
        value: the cost in [0, 1], 1 being that of the better constant decision.
        threshold: accept scores of at least this to reach it; +inf when rejecting everything is best.
    """

    point: OperatingPoint
    value: float
    threshold: float


def min_dcf(scores: ArrayLike, labels: ArrayLike, point: OperatingPoint, weights: ArrayLike | None = None) -> MinDcf:
    """Return the lowest normalised detection cost that any one threshold reaches (NIST SRE; VoxSRC).

    The cost at a threshold is ``cost_miss · p_target · FRR + cost_false_alarm · (1 - p_target) · FAR``, divided by
    the cost of the better constant decision, ``min(cost_miss · p_target, cost_false_alarm · (1 - p_target))``. Tied
    scores are accepted or rejected together. Of several thresholds with the lowest cost the highest is returned.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        point: the prior and the costs.
        weights: (N,) how much each trial counts, at least 0; 1 if None.

    Raises:
        InputError: empty input, lengths that differ, NaN or infinite scores, other labels, one class only.
    """
    return min_dcf_of_roc(roc_points(scores, labels, weights), point)


def min_dcf_of_roc(roc: RocPoints, point: OperatingPoint) -> MinDcf:
    """Return the lowest normalised detection cost of a ROC curve already at hand."""
    cost = normalised_cost(roc.false_acceptance, roc.false_rejection, point)
    lowest = int(np.argmin(cost))
    return MinDcf(point=point, value=float(cost[lowest]), threshold=float(roc.threshold[lowest]))


def normalised_cost(
    false_acceptance: NDArray[np.float64], false_rejection: NDArray[np.float64], point: OperatingPoint
) -> NDArray[np.float64]:
    """Return the normalised detection cost of pairs of error rates (any one shape)."""
    miss = point.cost_miss * point.p_target
    false_alarm = point.cost_false_alarm * (1 - point.p_target)
    constant = min(miss, false_alarm)
    return (miss / constant) * false_rejection + (false_alarm / constant) * false_acceptance
