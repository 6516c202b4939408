"""The back end that needs no cohort: the scores of the space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace
from curvox.scoring.back_ends import AbstractBackEnd, AbstractFittedBackEnd, require_state
from curvox.scoring.pairs import SCORERS, create_scorer, default_scorer, score_pairs


class PlainBackEnd(AbstractBackEnd):
    """Scores as `score_pairs` gives them.

    Args:
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    needs_cohort: ClassVar[bool] = False

    def __init__(self, *, scorer: str | None = None) -> None:
        if scorer is not None:
            require_name(scorer, SCORERS, "scorer")
        self._scorer = scorer

    def fit(
        self,
        space: AbstractSpace,
        cohort_points: Tensor | ArrayLike | None = None,
        cohort_speakers: ArrayLike | None = None,
    ) -> FittedPlain:
        if cohort_points is not None or cohort_speakers is not None:
            raise InputError('the back end "plain" learns nothing from a cohort; leave it out or take "as_norm"')
        return FittedPlain(space, resolve_scorer(space, self._scorer))

    def restore(
        self, space: AbstractSpace, description: Mapping[str, Any], state: Mapping[str, NDArray[Any]]
    ) -> FittedPlain:
        require_state(state, (), "plain")
        return self.fit(space)

    def describe(self) -> dict[str, Any]:
        return {"name": "plain", "scorer": self._scorer}


@dataclass(frozen=True, eq=False)
class FittedPlain(AbstractFittedBackEnd):
    """`PlainBackEnd` in its space; ``scorer`` is the name of the one in use."""

    space: AbstractSpace
    scorer: str

    def scores(
        self, points: Tensor | ArrayLike, enrolment_index: ArrayLike, test_index: ArrayLike
    ) -> NDArray[np.float64]:
        return score_pairs(self.space, points, enrolment_index, test_index, scorer=self.scorer)

    def describe(self) -> dict[str, Any]:
        return {"name": "plain", "scorer": self.scorer}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {}


def resolve_scorer(space: AbstractSpace, scorer: str | None) -> str:
    """Return the name of the scorer in use, or refuse one that does not fit the space."""
    name = default_scorer(space) if scorer is None else scorer
    create_scorer(space, name)
    return name
