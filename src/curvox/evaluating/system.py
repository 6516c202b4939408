"""A system under evaluation: all recordings of its trial lists embedded once, then scored by any back end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Corpus, EnrolmentMap, TrialList, TrialPlan, plan_trials, speakers_of
from curvox.embedder import (
    CalibratedScoring,
    EmbeddedRecordings,
    Embedder,
    load,
    measures_of_sides,
)
from curvox.errors import InputError
from curvox.evaluating.back_ends import COHORT_RECORDINGS, back_end_words, fit_back_end, read_back_end
from curvox.evaluating.folders import run_folder, title_of
from curvox.evaluating.report import Progress, ScoringFacts, staged
from curvox.geometry import AbstractSpace
from curvox.scoring import (
    SCORE_MEAN,
    AbstractFittedBackEnd,
    average_scores,
    enrol,
    recording_trials,
)


@dataclass(frozen=True, eq=False)
class ScoredTrials:
    """A trial list with a score for each trial, made by a system or by somebody else.

    Attributes:
        trials: T trials.
        corpus: where the labels of their utterances stand.
        scores: (T,) larger for the same speaker.
        llrs: (T,) natural-log likelihood ratios; None where the scores are only scores.
        enrolments: the models of the trials, where they name models.
        facts: how the scores came about.
        notes: sentences to read the results by.
        sampling_rate_hz: what the system heard.
    """

    trials: TrialList
    corpus: Corpus
    scores: NDArray[np.float64]
    llrs: NDArray[np.float64] | None = None
    enrolments: EnrolmentMap | None = None
    facts: ScoringFacts = field(default_factory=lambda: ScoringFacts("scores", "scores"))
    notes: tuple[str, ...] = ()
    sampling_rate_hz: int = 16_000


@dataclass(frozen=True, eq=False)
class System:
    """A model and the embeddings of all recordings that some trial lists name.

    Attributes:
        model: with a decision card where it was calibrated.
        corpus: of the trials.
        lists: the trial lists.
        recordings: embedded; measured too where the calibration is by quality.
        utterances: their names.
        enrolments: the models of the trials, where they name models.
        run: the run of the model, whose training speakers a back end may be fitted on; None without one.
        data: where the recordings of those speakers are, if they are not where the run found them.
    """

    model: Embedder
    corpus: Corpus
    lists: tuple[TrialList, ...]
    recordings: EmbeddedRecordings
    utterances: tuple[str, ...]
    enrolments: EnrolmentMap | None = None
    run: Path | None = None
    data: Path | None = None
    _fitted: dict[tuple[str, str | None, int], tuple[AbstractFittedBackEnd, str]] = field(default_factory=dict)

    def score(
        self,
        trials: TrialList,
        back_end: str = "plain",
        *,
        scorer: str | None = None,
        enrol_with: str | None = None,
        llrs: bool = False,
        per_speaker: int = COHORT_RECORDINGS,
        progress: Progress | None = None,
    ) -> ScoredTrials:
        """Score one of the lists by a back end; calibrated where the decision card is of that very scoring.

        The arguments are those of `evaluate`.

        Raises:
            InputError: scores that are no likelihood ratios where they must be, and what the back end refuses.
        """
        plan = plan_trials(trials, self.enrolments)
        calibrated = self._card_of(back_end, scorer)
        if calibrated is not None:
            fitted, cohort = calibrated.back_end, ""
        else:
            fitted, cohort = self._fit(back_end, scorer, per_speaker, progress)
        place = {utterance: row for row, utterance in enumerate(self.utterances)}
        rows = np.array([place[utterance] for utterance in plan.utterances])
        way = enrol_with or self.model.space.default_enrolment
        scores = score_plan(fitted, self.model.space, self.recordings.points[rows], plan, enrol_with=way)
        ratios, calibration = None, ""
        if calibrated is not None:
            ratios, calibration = self._llrs(calibrated, scores, plan, rows), _words(calibrated)
        elif llrs:
            if back_end.partition(":")[0] != "plda":
                raise InputError(
                    f"scores of the back end {back_end} are no likelihood ratios: run curvox calibrate first"
                )
            ratios, calibration = scores, "likelihood ratios of the PLDA model itself, not calibrated on trials"
        several = any(len(of) > 1 for of in plan.rows)
        return ScoredTrials(
            trials=trials,
            corpus=self.corpus,
            scores=scores,
            llrs=ratios,
            enrolments=self.enrolments,
            facts=self._facts(fitted, scorer, cohort, calibration, way if several else ""),
            notes=tuple(self._notes(trials, calibrated)),
            sampling_rate_hz=self.model.sampling_rate_hz,
        )

    def _card_of(self, text: str, scorer: str | None) -> CalibratedScoring | None:
        """Return the decision card if it is of this back end, these settings and this scorer."""
        calibrated, wanted = self.model.calibrated, read_back_end(text, scorer).describe()
        if calibrated is None:
            return None
        own, card = self.model.space.default_scorer, calibrated.card.back_end
        scorers = (wanted.pop("scorer", None) or own, card.get("scorer") or own)
        fits = scorers[0] == scorers[1] and all(card.get(key) == value for key, value in wanted.items())
        return calibrated if fits else None

    def _fit(
        self, text: str, scorer: str | None, per_speaker: int, progress: Progress | None
    ) -> tuple[AbstractFittedBackEnd, str]:
        key = (text, scorer, per_speaker)
        if key not in self._fitted:
            sides = (side for trials in self.lists for side in speakers_of(trials, self.corpus, self.enrolments))
            self._fitted[key] = fit_back_end(
                read_back_end(text, scorer),
                self.model,
                run=self.run,
                data=self.data,
                trial_speakers={speaker for side in sides for speaker in side.tolist()},
                per_speaker=per_speaker,
                progress=progress,
            )
        return self._fitted[key]

    def _notes(self, trials: TrialList, used: CalibratedScoring | None) -> Iterator[str]:
        card = None if self.model.calibrated is None else self.model.calibrated.card
        if card is None:
            return
        if used is None:
            own = back_end_words(card.back_end)
            yield f"The decision card of this model is of scores by {own}; those evaluated here are not calibrated."
        elif (card.fitted_on.trials, card.fitted_on.corpus) == (trials.source, self.corpus.name):
            yield (
                f"The decision card was fitted on {trials.source} itself: Cllr and actual costs are better here than "
                "they will be on other trials."
            )

    def _llrs(
        self, calibrated: CalibratedScoring, scores: NDArray[np.float64], plan: TrialPlan, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        single = [np.array([row]) for row in range(len(rows))]
        sides = measures_of_sides(
            calibrated,
            self.model.space,
            self.recordings.rows(rows),
            [*plan.rows, *single],
            plan.enrolment_index,
            len(plan.rows) + plan.test_index,
        )
        return calibrated.llrs(scores, *sides)

    def _facts(
        self, back_end: AbstractFittedBackEnd, scorer: str | None, cohort: str, calibration: str, way: str
    ) -> ScoringFacts:
        loss = title_of(self.model.description.get("training", {}).get("loss", {}).get("name", ""))
        own = loss or "model" if self.run is None else run_folder(self.run).absolute().name
        settings = {key: value for key, value in back_end.describe().items() if key != "name"}
        used = settings.pop("scorer", None) or scorer or self.model.space.default_scorer
        name = str(back_end.describe()["name"])
        return ScoringFacts(
            name=own,
            title=loss or own,
            scorer="" if name == "plda" else str(used),
            back_end=name,
            settings={**settings, **({"enrolment": way} if way else {})},
            cohort=cohort,
            calibration=calibration,
            space=self.model.space.in_words(),
            parameters=sum(p.numel() for p in self.model.encoder.parameters()),
        )


def open_system(
    model: Embedder | str | Path,
    corpus: Corpus,
    lists: Sequence[TrialList],
    *,
    enrolments: EnrolmentMap | None = None,
    data: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> System:
    """Load a model and embed every recording that any of the lists names, once.

    Args:
        model: a model, or the path of a run or model folder.
        corpus: of the trials.
        lists: trial lists, checked against the corpus here.
        enrolments: the models of the trials, where they name models.
        data: where the recordings of the training speakers are, if they are not where the run found them.
        device: where a model given by its path computes.
        progress: told how far the embedding is.

    Raises:
        CheckpointError: the model folder is damaged.
        CorpusError: trials that do not fit the corpus.
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    for trials in lists:
        trials.check_against(corpus, enrolments)
    run = None if isinstance(model, Embedder) else Path(model)
    loaded = model if isinstance(model, Embedder) else load(model, device=device)
    utterances = utterances_of(lists, enrolments)
    measured = loaded.calibrated is not None and bool(loaded.calibrated.calibration.quality_names)
    recordings = loaded.embed_utterances(corpus, utterances, measure=measured, progress=staged(progress, "embedding"))
    return System(loaded, corpus, tuple(lists), recordings, utterances, enrolments, run, data)


def utterances_of(lists: Sequence[TrialList], enrolments: EnrolmentMap | None = None) -> tuple[str, ...]:
    """Return the utterances that trials of any of the lists need, sorted."""
    return tuple(sorted({name for trials in lists for name in plan_trials(trials, enrolments).utterances}))


def score_plan(
    back_end: AbstractFittedBackEnd,
    space: AbstractSpace,
    points: NDArray[np.floating],
    plan: TrialPlan,
    *,
    enrol_with: str | None = None,
) -> NDArray[np.float64]:
    """Return the score of every trial of a plan.

    Args:
        back_end: fitted to the space.
        space: where the points live.
        points: (N, D), the embedding of each of ``plan.utterances``.
        plan: which rows each trial compares.
        enrol_with: how a model of several recordings becomes one point, a name in `curvox.scoring.ENROLMENTS`, or
            "score_mean" for the mean of the scores of its recordings; not needed where every model has one.

    Raises:
        InputError: a model of several recordings without ``enrol_with``, and what the back end refuses.
    """
    if all(len(rows) == 1 for rows in plan.rows):
        first = np.array([rows[0] for rows in plan.rows], dtype=np.int64)
        return back_end.scores(points, first[plan.enrolment_index], plan.test_index)
    if enrol_with is None:
        several = sum(len(rows) > 1 for rows in plan.rows)
        raise InputError(
            f"{several} of {len(plan.rows)} models are made of several recordings; say how they become one, such as "
            f"spherical_mean or {SCORE_MEAN}"
        )
    if enrol_with == SCORE_MEAN:
        trials = recording_trials(plan.rows, plan.enrolment_index, plan.test_index)
        return average_scores(back_end.scores(points, trials.enrolment_index, trials.test_index), trials)
    models = enrol(space, points, plan.rows, way=enrol_with)
    return back_end.scores(
        np.concatenate((points.astype(np.float64), models)), len(points) + plan.enrolment_index, plan.test_index
    )


def _words(calibrated: CalibratedScoring) -> str:
    card = calibrated.card
    kind = calibrated.calibration.describe().get("name", "calibration")
    return f"log-likelihood ratios by the decision card ({kind}, fitted on {card.fitted_on.trials})"
