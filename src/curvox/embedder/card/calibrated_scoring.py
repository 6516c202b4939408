"""From points to log-likelihood ratios, by the rule of a decision card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.embedder.card.decision_card import DecisionCard
from curvox.errors import CheckpointError, CurvoxError
from curvox.geometry import AbstractSpace
from curvox.scoring import (
    AbstractCalibration,
    AbstractFittedBackEnd,
    RecordingMeasures,
    calibration_from,
    restore_back_end,
    trial_quality,
)


@dataclass(frozen=True, eq=False)
class CalibratedScoring:
    """A decision card made ready: its fitted back end and its calibration."""

    card: DecisionCard
    back_end: AbstractFittedBackEnd
    calibration: AbstractCalibration

    @property
    def name(self) -> str:
        """The back end in a word or two: ``cosine``, ``as_norm (cosine)``."""
        name, scorer = str(self.card.back_end["name"]), self.card.back_end.get("scorer")
        return str(scorer) if name == "plain" else name if scorer is None else f"{name} ({scorer})"

    def scores(self, points: ArrayLike, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        """Return the scores (T,) of trials between rows of points (N, D)."""
        return self.back_end.scores(points, enrolment_index, test_index)

    def llrs(self, scores: ArrayLike, enrolment: RecordingMeasures, test: RecordingMeasures) -> NDArray[np.float64]:
        """Return the natural-log likelihood ratios (T,) of scores (T,), given the measures of both sides."""
        names = self.calibration.quality_names
        quality = trial_quality(enrolment, test, names=names).columns if names else None
        return self.calibration.llrs(scores, quality)


def restore_scoring(
    card: DecisionCard, state: Mapping[str, NDArray[np.float64]], space: AbstractSpace
) -> CalibratedScoring:
    """Make a card ready for the points of its model's space.

    Raises:
        CheckpointError: its back end does not exist, does not fit the space or is not that of the state.
    """
    try:
        back_end = restore_back_end(space, card.back_end, state)
        return CalibratedScoring(card, back_end, calibration_from(card.calibration))
    except CurvoxError as error:
        raise CheckpointError(f"the decision card cannot be used: {error}; calibrate again") from error
