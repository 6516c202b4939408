"""What ``curvox eval`` and ``curvox compare`` do for each trial list and back end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curvox.cli.back_ends import COHORT_RECORDINGS, read_back_end
from curvox.errors import InputError, OutputExistsError

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.cli.system import SystemScores
    from curvox.corpora import Corpus, EnrolmentMap, TrialList
    from curvox.reports import Clip, EvaluationReport, TrialFacts

ERRORS_SHOWN = 10


@dataclass(frozen=True)
class EvaluationSettings:
    """What does not hang on the model: how the scores of a list are evaluated and shown."""

    by: tuple[Any, ...] = ("corpus",)
    llrs: bool = False
    resamples: int = 1000
    seed: int = 0
    audio: bool = True
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Lists:
    """Trial lists as they were read, and the models they name where they name models."""

    trials: tuple[TrialList, ...]
    enrolments: EnrolmentMap | None = None


def read_lists(
    paths: Sequence[Path], *, style: str, enrolments: Path | None = None, enrolment_style: str = "kaldi"
) -> Lists:
    """Read trial lists of one style."""
    from curvox.corpora import read_enrolments, read_trials

    if not paths:
        raise InputError("expected a trial list: --trials LIST, repeated for several lists")
    twice = sorted({path.stem for path in paths if [other.stem for other in paths].count(path.stem) > 1})
    if twice:
        raise InputError(f"two trial lists are called {twice[0]}: their results would have one place; evaluate apart")
    models = None if enrolments is None else read_enrolments(enrolments, style=enrolment_style)
    return Lists(tuple(read_trials(path, style=style) for path in paths), models)


def evaluate_model(
    run: Path,
    lists: Lists,
    *,
    back_ends: Sequence[str],
    settings: EvaluationSettings,
    console: Console,
    data: Path | None = None,
    scorer: str | None = None,
    per_speaker: int = COHORT_RECORDINGS,
    enrol_with: str | None = None,
    output: Path | None = None,
    device: str = "cpu",
) -> Iterator[tuple[Path, EvaluationReport]]:
    """Score every list by every back end; write and yield each evaluation when it is done."""
    from curvox.cli.runs import corpus_of
    from curvox.cli.system import ScoredSystem

    for text in back_ends:
        read_back_end(text, scorer)
    jobs = [(trials, name) for trials in lists.trials for name in dict.fromkeys(back_ends)]
    folders = [_folder(run, trials, name, scorer, output, alone=len(jobs) == 1) for trials, name in jobs]
    for folder in folders:
        claim(folder, settings.overwrite)
    corpus = corpus_of(run, data)
    for trials in lists.trials:
        trials.check_against(corpus, lists.enrolments)
    system = ScoredSystem.load(run, corpus, lists, data=data, scorer=scorer, device=device, console=console)
    for (trials, name), folder in zip(jobs, folders, strict=True):
        scored = system.score(trials, name, per_speaker=per_speaker, enrol_with=enrol_with, llrs=settings.llrs)
        with console.status(_working(trials, name, settings)):
            report = _evaluate(folder, trials, lists, corpus, scored, settings)
        yield folder, report


def evaluate_score_file(
    scores: Path,
    lists: Lists,
    *,
    data: Path | None,
    style: str,
    output: Path | None,
    settings: EvaluationSettings,
    console: Console,
) -> Iterator[tuple[Path, EvaluationReport]]:
    """Evaluate scores that somebody else made."""
    from curvox.cli.system import SystemScores
    from curvox.corpora import align, read_corpus, read_scores
    from curvox.reports import ScoringFacts

    if len(lists.trials) != 1:
        raise InputError(f"a file of scores belongs to one trial list, got {len(lists.trials)}")
    if data is None:
        raise InputError("scores need the corpus of their trials, for its speakers: name it with --data")
    trials = lists.trials[0]
    folder = output or scores.with_name(f"{scores.stem}-{Path(trials.source).stem}")
    claim(folder, settings.overwrite)
    corpus = read_corpus(data, check_files=False)
    trials.check_against(corpus, lists.enrolments)
    aligned = align(read_scores(scores, style=style), trials)
    facts = ScoringFacts(
        name=scores.stem, title=scores.stem, calibration=_STATED.format(scores.name) if settings.llrs else ""
    )
    scored = SystemScores(aligned, aligned if settings.llrs else None, facts)
    with console.status(_working(trials, scores.name, settings)):
        report = _evaluate(folder, trials, lists, corpus, scored, settings)
    yield folder, report


_STATED = "taken as natural-log likelihood ratios, as --llrs says of {}"


def _working(trials: TrialList, name: str, settings: EvaluationSettings) -> str:
    return f"{trials.source}, {name}: {settings.resamples} resamples of the speakers"


def claim(folder: Path, overwrite: bool) -> None:
    """Refuse a taken output folder; only one that holds nothing but an earlier evaluation is ever replaced."""
    from curvox.reports import EVALUATION_FILES

    if not folder.exists():
        return
    if not overwrite:
        raise OutputExistsError(f"{folder} exists already: replace it with --overwrite, or name another --output")
    foreign = {p.name for p in folder.iterdir()} - EVALUATION_FILES if folder.is_dir() else {folder.name}
    if foreign:
        raise OutputExistsError(
            f"{folder} holds more than an evaluation ({', '.join(sorted(foreign)[:5])}), so it is not replaced; "
            "name another --output"
        )


def folder_name(run: Path, trials: str, back_end: str = "plain", scorer: str | None = None) -> str:
    """Return the name of the folder of an evaluation inside RUN/eval, such as test-as_norm."""
    from curvox.cli.runs import run_folder

    parts = [Path(trials).stem, *([] if run_folder(run) == run else [run.name]), *([] if scorer is None else [scorer])]
    if back_end != "plain":
        parts.append(re.sub(r"[^\w.]+", "-", back_end))
    return "-".join(parts)


def _folder(run: Path, trials: TrialList, back_end: str, scorer: str | None, output: Path | None, alone: bool) -> Path:
    """Beside the checkpoints, not in one of them, where the next checkpoint would sweep it away."""
    from curvox.cli.runs import run_folder

    if output is not None and alone:
        return output
    name = folder_name(run, trials.source, back_end, scorer)
    return (output or run_folder(run) / "eval") / name


def _evaluate(
    folder: Path, trials: TrialList, lists: Lists, corpus: Corpus, scored: SystemScores, settings: EvaluationSettings
) -> EvaluationReport:
    """Take the figures of a list's scores, write the folder and return what stands in it."""
    from curvox.embedder import breakdowns_of, evaluate_trials
    from curvox.reports import Breakdown, EvaluationReport, worst_trials, write_evaluation_folder

    judged = scored.scores if scored.llrs is None else scored.llrs
    breakdowns = breakdowns_of(trials, corpus, settings.by, enrolments=lists.enrolments)
    evaluation = evaluate_trials(
        trials,
        judged,
        corpus,
        enrolments=lists.enrolments,
        breakdowns=breakdowns,
        llrs=scored.llrs is not None,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    worst = ()
    if evaluation.eer is not None:
        at = evaluation.eer.threshold
        worst = worst_trials(trials, judged, corpus, threshold=at, count=ERRORS_SHOWN, enrolments=lists.enrolments)
    report = EvaluationReport(
        scoring=scored.facts,
        trials=_facts(trials, corpus),
        evaluation=evaluation,
        breakdowns=tuple(Breakdown(title, tuple(masks)) for title, masks in breakdowns.items()),
        worst=worst,
        notes=scored.notes,
        command=settings.command,
    )
    write_evaluation_folder(
        folder,
        report,
        trials=trials,
        scores=scored.scores,
        llrs=scored.llrs,
        speakers=_speakers(trials, corpus, lists.enrolments),
        clips=_clips(report, corpus, scored.sampling_rate_hz) if settings.audio else None,
    )
    return report


def _facts(trials: TrialList, corpus: Corpus) -> TrialFacts:
    from curvox.reports import TrialFacts

    pairs = set(zip(trials.enrolments, trials.tests, strict=True))
    swapped = len(pairs) - len({frozenset(pair) for pair in pairs})
    return TrialFacts(trials.source, corpus.name, len(trials.utterances), trials.duplicates, swapped)


def _speakers(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> dict[str, str]:
    from curvox.embedder import first_recording

    speakers = {name: corpus[name].speaker for name in set(trials.tests)}
    models = {name: corpus[first_recording(name, enrolments)].speaker for name in set(trials.enrolments)}
    clash = sorted(name for name in models if speakers.get(name, models[name]) != models[name])
    if clash:
        raise InputError(f'"{clash[0]}" is a model and an utterance of two different speakers; rename the model')
    return {**speakers, **models}


def _clips(report: EvaluationReport, corpus: Corpus, sampling_rate_hz: int) -> Mapping[str, Clip]:
    from curvox.reports import clips_of

    sides = [side for trial in report.worst for side in (trial.enrolment, trial.test)]
    return clips_of([side.utterance for side in sides], corpus, sampling_rate_hz=sampling_rate_hz)
