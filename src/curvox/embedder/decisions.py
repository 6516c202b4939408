"""The answer to "same speaker?": embedded recordings, and what is decided of them and to be wary of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.audio import RecordingQuality
from curvox.embedder.card.decision_card import (
    DEFAULT_PRIOR,
    CalibratedScoring,
    ChosenPoint,
    choose_point,
    outside_of_card,
)
from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.records import to_plain
from curvox.scoring import RecordingMeasures, enrol, hyperbolic_radius, posterior, score_pairs

LARGEST_SNR_DB = 40.0
"""Noise below this is not told apart by a calibration: what lies there depends on the codec more than on the room."""
LEAST_SPEECH_S = 0.1


@dataclass(frozen=True, eq=False)
class EmbeddedRecordings:
    """N recordings: points (N, D) of the model's space, norms (N,) of the raw embeddings, and N measured qualities.

    ``qualities`` is empty where nobody asked for them.
    """

    points: NDArray[np.float32]
    norms: NDArray[np.float64]
    qualities: tuple[RecordingQuality, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, index: ArrayLike) -> EmbeddedRecordings:
        """Return some of the recordings, by their rows."""
        chosen = np.asarray(index)
        qualities = tuple(self.qualities[i] for i in chosen.tolist()) if self.qualities else ()
        return EmbeddedRecordings(self.points[chosen], self.norms[chosen], qualities)


def measures_of(space: AbstractSpace, recordings: EmbeddedRecordings) -> RecordingMeasures:
    """Return what a quality-aware calibration is given of N recordings.

    Seconds of speech, of which 0.1 s is the least; the signal-to-noise ratio, of which 40 dB is the most; and how far
    out the embedding lies: the hyperbolic radius in a Poincaré ball, elsewhere the norm of the raw embedding.

    Raises:
        InputError: the recordings were embedded without being measured.
    """
    if len(recordings.qualities) != len(recordings):
        raise InputError(
            f"{len(recordings)} recordings were embedded and {len(recordings.qualities)} of them measured; "
            "embed them with measure=True"
        )
    in_ball = space.ball is not None
    return RecordingMeasures(
        duration_s=np.array([max(quality.speech_s, LEAST_SPEECH_S) for quality in recordings.qualities]),
        snr_db=np.array([min(quality.snr_db, LARGEST_SNR_DB) for quality in recordings.qualities]),
        magnitude=None if in_ball else recordings.norms,
        radius=hyperbolic_radius(space, recordings.points) if in_ball else None,
    )


def measures_of_models(
    space: AbstractSpace, recordings: EmbeddedRecordings, rows: Sequence[ArrayLike]
) -> RecordingMeasures:
    """Return the measures of M models of measured recordings, from the rows of each.

    Seconds of speech are added up; of the other measures the mean is taken.
    """
    single = measures_of(space, recordings)
    columns: dict[str, NDArray[np.float64] | None] = {}
    for field in fields(single):
        values, of_rows = getattr(single, field.name), np.sum if field.name == "duration_s" else np.mean
        columns[field.name] = None if values is None else np.array([of_rows(values[np.asarray(own)]) for own in rows])
    return RecordingMeasures(**columns)


def measures_of_sides(
    calibrated: CalibratedScoring,
    space: AbstractSpace,
    recordings: EmbeddedRecordings,
    rows: Sequence[ArrayLike],
    enrolment_index: ArrayLike,
    test_index: ArrayLike,
) -> tuple[RecordingMeasures, RecordingMeasures]:
    """Return the measures of both sides of T trials of models that a calibration wants; none if it takes no quality.

    Each of M models has the rows of its recordings in ``rows``; both indices (T,) say which models are compared.

    Raises:
        InputError: the recordings were embedded without being measured.
    """
    if not calibrated.calibration.quality_names:
        return RecordingMeasures(), RecordingMeasures()
    measures = measures_of_models(space, recordings, rows)
    return measures.rows(enrolment_index), measures.rows(test_index)


def scores_and_llrs(
    calibrated: CalibratedScoring,
    space: AbstractSpace,
    recordings: EmbeddedRecordings,
    rows: Sequence[ArrayLike],
    enrolment_index: ArrayLike,
    test_index: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores (T,) and log-likelihood ratios (T,) of trials of models; arguments as `measures_of_sides` has them.

    A model of several recordings becomes one point, by the way of the space (``curvox.scoring.enrol``).
    """
    points = enrol(space, recordings.points, rows, way=space.default_enrolment)
    scores = calibrated.back_end.scores(points, enrolment_index, test_index)
    sides = measures_of_sides(calibrated, space, recordings, rows, enrolment_index, test_index)
    return scores, calibrated.llrs(scores, *sides)


NOT_CALIBRATED = (
    "this model has no decision card, so its scores are not calibrated and nothing is decided; "
    "fit one with curvox calibrate RUN --trials LIST"
)


@dataclass(frozen=True)
class Verification:
    """The answer to "same speaker?".

    Attributes:
        score: larger for the same speaker; what it means differs from model to model.
        scoring: the scorer or back end that gave it.
        llr: natural-log likelihood ratio, above 0 when the recordings are likelier under one speaker; None without a
            decision card.
        prior: the probability of the same speaker before hearing, that the posterior starts from.
        posterior: the probability of the same speaker after hearing.
        point: where it was decided.
        same: the decision; None where nothing was decided.
        undecided: why nothing was decided.
        warnings: what to be wary of, in sentences.
        qualities: measures of all recordings, the test last.
    """

    score: float
    scoring: str
    llr: float | None = None
    prior: float | None = None
    posterior: float | None = None
    point: ChosenPoint | None = None
    same: bool | None = None
    undecided: str | None = None
    warnings: tuple[str, ...] = ()
    qualities: tuple[RecordingQuality, ...] = ()

    @property
    def threshold(self) -> float | None:
        """The log-likelihood ratio from which on it is the same speaker, None where nothing was decided."""
        return None if self.point is None else self.point.llr_threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return to_plain(self)


@dataclass(frozen=True, eq=False)
class DecisionRule:
    """How two recordings are compared: by a scorer alone, or calibrated and decided at a point."""

    calibrated: CalibratedScoring | None
    point: ChosenPoint | None
    prior: float
    scorer: str | None

    @property
    def undecided(self) -> str:
        """Why nothing is decided without a calibration."""
        if self.scorer is None:
            return NOT_CALIBRATED
        return f"scores by --scorer {self.scorer} are not calibrated, so nothing is decided; leave the scorer out"


def decision_rule(
    calibrated: CalibratedScoring | None,
    *,
    operating_point: str | None = None,
    prior: float | None = None,
    scorer: str | None = None,
) -> DecisionRule:
    """Return how a model compares recordings, by the options of `curvox.embedder.Embedder.verify`.

    Raises:
        InputError: an operating point or a prior without a calibrated score, or numbers out of range.
    """
    if scorer is not None:
        calibrated = None
    if calibrated is None:
        rule = DecisionRule(None, None, DEFAULT_PRIOR, scorer)
        if operating_point is not None or prior is not None:
            raise InputError(f"an operating point or a prior needs a calibrated score: {rule.undecided}")
        return rule
    point = choose_point(operating_point, calibrated.card, prior=prior)
    return DecisionRule(calibrated, point, point.prior or DEFAULT_PRIOR if prior is None else prior, None)


def decide(
    rule: DecisionRule, space: AbstractSpace, recordings: EmbeddedRecordings, names: Sequence[str]
) -> Verification:
    """Answer whether the last of N measured recordings is of the speaker of the others, which ``names`` (N,) name."""
    sources = len(recordings) - 1
    rows = [np.arange(sources), np.array([sources])]
    warnings = _same_recording(recordings.points, names)
    if rule.calibrated is None or rule.point is None:
        name = rule.scorer or space.default_scorer
        points = enrol(space, recordings.points, rows, way=space.default_enrolment)
        score = float(score_pairs(space, points, [0], [1], scorer=name)[0])
        return Verification(score, name, undecided=rule.undecided, warnings=warnings, qualities=recordings.qualities)
    scores, llrs = scores_and_llrs(rule.calibrated, space, recordings, rows, [0], [1])
    llr = float(llrs[0])
    return Verification(
        score=float(scores[0]),
        scoring=rule.calibrated.name,
        llr=llr,
        prior=rule.prior,
        posterior=float(posterior([llr], rule.prior)[0]),
        point=rule.point,
        same=llr >= rule.point.llr_threshold,
        warnings=(*warnings, *warnings_of(rule.calibrated, names, recordings.qualities), *_several(sources)),
        qualities=recordings.qualities,
    )


def warnings_of(
    calibrated: CalibratedScoring, names: Sequence[str], qualities: Sequence[RecordingQuality]
) -> tuple[str, ...]:
    """Return where each recording lies outside of what the card has seen, its name before each sentence."""
    found = [
        f"{name} is {warning}"
        for name, quality in zip(names, qualities, strict=True)
        for warning in outside_of_card(calibrated.card, quality)
    ]
    return tuple(dict.fromkeys(found))


def _several(enrolments: int) -> tuple[str, ...]:
    if enrolments == 1:
        return ()
    return (
        f"enrolled with {enrolments} recordings, while the card was fitted on one a side: "
        "the log-likelihood ratio is likely too close to 0",
    )


def _same_recording(points: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    equal = np.flatnonzero((points[:-1] == points[-1]).all(axis=1))
    return tuple(
        f"{names[-1]} is the same recording as {names[i]}, which says nothing about the speaker" for i in equal.tolist()
    )
