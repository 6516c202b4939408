"""Fitting a decision card: calibration, its check on speakers it has not met, thresholds, and what was seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Corpus, TrialList, speakers_of
from curvox.embedder.card.decision_card import CalibratedScoring, DecisionCard, FittedOn, Seen, TailPoint
from curvox.embedder.checkpoint import digest_of, state_bytes
from curvox.embedder.decisions import EmbeddedRecordings, measures_of
from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace
from curvox.metrics import OPERATING_POINTS, OperatingPoint, cllr, equal_error_rate, frr_at_far, min_cllr
from curvox.scoring import (
    CALIBRATIONS,
    AbstractCalibration,
    AbstractFittedBackEnd,
    NamedThreshold,
    TrialQuality,
    find_thresholds,
    fit_calibration,
    held_out_llrs,
    measurable_rates,
    trial_quality,
)

LEAST_SPEAKERS, LEAST_TARGETS, LEAST_NON_TARGETS = 10, 30, 30
FARS, FRRS = (0.01, 0.001), (0.01, 0.05)
FOLDS = 5
POINTS = ("voxsrc", "voxceleb")
LEAST_TAIL_ERRORS = 10
"""A rate of false acceptance enters the tail of a card when the trials show at least this many of them."""

_ENOUGH_SPEAKERS = 30
_RATES_A_DECADE = 10


@dataclass(frozen=True)
class CardSettings:
    """How a card is fitted.

    Attributes:
        kind: a name in ``curvox.scoring.CALIBRATIONS``.
        quality: whether duration, signal-to-noise ratio and size of the embeddings enter the calibration.
        prior: of the same speaker: where a logistic calibration is to be good.
        fars: rates of false acceptance to find thresholds for, in (0, 1); those that the trials cannot show are left
            out, and the card says so.
        frrs: rates of false rejection, likewise.
        resamples: of the bootstrap over speakers behind the intervals, at least 1.
        seed: of the folds and of the bootstrap.
    """

    kind: str = "logistic"
    quality: bool = False
    prior: float = 0.5
    fars: tuple[float, ...] = FARS
    frrs: tuple[float, ...] = FRRS
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings now that would be refused after the work."""
        require_name(self.kind, CALIBRATIONS, "calibration")
        for name, values in (("prior", (self.prior,)), ("a rate", (*self.fars, *self.frrs))):
            for value in values:
                if not 0 < value < 1:
                    raise InputError(f"{name} must lie strictly between 0 and 1, got {value}")
        if self.resamples < 1:
            raise InputError(f"resamples must be at least 1, got {self.resamples}; 1000 give steady intervals")
        if self.quality and self.kind != "logistic":
            raise InputError(f"quality enters a logistic calibration alone, not one by {self.kind}; leave one out")


@dataclass(frozen=True, eq=False)
class CardTrials:
    """T trials with scores (T,), labels (T,), the speakers of both sides (T,), and quality for the calibration."""

    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    enrolment_speakers: NDArray[np.str_]
    test_speakers: NDArray[np.str_]
    quality: TrialQuality | None

    @property
    def speakers(self) -> set[str]:
        """Everybody in them."""
        return {*self.enrolment_speakers.tolist(), *self.test_speakers.tolist()}

    @property
    def targets(self) -> int:
        """Number of same-speaker trials."""
        return int(self.labels.sum())

    @property
    def non_targets(self) -> int:
        """Number of different-speaker trials."""
        return self.labels.size - self.targets

    def fit(self, settings: CardSettings) -> AbstractCalibration:
        """Return the calibration fitted to all of them."""
        return fit_calibration(self.scores, self.labels, **self._how(settings))

    def held_out(self, settings: CardSettings) -> NDArray[np.float64]:
        """Return the ratios (T,), each by a calibration fitted without the trial's speakers."""
        sides = self.enrolment_speakers, self.test_speakers
        how = self._how(settings)
        folds: dict[str, Any] = {"folds": FOLDS, "seed": settings.seed, "across_folds": "fit"}
        return held_out_llrs(self.scores, self.labels, *sides, **how, **folds).llrs

    def _how(self, settings: CardSettings) -> dict[str, Any]:
        """Return how a calibration is fitted, by the arguments of ``curvox.scoring.fit_calibration``."""
        how = {"kind": settings.kind, "prior": settings.prior, "smoothing": True}
        if self.quality is None:
            return how
        return {**how, "quality": self.quality.columns, "quality_names": self.quality.names}


def gather_trials(
    space: AbstractSpace,
    corpus: Corpus,
    trials: TrialList,
    recordings: EmbeddedRecordings,
    back_end: AbstractFittedBackEnd,
    settings: CardSettings,
) -> tuple[CardTrials, list[str]]:
    """Return scored trials for a card, and notes on measures of quality that were left out.

    Raises:
        InputError: trials without labels.
    """
    if trials.labels is None:
        raise InputError(f"a calibration is fitted to labelled trials, those of {trials.source} have no labels")
    enrolment, test = trials.indices()
    scores = back_end.scores(recordings.points, enrolment, test)
    quality, notes = None, []
    if settings.quality:
        measures = measures_of(space, recordings)
        quality, constant = _varying(trial_quality(measures.rows(enrolment), measures.rows(test)))
        notes = [f"{name} is the same in all trials, so the calibration leaves it out" for name in constant]
    return CardTrials(scores, trials.labels, *speakers_of(trials, corpus), quality), notes


def _varying(quality: TrialQuality) -> tuple[TrialQuality | None, list[str]]:
    """Return the columns that differ between trials, and the names of those that do not."""
    varies = np.ptp(quality.columns, axis=0) > 0
    constant = [name for name, kept in zip(quality.names, varies, strict=True) if not kept]
    names = tuple(name for name, kept in zip(quality.names, varies, strict=True) if kept)
    return (TrialQuality(names, quality.columns[:, varies]) if names else None), constant


def require_enough(rows: CardTrials, source: str) -> None:
    """Refuse trials that are too few for a card, with the numbers."""
    counts = (
        (len(rows.speakers), LEAST_SPEAKERS, "speakers"),
        (rows.targets, LEAST_TARGETS, "same-speaker trials"),
        (rows.non_targets, LEAST_NON_TARGETS, "different-speaker trials"),
    )
    few = [f"{count} {what} (at least {least})" for count, least, what in counts if count < least]
    if few:
        raise InputError(
            f"{source} is too small for a decision card: it has {' and '.join(few)}; its thresholds would be guesses. "
            "Give a list of more speakers, 30 or more if you can"
        )


def fit_card(
    space: AbstractSpace,
    fingerprint: str,
    corpus: Corpus,
    trials: TrialList,
    recordings: EmbeddedRecordings,
    back_end: AbstractFittedBackEnd,
    *,
    training_speakers: Collection[str] | None,
    date: str,
    settings: CardSettings | None = None,
) -> CalibratedScoring:
    """Fit a decision card to labelled trials.

    The calibration of the card is fitted to all trials. Its figures and thresholds come from other calibrations, each
    fitted to the trials of four fifths of the speakers and used on the rest (``curvox.scoring.held_out_llrs``).

    Args:
        space: of the model whose card it is.
        fingerprint: of that model, see `model_fingerprint`.
        corpus: of the trials.
        trials: labelled, between utterances of ``corpus``.
        recordings: those of ``trials.utterances``, in their order, measured.
        back_end: what scores the trials.
        training_speakers: names of the speakers the model was trained on; None where they are not known.
        date: of today, as YYYY-MM-DD.
        settings: how; the defaults if None.

    Raises:
        InputError: trials without labels, too few speakers or trials, or scores that no calibration can be fitted to.
    """
    settings = settings or CardSettings()
    rows, notes = gather_trials(space, corpus, trials, recordings, back_end, settings)
    require_enough(rows, trials.source)
    calibration, llrs = rows.fit(settings), rows.held_out(settings)
    after = cllr(llrs, rows.labels)
    thresholds, missing = _thresholds(rows, llrs, settings)
    shared = None if training_speakers is None else rows.speakers & set(training_speakers)
    card = DecisionCard(
        model=fingerprint,
        back_end=back_end.describe(),
        back_end_state=digest_of(state_bytes(back_end.state())),
        calibration=calibration.describe(),
        fitted_on=_fitted_on(rows, trials, corpus, shared, date),
        cllr_before=cllr(rows.scores, rows.labels),
        cllr_after=after,
        min_cllr=min_cllr(llrs, rows.labels),
        eer=equal_error_rate(llrs, rows.labels).value,
        thresholds=thresholds,
        non_target_tail=tail_of(llrs, rows.labels),
        seen=Seen.of(recordings.qualities, [corpus[name].channel for name in trials.utterances]),
        warnings=(*_speaker_notes(rows.speakers, shared), *notes, *missing, *_figure_notes(rows, settings, after)),
    )
    return CalibratedScoring(card, back_end, calibration)


def _fitted_on(rows: CardTrials, trials: TrialList, corpus: Corpus, shared: set[str] | None, date: str) -> FittedOn:
    return FittedOn(
        trials=trials.source,
        corpus=corpus.name,
        targets=rows.targets,
        non_targets=rows.non_targets,
        speakers=len(rows.speakers),
        training_speakers=None if shared is None else len(shared),
        folds=FOLDS,
        date=date,
    )


def tail_of(llrs: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[TailPoint, ...]:
    """Return thresholds for rates of false acceptance from 0.5 down, ten a decade, as far as the trials show them.

    A rate is shown where at least `LEAST_TAIL_ERRORS` false acceptances are to be expected at it.
    """
    non_targets = int((~labels).sum())
    rates = 0.5 * 10.0 ** (-np.arange(200) / _RATES_A_DECADE)
    shown = [float(f"{rate:.3g}") for rate in rates if rate * non_targets >= LEAST_TAIL_ERRORS]
    points = [TailPoint(rate, float(frr_at_far(llrs, labels, rate).threshold)) for rate in shown]
    return tuple(point for point in points if np.isfinite(point.llr_threshold))


def _thresholds(
    rows: CardTrials, llrs: NDArray[np.float64], settings: CardSettings
) -> tuple[tuple[NamedThreshold, ...], list[str]]:
    """Return thresholds on the held-out ratios (T,), and a note on every rate that the trials cannot show."""
    fars = measurable_rates(settings.fars, rows.non_targets)
    frrs = measurable_rates(settings.frrs, rows.targets)
    reached = tuple(rate for rate in fars if np.isfinite(frr_at_far(llrs, rows.labels, rate).threshold))
    notes = [
        *_unseen("far", set(settings.fars) - set(fars), rows.non_targets, "different-speaker"),
        *_unseen("frr", set(settings.frrs) - set(frrs), rows.targets, "same-speaker"),
        *(
            f"no threshold far:{rate:g}: more different-speaker trials than that share the highest ratio"
            for rate in fars
            if rate not in reached
        ),
    ]
    points: list[OperatingPoint] = list(dict.fromkeys([OPERATING_POINTS[name] for name in POINTS]))
    thresholds = find_thresholds(
        llrs,
        rows.labels,
        enrolment_speakers=rows.enrolment_speakers,
        test_speakers=rows.test_speakers,
        fars=reached,
        frrs=frrs,
        points=[OperatingPoint(0.5), *points],
        resamples=settings.resamples,
        seed=settings.seed,
    )
    few = [one.name for one in thresholds if one.kind in ("far", "frr") and one.too_small]
    rest = "rests" if len(few) == 1 else "rest"
    return thresholds, [*notes, *([f"{' and '.join(few)} {rest} on fewer than 30 errors"] if few else [])]


def _unseen(kind: str, rates: set[float], trials: int, which: str) -> list[str]:
    return [
        f"no threshold {kind}:{rate:g}: {trials:,} {which} trials show less than one error at it"
        for rate in sorted(rates, reverse=True)
    ]


def _speaker_notes(speakers: set[str], shared: set[str] | None) -> list[str]:
    notes = []
    if shared:
        notes.append(
            f"{len(shared)} of the {len(speakers)} speakers bear names of speakers the model was trained on; if they "
            "are the same people, every figure is too good and the thresholds are wrong for others"
        )
    if shared is None:
        notes.append("it is not known which speakers the model was trained on, so they may be among these")
    if len(speakers) < _ENOUGH_SPEAKERS:
        notes.append(f"fitted on {len(speakers)} speakers; with fewer than {_ENOUGH_SPEAKERS} an interval says little")
    return notes


def _figure_notes(rows: CardTrials, settings: CardSettings, after: float) -> list[str]:
    notes = []
    if after >= 1:
        notes.append(f"Cllr is {after:.3f} bit, no better than saying nothing (1 bit): do not decide by this card")
    if rows.quality is not None:
        without = cllr(replace(rows, quality=None).held_out(settings), rows.labels)
        if after >= without:
            notes.append(f"quality does not help here: Cllr is {after:.3f} bit with it and {without:.3f} bit without")
    return notes
