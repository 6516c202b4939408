"""Evaluating, comparing and calibrating: a model and labelled trials become figures, differences, a decision card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from curvox.corpora import (
    Corpus,
    EnrolmentMap,
    TrialList,
    align,
    read_corpus,
    read_enrolments,
    read_scores,
    read_trials,
    repeated_trials,
    same_recordings,
    speakers_of,
)
from curvox.embedder import (
    CalibratedScoring,
    CardSettings,
    Embedder,
    fit_card,
    load,
    model_fingerprint,
    model_folder,
    require_new_card,
    write_card,
)
from curvox.errors import InputError
from curvox.evaluating.back_ends import COHORT_RECORDINGS, fit_back_end, read_back_end
from curvox.evaluating.comparison import Comparison, compare_finished
from curvox.evaluating.folders import FinishedEvaluation, corpus_of, find_evaluation, training_speakers
from curvox.evaluating.report import Breakdown, EvaluationReport, Progress, ScoringFacts, TrialFacts, staged
from curvox.evaluating.system import ScoredTrials, open_system
from curvox.evaluating.trial_parts import By, breakdowns_of, worst_trials
from curvox.metrics import DEFAULT_POINTS, DEFAULT_RATES, OperatingPoint
from curvox.metrics import evaluate as figures_of


def evaluate(
    model: Embedder | str | Path,
    trials: TrialList | str | Path,
    corpus: Corpus | str | Path | None = None,
    *,
    back_end: str = "plain",
    scorer: str | None = None,
    enrolments: EnrolmentMap | str | Path | None = None,
    enrol_with: str | None = None,
    by: Sequence[By] = ("corpus",),
    llrs: bool = False,
    per_speaker: int = COHORT_RECORDINGS,
    resamples: int = 1000,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> FinishedEvaluation:
    """Evaluate a model on a trial list: ``evaluate("runs/x", "trials/test.txt").evaluation.eer``.

    It is what ``curvox eval`` does, less the files.

    Args:
        model: a model, or the path of a run (``runs/x``) or of a model folder.
        trials: labelled trials, or the path of a list in the style of VoxCeleb (``1 enrolment test``).
        corpus: of the trials, or its path; for a run the corpus it was trained on, if None.
        back_end: how scores are made, such as "plain", "as_norm" or "as_norm:top_k=100"; one that learns is fitted on
            the training speakers of the run, so that ``model`` must be the path of a run.
        scorer: a name in ``curvox.scoring.SCORERS``; that of the model's space if None.
        enrolments: where the trials name models: which recordings each is made of, or the path of such a map in the
            style of Kaldi.
        enrol_with: how a model of several recordings becomes one point, or "score_mean"; the way of the space if None.
        by: manifest columns, or pairs of them, whose values part the trials; see `breakdowns_of`.
        llrs: whether the scores must be likelihood ratios; those of a calibrated model are, where the back end is that
            of its decision card.
        per_speaker: recordings of each training speaker that the back end is fitted on, at most.
        resamples: of the bootstrap over speakers behind the intervals; 0 leaves them out.
        seed: of the bootstrap.
        device: where a model given by its path computes, such as ``cpu`` or ``cuda``.
        progress: told what is being done, how much of it is done, and of how much.

    Raises:
        InputError: trials without labels or of one class only, a bare model without ``corpus``, an unknown back end.
        CorpusError: the corpus or the list cannot be read, or do not fit each other.
        CheckpointError: the model folder is damaged.
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    read_back_end(back_end, scorer)
    if isinstance(enrolments, (str, Path)):
        enrolments = read_enrolments(enrolments, style="kaldi")
    listed, whole, data = _read(model, trials, corpus)
    system = open_system(model, whole, [listed], enrolments=enrolments, data=data, device=device, progress=progress)
    scored = system.score(
        listed,
        back_end,
        scorer=scorer,
        enrol_with=enrol_with,
        llrs=llrs,
        per_speaker=per_speaker,
        progress=progress,
    )
    return evaluate_scored(scored, by=by, resamples=resamples, seed=seed, progress=progress)


def compare(
    systems: Sequence[FinishedEvaluation | Embedder | str | Path],
    trials: TrialList | str | Path | None = None,
    corpus: Corpus | str | Path | None = None,
    *,
    back_end: str = "plain",
    figures: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Comparison:
    """Compare systems on the same trials, each with the first: ``compare(["runs/a", "runs/b"], "trials/test.txt")``.

    The arguments are those of `evaluate`, but for:

    Args:
        systems: two or more. An evaluation that `evaluate` gave is taken as it is, and so is one that ``curvox eval``
            left: in a folder that is named itself, or in a run, on these trials by this back end. Other runs and
            models are evaluated first.
        trials: labelled trials or the path of a list; needed where something is to be evaluated, and where a run holds
            several evaluations.
        figures: keys of the figures to compare, such as "eer" or "min_dcf:0.01"; those that fit in a table if empty.
        resamples: of the speakers behind intervals and p-values, the same for both systems of a pair.

    Raises:
        InputError: fewer than two systems, evaluations of different trials or of trials whose speakers differ; the
            message names them.
    """
    read_back_end(back_end)

    def finished(system: FinishedEvaluation | Embedder | str | Path) -> FinishedEvaluation:
        if isinstance(system, FinishedEvaluation):
            return system
        if not isinstance(system, Embedder):
            name = trials.source if isinstance(trials, TrialList) else None if trials is None else Path(trials).name
            found = find_evaluation(Path(system), name, back_end)
            if found is not None:
                return found
        if trials is None:
            raise InputError("a model that was not evaluated yet needs a trial list: name it as trials")
        return evaluate(
            system, trials, corpus, back_end=back_end, resamples=resamples, device=device, progress=progress
        )

    found = [finished(system) for system in systems]
    if progress is not None:
        progress(f"{resamples} resamples of the speakers, {len(found) - 1} pairs", 0, 0)
    return compare_finished(found, keys=figures, resamples=resamples, seed=seed)


def evaluate_scored(
    scored: ScoredTrials,
    *,
    by: Sequence[By] = ("corpus",),
    points: Sequence[OperatingPoint] = DEFAULT_POINTS,
    rates: Sequence[float] = DEFAULT_RATES,
    resamples: int = 1000,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> FinishedEvaluation:
    """Return every figure of scored trials, of their LLRs where they have some, and the trials on the wrong end.

    The arguments are those of `evaluate`, but for:

    Args:
        scored: labelled trials and their scores, from a `System` or from anywhere.
        points: operating points of the detection costs.
        rates: error rates at which the other one is stated.
        command: the command line that makes this evaluation again.

    Raises:
        InputError: trials without labels, or what ``curvox.metrics.evaluate`` refuses.
    """
    trials, corpus, enrolments = scored.trials, scored.corpus, scored.enrolments
    if trials.labels is None:
        raise InputError("these trials have no labels, so they can be scored but not evaluated")
    if progress is not None:
        name = scored.facts.back_end if scored.facts.scorer else scored.facts.name
        progress(f"{trials.source}, {name}: {resamples} resamples of the speakers", 0, 0)
    judged = scored.scores if scored.llrs is None else scored.llrs
    breakdowns = breakdowns_of(trials, corpus, by, enrolments=enrolments)
    enrolment_speakers, test_speakers = speakers_of(trials, corpus, enrolments)
    evaluation = figures_of(
        judged,
        trials.labels,
        enrolment_speakers=enrolment_speakers,
        test_speakers=test_speakers,
        points=points,
        llrs=scored.llrs is not None,
        rates=rates,
        groups={name: mask for masks in breakdowns.values() for name, mask in masks.items()} or None,
        same_recording=same_recordings(corpus, trials, enrolments),
        repeated=repeated_trials(trials, enrolments),
        resamples=resamples,
        seed=seed,
    )
    at = evaluation.eer and evaluation.eer.threshold
    report = EvaluationReport(
        scoring=scored.facts,
        trials=_facts(trials, corpus),
        evaluation=evaluation,
        breakdowns=tuple(Breakdown(title, tuple(masks)) for title, masks in breakdowns.items()),
        worst=() if at is None else worst_trials(trials, judged, corpus, threshold=at, enrolments=enrolments),
        notes=scored.notes,
        command=command,
    )
    return FinishedEvaluation(
        report=report,
        enrolments=tuple(trials.enrolments),
        tests=tuple(trials.tests),
        scores=np.asarray(scored.scores),
        enrolment_speakers=tuple(enrolment_speakers.tolist()),
        test_speakers=tuple(test_speakers.tolist()),
        llrs=scored.llrs,
    )


def scores_from_file(
    path: str | Path,
    trials: TrialList,
    corpus: Corpus,
    *,
    style: str = "kaldi",
    llrs: bool = False,
    enrolments: EnrolmentMap | None = None,
) -> ScoredTrials:
    """Read the scores that somebody else gave to trials, in whatever order.

    Args:
        path: the file.
        trials: the list, checked against the corpus here.
        corpus: of the trials.
        style: of the file, see ``curvox.corpora.read_scores``.
        llrs: whether the scores are natural-log likelihood ratios already.
        enrolments: the models of the trials, where they name models.

    Raises:
        CorpusError: the file cannot be read, or trials have no score.
    """
    path = Path(path)
    trials.check_against(corpus, enrolments)
    scores = align(read_scores(path, style=style), trials)
    stated = f"taken as natural-log likelihood ratios, as --llrs says of {path.name}" if llrs else ""
    facts = ScoringFacts(name=path.stem, title=path.stem, calibration=stated)
    return ScoredTrials(trials, corpus, scores, scores if llrs else None, enrolments, facts)


def _read(
    model: Embedder | str | Path, trials: TrialList | str | Path, corpus: Corpus | str | Path | None
) -> tuple[TrialList, Corpus, Path | None]:
    """Return the trials, their corpus, and its path where that was given."""
    listed = trials if isinstance(trials, TrialList) else read_trials(trials, style="voxceleb")
    if isinstance(corpus, Corpus):
        return listed, corpus, None
    data = None if corpus is None else Path(corpus)
    if not isinstance(model, Embedder):
        return listed, corpus_of(Path(model), data), data
    if data is None:
        raise InputError("a model without its run names no corpus: give the corpus of the trials")
    return listed, read_corpus(data, check_files=False), data


def _facts(trials: TrialList, corpus: Corpus) -> TrialFacts:
    pairs = set(zip(trials.enrolments, trials.tests, strict=True))
    swapped = len(pairs) - len({frozenset(pair) for pair in pairs})
    return TrialFacts(trials.source, corpus.name, len(trials.utterances), trials.duplicates, swapped)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A decision card made ready, and the file in which it was kept."""

    scoring: CalibratedScoring
    path: Path


def calibrate(
    run: str | Path,
    trials: TrialList | str | Path,
    corpus: Corpus | str | Path | None = None,
    *,
    back_end: str = "plain",
    scorer: str | None = None,
    settings: CardSettings | None = None,
    per_speaker: int = COHORT_RECORDINGS,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Calibrated:
    """Fit a calibration to labelled trials, check it on speakers it has not met, and store the decision card.

    The arguments are those of `evaluate`, but for:

    Args:
        run: the path of a run or of a model folder; the card is written beside the model.
        trials: labelled trials of speakers the model was not trained on, or the path of a list in VoxCeleb's style.
        settings: of the calibration and its thresholds; the defaults if None.
        overwrite: replace an earlier card.

    Raises:
        OutputExistsError: there is a card, and ``overwrite`` is not set.
        InputError: too few trials for a card, and what `evaluate` refuses, as the other errors.
    """
    run, settings = Path(run), settings or CardSettings()
    chosen, folder = read_back_end(back_end, scorer), model_folder(run)
    require_new_card(folder, overwrite=overwrite)
    listed, whole, data = _read(run, trials, corpus)
    listed.check_against(whole)
    # An earlier card is about to be replaced; a damaged or foreign one must not stand in its way.
    model = load(run, device=device, with_card=False)
    fitted, _ = fit_back_end(
        chosen,
        model,
        run=run,
        data=data,
        trial_speakers={name for side in speakers_of(listed, whole) for name in side.tolist()},
        per_speaker=per_speaker,
        progress=progress,
    )
    recordings = model.embed_utterances(whole, listed.utterances, measure=True, progress=staged(progress, "embedding"))
    if progress is not None:
        progress(f"calibration, {settings.resamples} resamples of the speakers", 0, 0)
    scoring = fit_card(
        model.space,
        model_fingerprint(folder),
        whole,
        listed,
        recordings,
        fitted,
        training_speakers=training_speakers(run),
        date=datetime.now(UTC).date().isoformat(),
        settings=settings,
    )
    path = write_card(folder, scoring.card, fitted.state(), overwrite=overwrite)
    return Calibrated(scoring, path)
