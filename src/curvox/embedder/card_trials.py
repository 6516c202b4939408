"""The trials behind a decision card: scored, with their speakers and what the calibration is told of their quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Corpus, TrialList
from curvox.embedder.embedder import Embedder
from curvox.embedder.evaluation import speakers_of
from curvox.embedder.recordings import MeasuredRecordings, measures_of
from curvox.errors import InputError, require_name
from curvox.scoring import (
    CALIBRATIONS,
    AbstractCalibration,
    AbstractFittedBackEnd,
    TrialQuality,
    fit_calibration,
    held_out_llrs,
    trial_quality,
)

LEAST_SPEAKERS, LEAST_TARGETS, LEAST_NON_TARGETS = 10, 30, 30
FARS, FRRS = (0.01, 0.001), (0.01, 0.05)
FOLDS = 5


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
        quality, names = self._columns()
        return fit_calibration(
            self.scores,
            self.labels,
            kind=settings.kind,
            quality=quality,
            quality_names=names,
            prior=settings.prior,
            smoothing=True,
        )

    def held_out(self, settings: CardSettings) -> NDArray[np.float64]:
        """Return the ratios (T,), each by a calibration fitted without the trial's speakers."""
        quality, names = self._columns()
        return held_out_llrs(
            self.scores,
            self.labels,
            self.enrolment_speakers,
            self.test_speakers,
            kind=settings.kind,
            quality=quality,
            quality_names=names,
            prior=settings.prior,
            smoothing=True,
            folds=FOLDS,
            seed=settings.seed,
            across_folds="fit",
        ).llrs

    def _columns(self) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
        return (None, ()) if self.quality is None else (self.quality.columns, self.quality.names)


def gather_trials(
    model: Embedder,
    corpus: Corpus,
    trials: TrialList,
    recordings: MeasuredRecordings,
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
        measures = measures_of(model, recordings)
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
