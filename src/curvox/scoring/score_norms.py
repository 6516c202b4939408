"""The back ends that normalise scores by a cohort: S-norm and its adaptive kind, AS-norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace
from curvox.scoring.back_ends import AbstractBackEnd, AbstractFittedBackEnd, require_cohort, require_state
from curvox.scoring.inputs import check_points, check_trials
from curvox.scoring.normalisation import CohortStatistics, check_top_k, cohort_means, cohort_statistics, normalise
from curvox.scoring.pairs import SCORERS, score_pairs
from curvox.scoring.plain import resolve_scorer


class SNorm(AbstractBackEnd):
    """S-norm: scores against mean and standard deviation of both sides' scores with the whole cohort.

    Kenny, "Bayesian speaker verification with heavy-tailed priors" (Odyssey 2010).

    The cohort is one point for each training speaker, see `cohort_means`.

    Args:
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    needs_cohort: ClassVar[bool] = True

    def __init__(self, *, scorer: str | None = None) -> None:
        if scorer is not None:
            require_name(scorer, SCORERS, "scorer")
        self._scorer = scorer

    def fit(
        self,
        space: AbstractSpace,
        cohort_points: Tensor | ArrayLike | None = None,
        cohort_speakers: ArrayLike | None = None,
    ) -> FittedNorm:
        return _fit("s_norm", space, self._scorer, None, cohort_points, cohort_speakers)

    def restore(
        self, space: AbstractSpace, description: Mapping[str, Any], state: Mapping[str, NDArray[Any]]
    ) -> FittedNorm:
        return _restore("s_norm", space, self._scorer, None, state)

    def describe(self) -> dict[str, Any]:
        return {"name": "s_norm", "scorer": self._scorer}


class ASNorm(AbstractBackEnd):
    """AS-norm: like `SNorm`, but each side is measured against the cohort speakers it scores highest with.

    This is AS-norm1 of Matějka et al. 2017 (Interspeech, "Analysis of score normalization in multilingual speaker
    recognition").

    Args:
        top_k: how many cohort speakers count on each side, at least 2 and at most all of them.
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    needs_cohort: ClassVar[bool] = True

    def __init__(self, *, top_k: int = 300, scorer: str | None = None) -> None:
        if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 2:
            raise InputError(f"top_k must be a whole number of at least 2, got {top_k!r}")
        if scorer is not None:
            require_name(scorer, SCORERS, "scorer")
        self._top_k, self._scorer = top_k, scorer

    def fit(
        self,
        space: AbstractSpace,
        cohort_points: Tensor | ArrayLike | None = None,
        cohort_speakers: ArrayLike | None = None,
    ) -> FittedNorm:
        return _fit("as_norm", space, self._scorer, self._top_k, cohort_points, cohort_speakers)

    def restore(
        self, space: AbstractSpace, description: Mapping[str, Any], state: Mapping[str, NDArray[Any]]
    ) -> FittedNorm:
        return _restore("as_norm", space, self._scorer, self._top_k, state)

    def describe(self) -> dict[str, Any]:
        return {"name": "as_norm", "top_k": self._top_k, "scorer": self._scorer}


@dataclass(frozen=True, eq=False)
class FittedNorm(AbstractFittedBackEnd):
    """`SNorm` (``top_k`` None) or `ASNorm` with a cohort (S, D); ``scorer`` is the name of the one in use."""

    name: str
    space: AbstractSpace
    scorer: str
    top_k: int | None
    cohort: NDArray[np.float64]

    def scores(
        self, points: Tensor | ArrayLike, enrolment_index: ArrayLike, test_index: ArrayLike
    ) -> NDArray[np.float64]:
        points_ = check_points(points)
        enrolment, test = check_trials(enrolment_index, test_index, len(points_))
        raw = score_pairs(self.space, points_, enrolment, test, scorer=self.scorer)
        return normalise(raw, enrolment, test, self.statistics(points_))

    def statistics(self, points: Tensor | ArrayLike) -> CohortStatistics:
        """Return the `cohort_statistics` of points (N, D)."""
        return cohort_statistics(self.space, points, self.cohort, scorer=self.scorer, top_k=self.top_k)

    def describe(self) -> dict[str, Any]:
        top_k = {} if self.top_k is None else {"top_k": self.top_k}
        return {"name": self.name, **top_k, "scorer": self.scorer, "cohort_speakers": len(self.cohort)}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {"cohort": self.cohort}


def _fit(
    name: str,
    space: AbstractSpace,
    scorer: str | None,
    top_k: int | None,
    cohort_points: Tensor | ArrayLike | None,
    cohort_speakers: ArrayLike | None,
) -> FittedNorm:
    points, speakers = require_cohort(cohort_points, cohort_speakers, name)
    cohort = cohort_means(space, points, speakers)
    check_top_k(top_k, len(cohort))
    return FittedNorm(name, space, resolve_scorer(space, scorer), top_k, cohort)


def _restore(
    name: str, space: AbstractSpace, scorer: str | None, top_k: int | None, state: Mapping[str, NDArray[Any]]
) -> FittedNorm:
    require_state(state, ("cohort",), name)
    cohort = check_points(state["cohort"], "cohort").numpy()
    check_top_k(top_k, len(cohort))
    return FittedNorm(name, space, resolve_scorer(space, scorer), top_k, cohort)
