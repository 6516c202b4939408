"""The back ends that score pairs as they are, or as they are seen from the mean of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace, Euclidean, directions
from curvox.scoring.back_ends.contract import (
    AbstractBackEnd,
    AbstractFittedBackEnd,
    State,
    require_cohort,
    require_state,
)
from curvox.scoring.pairs import Points, check_inside, check_points, check_speakers, score_pairs
from curvox.scoring.scorers import SCORERS, create_scorer


class PlainBackEnd(AbstractBackEnd):
    """Scores as `score_pairs` gives them.

    Args:
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    needs_cohort: ClassVar[bool] = False

    def __init__(self, *, scorer: str | None = None) -> None:
        self._scorer = check_scorer(scorer)

    def fit(
        self, space: AbstractSpace, cohort_points: Points | None = None, cohort_speakers: ArrayLike | None = None
    ) -> FittedPlain:
        if cohort_points is not None or cohort_speakers is not None:
            raise InputError('the back end "plain" learns nothing from a cohort; leave it out or take "as_norm"')
        return FittedPlain(space, resolve_scorer(space, self._scorer))

    def restore(self, space: AbstractSpace, description: Mapping[str, Any], state: State) -> FittedPlain:
        require_state(state, (), "plain")
        return self.fit(space)

    def describe(self) -> dict[str, Any]:
        return {"name": "plain", "scorer": self._scorer}


@dataclass(frozen=True, eq=False)
class FittedPlain(AbstractFittedBackEnd):
    """`PlainBackEnd` in its space; ``scorer`` is the name of the one in use."""

    space: AbstractSpace
    scorer: str

    def scores(self, points: Points, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        return score_pairs(self.space, points, enrolment_index, test_index, scorer=self.scorer)

    def describe(self) -> dict[str, Any]:
        return {"name": "plain", "scorer": self.scorer}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {}


def check_scorer(scorer: str | None) -> str | None:
    """Return the name of a scorer, or refuse one that is not in ``SCORERS``."""
    if scorer is not None:
        require_name(scorer, SCORERS, "scorer")
    return scorer


def resolve_scorer(space: AbstractSpace, scorer: str | None) -> str:
    """Return the name of the scorer in use, or refuse one that does not fit the space."""
    name = space.default_scorer if scorer is None else scorer
    create_scorer(space, name)
    return name


class MeanSubtraction(AbstractBackEnd):
    """Cosine of the angle between two points seen from the mean of the cohort's points, in [-1, 1].

    Everywhere but in a ball this is the cosine of ``x - m`` and ``y - m``, with the arithmetic mean m over the
    recordings. In a Poincaré ball m is their Lorentz centroid, and the angle is that between the geodesics from m.
    Distances do not change when the whole space is moved, so that there is no mean subtraction for scores that are
    distances; that is why this back end takes no scorer.
    """

    needs_cohort: ClassVar[bool] = True

    def fit(
        self, space: AbstractSpace, cohort_points: Points | None = None, cohort_speakers: ArrayLike | None = None
    ) -> FittedMeanSubtraction:
        points, speakers = require_cohort(cohort_points, cohort_speakers, "mean_subtraction")
        points_ = check_points(points, "cohort_points")
        count = len(np.unique(check_speakers(speakers, len(points_))))
        if count < 2:
            raise InputError(f"a cohort needs at least two speakers, who are not in the trials; got {count}")
        check_inside(space, points_)
        with torch.no_grad():
            mean = points_.mean(dim=0) if space.ball is None else space.ball.mean(points_)
        return FittedMeanSubtraction(space, mean.cpu().numpy(), count)

    def restore(self, space: AbstractSpace, description: Mapping[str, Any], state: State) -> FittedMeanSubtraction:
        require_state(state, ("mean",), "mean_subtraction")
        mean = check_points(np.asarray(state["mean"])[None], "mean")[0].numpy()
        count = description.get("cohort_speakers")
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise InputError(f'the description of "mean_subtraction" needs cohort_speakers, at least 2, got {count!r}')
        return FittedMeanSubtraction(space, mean, count)

    def describe(self) -> dict[str, Any]:
        return {"name": "mean_subtraction"}


@dataclass(frozen=True, eq=False)
class FittedMeanSubtraction(AbstractFittedBackEnd):
    """`MeanSubtraction` with the mean (D,) of a cohort of so many speakers."""

    space: AbstractSpace
    mean: NDArray[np.float64]
    cohort_speakers: int

    def scores(self, points: Points, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        points_ = check_points(points)
        if points_.shape[1] != len(self.mean):
            raise InputError(f"the cohort has dimension {len(self.mean)}, these points {points_.shape[1]}")
        with torch.no_grad():
            seen = _seen_from(self.space, points_, torch.from_numpy(self.mean).to(points_.device))
        return score_pairs(Euclidean(), seen, enrolment_index, test_index, scorer="cosine")

    def describe(self) -> dict[str, Any]:
        return {"name": "mean_subtraction", "cohort_speakers": self.cohort_speakers}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {"mean": self.mean}


def _seen_from(space: AbstractSpace, x: Tensor, m: Tensor) -> Tensor:
    """Vectors (N, D) at m in the directions of the points x."""
    if space.ball is None:
        return x - m
    space.ball.require_inside(x)
    return directions(m, x, c=space.ball.c_value)
