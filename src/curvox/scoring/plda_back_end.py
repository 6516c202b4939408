"""PLDA as a back end: two covariances, fitted to the cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.scoring.back_ends import AbstractBackEnd, AbstractFittedBackEnd, require_cohort
from curvox.scoring.inputs import check_inside, check_points
from curvox.scoring.plda import TwoCovariancePLDA


class PLDABackEnd(AbstractBackEnd):
    """Log-likelihood ratios of `TwoCovariancePLDA`, fitted to the points of training speakers.

    Points become vectors of flat space first; those of a Poincaré ball go to its tangent space at the origin.

    Args:
        lda_dimension: keep so many directions that tell speakers apart; None for all.
        length_norm: whether to whiten and to give all vectors one length.
        shrinkage: weight, in [0, 1), of a sphere in every covariance that is inverted.
    """

    needs_cohort: ClassVar[bool] = True

    def __init__(self, *, lda_dimension: int | None = None, length_norm: bool = True, shrinkage: float = 0.0) -> None:
        self._lda_dimension, self._length_norm, self._shrinkage = lda_dimension, length_norm, shrinkage

    def fit(
        self,
        space: AbstractSpace,
        cohort_points: Tensor | ArrayLike | None = None,
        cohort_speakers: ArrayLike | None = None,
    ) -> FittedPLDA:
        points, speakers = require_cohort(cohort_points, cohort_speakers, "plda")
        plda = TwoCovariancePLDA.fit(
            _flat(space, points),
            speakers,
            lda_dimension=self._lda_dimension,
            length_norm=self._length_norm,
            shrinkage=self._shrinkage,
        )
        return FittedPLDA(space, plda)

    def restore(
        self, space: AbstractSpace, description: Mapping[str, Any], state: Mapping[str, NDArray[Any]]
    ) -> FittedPLDA:
        if not isinstance(description.get("fitted"), Mapping):
            raise InputError('the description of a fitted back end "plda" lacks the part "fitted"')
        return FittedPLDA(space, TwoCovariancePLDA.from_state(description["fitted"], state))

    def describe(self) -> dict[str, Any]:
        return _describe(self._lda_dimension, self._length_norm, self._shrinkage)


@dataclass(frozen=True, eq=False)
class FittedPLDA(AbstractFittedBackEnd):
    """`PLDABackEnd` with what was fitted."""

    space: AbstractSpace
    plda: TwoCovariancePLDA

    def scores(
        self, points: Tensor | ArrayLike, enrolment_index: ArrayLike, test_index: ArrayLike
    ) -> NDArray[np.float64]:
        return self.plda.llrs(_flat(self.space, points), enrolment_index, test_index)

    def describe(self) -> dict[str, Any]:
        fitted = self.plda.describe()
        settings = _describe(fitted["lda_dimension"], fitted["length_norm"], fitted["shrinkage"])
        return {**settings, "cohort_speakers": fitted["speakers"], "fitted": fitted}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return self.plda.state()


def _describe(lda_dimension: int | None, length_norm: bool, shrinkage: float) -> dict[str, Any]:
    settings = {"lda_dimension": lda_dimension, "length_norm": length_norm, "shrinkage": shrinkage}
    return {"name": "plda", **settings}


def _flat(space: AbstractSpace, points: Tensor | ArrayLike) -> Tensor:
    """The points as vectors of flat space."""
    points_ = check_points(points)
    check_inside(space, points_)
    with torch.no_grad():
        return space.as_vectors(points_)
