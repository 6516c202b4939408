"""The answer to "same speaker?": score, log-likelihood ratio, posterior, decision, and what to be wary of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from curvox.audio import RecordingQuality
from curvox.embedder.calibrated_scoring import CalibratedScoring
from curvox.embedder.decision_card import outside_of_card
from curvox.embedder.embedder import Embedder, Source
from curvox.embedder.models import EnrolledModels, enrol_models
from curvox.embedder.operating_points import DEFAULT_PRIOR, ChosenPoint, choose_point
from curvox.embedder.recordings import embed_and_measure
from curvox.errors import InputError
from curvox.records import to_plain
from curvox.scoring import default_scorer, posterior, score_pairs

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


def verify_recordings(
    model: Embedder,
    enrolment: Source | Sequence[Source],
    test: Source,
    *,
    operating_point: str | None = None,
    prior: float | None = None,
    scorer: str | None = None,
) -> Verification:
    """Compare a recording with one or several of a known speaker.

    Several enrolment recordings make one point in the middle of theirs, by the way of the model's space.

    Args:
        model: with a decision card, or without; then nothing is decided.
        enrolment: path or waveform of the known speaker, or several.
        test: path or waveform in question.
        operating_point: where to decide; see `choose_point`. None decides for equal costs at ``prior``.
        prior: probability of the same speaker before hearing, in (0, 1); if None that of the operating point, or 0.5.
        scorer: a name in the table of scorers, for a score by another one, which is not calibrated; None takes that of
            the decision card, or without one that of the model's space.

    Raises:
        AudioError: a recording cannot be used.
        InputError: an operating point or a prior for a model without a decision card, or numbers out of range.
    """
    calibrated = model.calibrated if scorer is None else None
    if calibrated is None and (operating_point is not None or prior is not None):
        raise InputError(f"an operating point or a prior needs a calibrated score: {_why(scorer)}")
    point = None if calibrated is None else choose_point(operating_point, calibrated.card, prior=prior)
    sources = [enrolment] if isinstance(enrolment, (str, Path, np.ndarray)) else list(enrolment)
    if not sources:
        raise InputError("at least one enrolment recording is needed, got none")
    names = [*_names("enrolment", sources), *_names("test", [test])]
    recordings = embed_and_measure(model, [partial(model.waveform, source) for source in (*sources, test)])
    enrolled = enrol_models(model, recordings, [np.arange(len(sources)), np.array([len(sources)])])
    warnings = _same_recording(recordings.points, names)
    if calibrated is None or point is None:
        name = scorer or default_scorer(model.space)
        score = float(score_pairs(model.space, enrolled.points, [0], [1], scorer=name)[0])
        return Verification(score, name, undecided=_why(scorer), warnings=warnings, qualities=recordings.qualities)
    warnings = (*warnings, *warnings_of(calibrated, names, recordings.qualities), *_several(len(sources)))
    decided = _decide(calibrated, enrolled, point, point.prior or DEFAULT_PRIOR if prior is None else prior)
    return replace(decided, warnings=warnings, qualities=recordings.qualities)


def _decide(calibrated: CalibratedScoring, enrolled: EnrolledModels, point: ChosenPoint, prior: float) -> Verification:
    scores = calibrated.scores(enrolled.points, [0], [1])
    llr = float(calibrated.llrs(scores, enrolled.measures.rows([0]), enrolled.measures.rows([1]))[0])
    return Verification(
        score=float(scores[0]),
        scoring=calibrated.name,
        llr=llr,
        prior=prior,
        posterior=float(posterior([llr], prior)[0]),
        point=point,
        same=llr >= point.llr_threshold,
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


def _why(scorer: str | None) -> str:
    if scorer is None:
        return NOT_CALIBRATED
    return f"scores by --scorer {scorer} are not calibrated, so nothing is decided; leave the scorer out"


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


def _names(side: str, sources: Sequence[Source]) -> list[str]:
    return [
        str(source) if isinstance(source, (str, Path)) else f"the {side} waveform {i + 1}"
        for i, source in enumerate(sources)
    ]
