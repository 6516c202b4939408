"""Isotonic regression of a score to log-likelihood ratios: any function that never falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics import pav_llrs
from curvox.metrics.inputs import check_trials
from curvox.scoring.calibration import (
    AbstractCalibration,
    check_quality,
    check_scores,
    prior_log_odds,
    require_keys,
    require_number,
)


@dataclass(frozen=True)
class IsotonicCalibration(AbstractCalibration):
    """A function of the score that never falls: straight lines between knots, level beyond the outer ones.

    Attributes:
        scores: (K,) the knots, rising strictly.
        knot_llrs: (K,) the natural-log likelihood ratios there, never falling.
        quality_names: always empty.
    """

    scores: tuple[float, ...]
    knot_llrs: tuple[float, ...]
    quality_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no calibration."""
        for name in ("scores", "knot_llrs"):
            values = tuple(require_number(value, f"a knot of {name}") for value in getattr(self, name))
            object.__setattr__(self, name, values)
        if len(self.scores) != len(self.knot_llrs) or len(self.scores) < 2:
            raise InputError(
                f"at least two knots are needed, as many scores as llrs, got {len(self.scores)} and "
                f"{len(self.knot_llrs)}"
            )
        if (np.diff(self.scores) <= 0).any() or (np.diff(self.knot_llrs) < 0).any():
            raise InputError("the scores of the knots must rise, and their llrs must not fall")
        if self.knot_llrs[0] == self.knot_llrs[-1]:
            raise InputError("all knots have the same llr; such a calibration knows nothing")
        if self.quality_names != ():
            raise InputError('isotonic regression takes no quality; kind="logistic" does')

    @classmethod
    def fit(
        cls,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        quality: ArrayLike | None = None,
        quality_names: Sequence[str] = (),
        prior: float = 0.5,
        weights: ArrayLike | None = None,
        smoothing: bool = False,
    ) -> Self:
        """Pool adjacent violators, which is best for every prior at once (Zadrozny & Elkan 2002; Brümmer 2010).

        To keep the ends finite one target and one non-target are added below all scores and one of each above, as the
        BOSARIS toolkit does by Laplace's rule (Brümmer & de Villiers, "The BOSARIS toolkit", 2011, arXiv:1304.2865).
        The proportion of targets that turns odds into ratios counts them too, so that useless scores have ratio 0.
        Between two scores that were seen the ratio is interpolated.

        The arguments and what is refused are those of ``fit_calibration``; ``prior`` and ``smoothing`` change nothing.
        """
        scores_, labels_, weights_ = check_trials(scores, labels, weights)
        prior_log_odds(prior)
        if quality is not None or len(quality_names):
            raise InputError('isotonic regression takes no quality; kind="logistic" does')
        weights_ = np.ones(scores_.size) if weights_ is None else weights_
        counted = weights_ > 0
        distinct, rank = np.unique(scores_[counted], return_inverse=True)
        values = _pool(rank, labels_[counted], weights_[counted], distinct.size)
        if values[0] == values[-1]:
            raise InputError(
                "scores look reversed or useless: no rising function of them is better than a constant; check the "
                "labels, the sign of the scores and the model"
            )
        level = values[1:] == values[:-1]
        inside = np.concatenate(([False], level[1:] & level[:-1], [False])) if distinct.size > 2 else np.zeros(2, bool)
        return cls(scores=tuple(distinct[~inside].tolist()), knot_llrs=tuple(values[~inside].tolist()))

    def llrs(self, scores: ArrayLike, quality: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the natural-log likelihood ratios (T,) of scores (T,)."""
        scores_ = check_scores(scores)
        check_quality(quality, (), scores_.size)
        return np.interp(scores_, self.scores, self.knot_llrs)

    def describe(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": "isotonic", "scores": list(self.scores), "llrs": list(self.knot_llrs)}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Return the calibration that ``describe`` described, or refuse what is not one."""
        require_keys(description, ("name", "scores", "llrs"), "an isotonic calibration")
        for name in ("scores", "llrs"):
            if not isinstance(description[name], (list, tuple)):
                raise InputError(f"{name} must be a list of numbers, got {description[name]!r}")
        return cls(scores=tuple(description["scores"]), knot_llrs=tuple(description["llrs"]))


def _pool(
    rank: NDArray[np.integer], labels: NDArray[np.bool_], weights: NDArray[np.float64], distinct: int
) -> NDArray[np.float64]:
    """Return (distinct,) the ratio at every distinct score, with a target and a non-target more at both ends."""
    # A target just below a non-target: the two pool with each other and, at the top, with all targets below.
    ends = np.array([-2, -1, distinct, distinct + 1])
    ratios = pav_llrs(
        np.concatenate((rank, ends)),
        np.concatenate((labels, [True, False, True, False])),
        np.concatenate((weights, np.ones(4))),
    )
    values = np.empty(distinct)
    values[rank] = ratios[: rank.size]
    return values
