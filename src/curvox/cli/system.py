"""A model under evaluation: all recordings of its trial lists embedded once, back ends fitted when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curvox.cli.back_ends import back_end_words, fit_back_end, read_back_end
from curvox.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.cli.evaluating import Lists
    from curvox.corpora import Corpus, TrialList, TrialPlan
    from curvox.embedder import CalibratedScoring, Embedder, MeasuredRecordings
    from curvox.reports import ScoringFacts
    from curvox.scoring import AbstractFittedBackEnd


@dataclass(frozen=True, eq=False)
class SystemScores:
    """What a back end made of a trial list: scores (T,), LLRs (T,) if calibrated, and how they came about."""

    scores: np.ndarray
    llrs: np.ndarray | None
    facts: ScoringFacts
    notes: tuple[str, ...] = ()
    sampling_rate_hz: int = 16_000


@dataclass(eq=False)
class ScoredSystem:
    """See the module."""

    run: Path
    model: Embedder
    corpus: Corpus
    lists: Lists
    data: Path | None
    scorer: str | None
    console: Console
    recordings: MeasuredRecordings | np.ndarray
    utterances: tuple[str, ...]
    fitted: dict[str, tuple[AbstractFittedBackEnd, str]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        run: Path,
        corpus: Corpus,
        lists: Lists,
        *,
        data: Path | None,
        scorer: str | None,
        device: str,
        console: Console,
    ) -> ScoredSystem:
        """Load a model and embed every recording that any of the lists names, once."""
        from curvox.cli.progress import counting
        from curvox.corpora import plan_trials
        from curvox.embedder import embed_utterances, load_embedder, measure_utterances

        model = load_embedder(run, device=device)
        plans = [plan_trials(trials, lists.enrolments) for trials in lists.trials]
        utterances = tuple(sorted({name for plan in plans for name in plan.utterances}))
        calibrated = model.calibrated
        embed = measure_utterances if calibrated and calibrated.calibration.quality_names else embed_utterances
        with counting(console, "embedding") as progress:
            recordings = embed(model, corpus, utterances, progress)
        return cls(run, model, corpus, lists, data, scorer, console, recordings, utterances)

    def score(
        self, trials: TrialList, name: str, *, per_speaker: int, enrol_with: str | None, llrs: bool
    ) -> SystemScores:
        """Score a list by the back end of a name; calibrated where the decision card is of that very scoring."""
        from curvox.corpora import plan_trials
        from curvox.embedder import default_way, score_plan

        plan = plan_trials(trials, self.lists.enrolments)
        calibrated = self._card_of(name)
        if calibrated is not None:
            back_end, cohort = calibrated.back_end, ""
        else:
            back_end, cohort = self._fitted(name, per_speaker)
        place = {utterance: row for row, utterance in enumerate(self.utterances)}
        rows = np.array([place[utterance] for utterance in plan.utterances])
        points = self._points()[rows]
        way = enrol_with or default_way(self.model.space)
        scores = score_plan(back_end, self.model.space, points, plan, enrol_with=way)
        ratios, calibration = None, ""
        if calibrated is not None:
            ratios, calibration = self._llrs(calibrated, scores, plan, rows), _words(calibrated)
        elif llrs:
            if name.partition(":")[0] != "plda":
                raise InputError(f"scores of the back end {name} are no likelihood ratios: run curvox calibrate first")
            ratios, calibration = scores, "likelihood ratios of the PLDA model itself, not calibrated on trials"
        several = any(len(of) > 1 for of in plan.rows)
        facts = self._facts(back_end, cohort, calibration, way if several else "")
        notes = tuple(self._notes(trials, calibrated))
        return SystemScores(scores, ratios, facts, notes, self.model.sampling_rate_hz)

    def _points(self) -> np.ndarray:
        return self.recordings if isinstance(self.recordings, np.ndarray) else self.recordings.points

    def _card_of(self, text: str) -> CalibratedScoring | None:
        """Return the decision card if it is of this back end, these settings and this scorer."""
        from curvox.scoring import default_scorer

        calibrated, wanted = self.model.calibrated, read_back_end(text, self.scorer).describe()
        if calibrated is None:
            return None
        own, card = default_scorer(self.model.space), calibrated.card.back_end
        scorers = (wanted.pop("scorer", None) or own, card.get("scorer") or own)
        fits = scorers[0] == scorers[1] and all(card.get(key) == value for key, value in wanted.items())
        return calibrated if fits else None

    def _fitted(self, text: str, per_speaker: int) -> tuple[AbstractFittedBackEnd, str]:
        from curvox.embedder import speakers_of

        if text not in self.fitted:
            sides = (
                side for trials in self.lists.trials for side in speakers_of(trials, self.corpus, self.lists.enrolments)
            )
            self.fitted[text] = fit_back_end(
                read_back_end(text, self.scorer),
                self.run,
                self.model,
                data=self.data,
                trial_speakers={speaker for side in sides for speaker in side.tolist()},
                per_speaker=per_speaker,
                console=self.console,
            )
        return self.fitted[text]

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

    def _llrs(self, calibrated: CalibratedScoring, scores: np.ndarray, plan: TrialPlan, rows: np.ndarray) -> np.ndarray:
        from curvox.embedder import MeasuredRecordings, enrol_models
        from curvox.scoring import RecordingMeasures

        if not isinstance(self.recordings, MeasuredRecordings):
            nothing = RecordingMeasures()
            return calibrated.llrs(scores, nothing, nothing)
        whole = self.recordings
        named = MeasuredRecordings(whole.points[rows], whole.norms[rows], tuple(whole.qualities[row] for row in rows))
        single = [np.array([row]) for row in range(len(rows))]
        measures = enrol_models(self.model, named, [*plan.rows, *single]).measures
        return calibrated.llrs(
            scores, measures.rows(plan.enrolment_index), measures.rows(len(plan.rows) + plan.test_index)
        )

    def _facts(self, back_end: AbstractFittedBackEnd, cohort: str, calibration: str, way: str) -> ScoringFacts:
        from curvox.cli.runs import run_folder, title_of
        from curvox.reports import ScoringFacts
        from curvox.scoring import default_scorer

        run = run_folder(self.run)
        settings = {key: value for key, value in back_end.describe().items() if key != "name"}
        scorer = settings.pop("scorer", None) or self.scorer or default_scorer(self.model.space)
        loss = self.model.description.get("training", {}).get("loss", {}).get("name", "")
        name = str(back_end.describe()["name"])
        return ScoringFacts(
            name=run.absolute().name,
            title=title_of(loss) or run.absolute().name,
            scorer="" if name == "plda" else str(scorer),
            back_end=name,
            settings={**settings, **({"enrolment": way} if way else {})},
            cohort=cohort,
            calibration=calibration,
            space=self.model.space.in_words(),
            parameters=sum(p.numel() for p in self.model.encoder.parameters()),
        )


def _words(calibrated: CalibratedScoring) -> str:
    card = calibrated.card
    kind = calibrated.calibration.describe().get("name", "calibration")
    return f"log-likelihood ratios by the decision card ({kind}, fitted on {card.fitted_on.trials})"
