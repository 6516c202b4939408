"""The decision card: how scores become decisions, where to decide, and where the card was seen to hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from curvox.audio import RecordingQuality
from curvox.errors import CheckpointError, CurvoxError, InputError, UnknownNameError, nearest
from curvox.geometry import AbstractSpace
from curvox.metrics import OPERATING_POINTS, OperatingPoint, bayes_threshold
from curvox.records import to_plain
from curvox.scoring import (
    AbstractCalibration,
    AbstractFittedBackEnd,
    NamedThreshold,
    RecordingMeasures,
    calibration_from,
    restore_back_end,
    trial_quality,
)

VERSION = 1
DEFAULT_PRIOR = 0.5

_Count = Annotated[int, Field(ge=0)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Range:
    """Where the values of a measure lay: the smallest, the 5th and the 95th percentile, the largest."""

    smallest: float
    low: float
    high: float
    largest: float

    def __post_init__(self) -> None:
        """Refuse numbers that do not rise."""
        if not self.smallest <= self.low <= self.high <= self.largest:
            raise InputError(f"the four numbers of a range must not fall, got {self}")

    @classmethod
    def of(cls, values: ArrayLike) -> Range:
        """Return the range of values (N,), N at least 1."""
        return cls(*np.percentile(np.asarray(values, np.float64), [0, 5, 95, 100]).tolist())


@dataclass(frozen=True)
class Seen:
    """The recordings a card was fitted on: how many, their measures, and the channels their manifest names."""

    recordings: _Count
    duration_s: Range
    speech_s: Range
    silence_share: Range
    snr_db: Range
    bandwidth_hz: Range
    clipped_share: Range
    channels: tuple[str, ...] = ()

    @classmethod
    def of(cls, qualities: Sequence[RecordingQuality], channels: Sequence[str] = ()) -> Seen:
        """Return what was seen in recordings; empty names of channels are left out."""
        ranges = {
            field.name: Range.of([getattr(quality, field.name) for quality in qualities])
            for field in fields(cls)
            if field.name not in ("recordings", "channels")
        }
        return cls(len(qualities), **ranges, channels=tuple(sorted(set(channels) - {""})))


@dataclass(frozen=True)
class FittedOn:
    """The trials behind a card.

    Attributes:
        trials: name of the trial list.
        corpus: name of the corpus.
        targets: number of same-speaker trials.
        non_targets: number of different-speaker trials.
        speakers: number of speakers.
        training_speakers: how many of them bear the name of a speaker the model was trained on; None: not known.
        folds: of speakers, of the held-out check.
        date: when, as YYYY-MM-DD.
    """

    trials: str
    corpus: str
    targets: _Count
    non_targets: _Count
    speakers: _Count
    training_speakers: _Count | None
    folds: Annotated[int, Field(ge=2)]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


@dataclass(frozen=True)
class TailPoint:
    """The lowest threshold on a log-likelihood ratio that accepts no more than ``far`` of the non-targets."""

    far: Annotated[float, Field(gt=0, lt=1)]
    llr_threshold: float


@dataclass(frozen=True)
class DecisionCard:
    """What turns the scores of one model into decisions.

    Every figure was measured on speakers that the calibration behind it had not met, except ``cllr_before``.

    Attributes:
        model: fingerprint of the model, see `model_fingerprint`; the card belongs to no other.
        back_end: how scores are made, as the fitted back end describes itself (``curvox.scoring.restore_back_end``).
        back_end_state: digest of the file of arrays beside the card that the back end learnt; None where it learnt
            nothing.
        calibration: from scores to log-likelihood ratios, as ``curvox.scoring.calibration_from`` reads it.
        fitted_on: the trials.
        cllr_before: Cllr in bits of the raw scores, read as if they were natural-log likelihood ratios, which they
            are not; 1 bit is the cost of a system that says nothing.
        cllr_after: Cllr of the calibrated ratios.
        min_cllr: the least Cllr that any rising function of the calibrated ratios could reach on these trials.
        eer: equal error rate of the calibrated ratios.
        thresholds: named thresholds with the error rates measured there.
        non_target_tail: thresholds for falling rates of false acceptance, as far as the trials show them.
        seen: the recordings.
        warnings: what to keep in mind, in sentences.
        version: of the card's format.
    """

    model: _Digest
    back_end: Mapping[str, Any]
    back_end_state: _Digest | None
    calibration: Mapping[str, Any]
    fitted_on: FittedOn
    cllr_before: float
    cllr_after: float
    min_cllr: float
    eer: Annotated[float, Field(ge=0, le=1)]
    thresholds: tuple[NamedThreshold, ...]
    non_target_tail: tuple[TailPoint, ...]
    seen: Seen
    warnings: tuple[str, ...] = ()
    version: Literal[1] = VERSION

    def __post_init__(self) -> None:
        """Refuse a calibration that is none, and names of thresholds that come twice."""
        calibration_from(self.calibration)
        names = [threshold.name for threshold in self.thresholds]
        if len(set(names)) != len(names):
            raise InputError(f"a card names each threshold once, got {', '.join(names)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return to_plain(self)


@dataclass(frozen=True)
class ChosenPoint:
    """Where a decision is taken: accept a log-likelihood ratio of at least ``llr_threshold``.

    Attributes:
        name: as it was asked for.
        meaning: in words.
        llr_threshold: natural-log likelihood ratio.
        prior: the prior probability of the same speaker that it states; None where it states a rate.
        measured: the error rates at this threshold on the card's trials, where they are known.
    """

    name: str
    meaning: str
    llr_threshold: float
    prior: float | None
    measured: NamedThreshold | None


def choose_point(name: str | None, card: DecisionCard, *, prior: float | None = None) -> ChosenPoint:
    """Return the operating point that a text names.

    Args:
        name: a name in ``curvox.metrics.OPERATING_POINTS`` ("voxsrc"); "bayes:0.01", or with the costs of a miss and of
            a false alarm "bayes:0.01:10:1"; "far:0.01", "frr:0.05" or "eer" for a threshold of the card; None for
            equal costs at ``prior``.
        card: whose thresholds are meant.
        prior: of the same speaker, in (0, 1); 0.5 if None.

    Raises:
        UnknownNameError: no such name; the message lists the nearest ones.
        InputError: a rate that the card has no threshold for, or numbers out of range.
    """
    if name is None:
        prior = DEFAULT_PRIOR if prior is None else prior
        return _bayes(f"bayes:{prior:g}", OperatingPoint(prior), card)
    if name in OPERATING_POINTS:
        return _bayes(name, OPERATING_POINTS[name], card)
    kind, *numbers = name.split(":")
    if kind == "bayes" and len(numbers) in (1, 3):
        return _bayes(name, OperatingPoint(*_numbers(name, numbers)), card)
    if (kind in ("far", "frr") and len(numbers) == 1) or name == "eer":
        return _of_card(name, kind, _numbers(name, numbers)[0] if numbers else None, card)
    known = [*OPERATING_POINTS, *(threshold.name for threshold in card.thresholds)]
    raise UnknownNameError(f'unknown operating point "{name}": {nearest(name, known)}')


def _bayes(name: str, point: OperatingPoint, card: DecisionCard) -> ChosenPoint:
    measured = next((threshold for threshold in card.thresholds if threshold.point == point), None)
    miss, false_alarm = point.cost_miss, point.cost_false_alarm
    costs = "equal costs" if miss == false_alarm else f"a miss costs {miss:g}, a false alarm {false_alarm:g}"
    meaning = f"prior {point.p_target:g}, {costs}"
    return ChosenPoint(name, meaning, bayes_threshold(point), point.p_target, measured)


def _of_card(name: str, kind: str, rate: float | None, card: DecisionCard) -> ChosenPoint:
    found = next((one for one in card.thresholds if one.kind == kind and one.rate == rate), None)
    if found is None:
        known = ", ".join(one.name for one in card.thresholds if one.kind != "bayes") or "none"
        raise InputError(
            f'the decision card has no threshold "{name}"; it has {known}. Find another with '
            f"curvox calibrate RUN --trials LIST --rate {name} --overwrite"
        )
    errors = {"far": "false acceptances", "frr": "false rejections"}
    meaning = "equal error rates" if rate is None else f"at most {100 * rate:g} % {errors[kind]}"
    return ChosenPoint(name, meaning, found.llr_threshold, None, found)


def _numbers(name: str, numbers: list[str]) -> list[float]:
    try:
        return [float(number) for number in numbers]
    except ValueError as error:
        raise InputError(
            f'an operating point holds numbers after its colons, such as far:0.01, got "{name}"'
        ) from error


def outside_of_card(card: DecisionCard, quality: RecordingQuality) -> tuple[str, ...]:
    """Return, in sentences, where a recording lies outside of what the card was fitted on; none if it does not.

    A recording is outside when it has less speech, more noise, more silence or more clipping than 95 % of those the
    card has seen, lasts longer than all of them, or has a bandwidth more than 15 % below or above that of 90 % of them.
    A signal-to-noise ratio of 20 dB, half of silence and one clipped sample in a thousand are no trouble in any case.
    """
    seen = card.seen
    checks = (
        _too_low("too short: {:.1f} s of speech", quality.speech_s, seen.speech_s, math.inf, ("less", "{:.1f} s")),
        _too_long(quality.duration_s, seen.duration_s),
        _too_high("mostly silence: {:.0%} is not speech", quality.silence_share, seen.silence_share, 0.5, "{:.0%}"),
        _too_low("noisy: {:.0f} dB signal-to-noise ratio", quality.snr_db, seen.snr_db, 20, ("lower", "{:.0f} dB")),
        _other_bandwidth(quality.bandwidth_hz, seen.bandwidth_hz),
        _too_high("clipped: {:.2%} of its samples", quality.clipped_share, seen.clipped_share, 0.001, "{:.2%}"),
    )
    return tuple(check for check in checks if check)


def _too_low(what: str, value: float, seen: Range, most: float, words: tuple[str, str]) -> str | None:
    """Nothing from ``most`` on is worth a warning: it is no trouble in itself."""
    if value >= min(seen.low, most):
        return None
    word, unit = words
    which, limit = ("any recording", seen.smallest) if value < seen.smallest else ("95 % of the recordings", seen.low)
    return f"{what.format(value)}, {word} than {which} the card has seen ({unit.format(limit)} or more)"


def _too_high(what: str, value: float, seen: Range, least: float, unit: str) -> str | None:
    """Nothing below ``least`` is worth a warning: it is no trouble in itself."""
    if value <= max(seen.high, least):
        return None
    which, limit = ("any recording", seen.largest) if value > seen.largest else ("95 % of the recordings", seen.high)
    return f"{what.format(value)}, more than {which} the card has seen ({unit.format(limit)} or less)"


def _too_long(duration_s: float, seen: Range) -> str | None:
    if duration_s <= seen.largest:
        return None
    return f"long: {duration_s:.1f} s, longer than any recording the card has seen ({seen.largest:.1f} s or less)"


def _other_bandwidth(bandwidth_hz: float, seen: Range) -> str | None:
    if 0.85 * seen.low <= bandwidth_hz <= 1.15 * seen.high:
        return None
    return (
        f"another bandwidth: {bandwidth_hz / 1000:.1f} kHz, most recordings the card has seen have "
        f"{seen.low / 1000:.1f} to {seen.high / 1000:.1f} kHz"
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
