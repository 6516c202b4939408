"""``curvox eval``: how good is a model, or a file of scores, on trial lists?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curvox.cli.options import (
    COHORT_RECORDINGS,
    ENROLMENT_WAYS,
    TRIAL_STYLES,
    Audio,
    BackEnds,
    Cohort,
    Data,
    Device,
    EnrolmentStyle,
    Overwrite,
    Resamples,
    Scorer,
    Seed,
    Style,
    complete,
    either,
)

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.corpora import EnrolmentMap, TrialList
    from curvox.evaluating import FinishedEvaluation, Progress, ScoredTrials

Run = Annotated[
    Path | None, typer.Argument(help="Run or model folder, such as runs/openvoices_ham; none with --scores.")
]
Trials = Annotated[list[Path], typer.Option(help="Trial list; repeat for several.")]
By = Annotated[
    list[str] | None,
    typer.Option(
        help='Columns to break the figures down by: --by gender, --by "language,channel", --by "session gap"; default '
        "corpus alone."
    ),
]
Enrolments = Annotated[
    Path | None, typer.Option(help="Map of models to recordings, where trials name models; default none.")
]
EnrolWith = Annotated[
    str | None,
    typer.Option(
        help=f"Way to enrol models of several recordings: {either(ENROLMENT_WAYS)}; default that of the space.",
        autocompletion=complete(ENROLMENT_WAYS),
    ),
]
Scores = Annotated[
    Path | None,
    typer.Option(help="File of scores (enrolment test score) to evaluate instead of a model; default none."),
]
ScoreStyle = Annotated[
    str,
    typer.Option(help=f"Style of the file of scores: {either(TRIAL_STYLES)}.", autocompletion=complete(TRIAL_STYLES)),
]
Llrs = Annotated[
    bool, typer.Option("--llrs", help="Take the scores for natural-log likelihood ratios, which they must be.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for the results; default RUN/eval/NAME-OF-TRIALS.")
]


@dataclass(frozen=True)
class EvalOptions:
    """What ``curvox eval`` is asked for beside the system and its trials."""

    back_ends: tuple[str, ...] = ("plain",)
    data: Path | None = None
    scorer: str | None = None
    per_speaker: int = COHORT_RECORDINGS
    by: tuple[Any, ...] = ("corpus",)
    style: str = "voxceleb"
    enrolments: Path | None = None
    enrolment_style: str = "kaldi"
    enrol_with: str | None = None
    llrs: bool = False
    output: Path | None = None
    resamples: int = 1000
    seed: int = 0
    audio: bool = True
    overwrite: bool = False
    device: str = "cpu"
    command: str = ""


def evaluate_run(
    run: Run = None,
    trials: Trials = [],  # noqa: B006
    data: Data = None,
    scorer: Scorer = None,
    back_end: BackEnds = None,
    cohort: Cohort = COHORT_RECORDINGS,
    by: By = None,
    style: Style = "voxceleb",
    enrolments: Enrolments = None,
    enrolment_style: EnrolmentStyle = "kaldi",
    enrol_with: EnrolWith = None,
    scores: Scores = None,
    score_style: ScoreStyle = "kaldi",
    llrs: Llrs = False,
    output: Output = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    audio: Audio = True,
    overwrite: Overwrite = False,
    device: Device = "cpu",
) -> None:
    """Score trial lists; prints every figure with 95 % intervals and writes scores, JSON and a page for each."""
    from rich.console import Console

    from curvox.errors import InputError
    from curvox.evaluating import parse_by

    if (run is None) == (scores is None):
        raise InputError("name either a run or a file of scores: curvox eval RUN …, or curvox eval --scores FILE …")
    options = EvalOptions(
        back_ends=tuple(dict.fromkeys(back_end or ["plain"])),
        data=data,
        scorer=scorer,
        per_speaker=cohort,
        by=("corpus", *(parse_by(text) for text in by or ())),
        style=style,
        enrolments=enrolments,
        enrolment_style=enrolment_style,
        enrol_with=enrol_with,
        llrs=llrs,
        output=output,
        resamples=resamples,
        seed=seed,
        audio=audio,
        overwrite=overwrite,
        device=device,
        command=_command(run, trials, back_end, by, scores, llrs),
    )
    console = Console(stderr=True)
    if run is not None:
        _print(list(evaluate_lists(run, trials, options, console)))
    elif scores is not None:
        _print([_evaluate_score_file(scores, trials, score_style, options, console)])


def evaluate_lists(
    run: Path, trials: Sequence[Path], options: EvalOptions, console: Console
) -> Iterator[tuple[Path, FinishedEvaluation]]:
    """Score every list by every back end; write and yield each evaluation when it is done."""
    from curvox.cli.terminal import stages
    from curvox.evaluating import EVALUATION_FILES, corpus_of, open_system, read_back_end
    from curvox.files import require_replaceable

    lists, models = _read_lists(trials, options)
    for text in options.back_ends:
        read_back_end(text, options.scorer)
    jobs = [(listed, name) for listed in lists for name in options.back_ends]
    folders = [_folder(run, listed, name, options, alone=len(jobs) == 1) for listed, name in jobs]
    for folder in folders:
        require_replaceable(folder, EVALUATION_FILES, "an evaluation", overwrite=options.overwrite)
    corpus = corpus_of(run, options.data)
    with stages(console) as progress:
        system = open_system(
            run, corpus, lists, enrolments=models, data=options.data, device=options.device, progress=progress
        )
        for (listed, name), folder in zip(jobs, folders, strict=True):
            scored = system.score(
                listed,
                name,
                scorer=options.scorer,
                enrol_with=options.enrol_with,
                llrs=options.llrs,
                per_speaker=options.per_speaker,
                progress=progress,
            )
            yield folder, _finish(folder, scored, options, progress)


def _evaluate_score_file(
    scores: Path, trials: Sequence[Path], style: str, options: EvalOptions, console: Console
) -> tuple[Path, FinishedEvaluation]:
    """Evaluate scores that somebody else made."""
    from curvox.cli.terminal import stages
    from curvox.corpora import read_corpus
    from curvox.errors import InputError
    from curvox.evaluating import EVALUATION_FILES, scores_from_file
    from curvox.files import require_replaceable

    (lists, models), data = _read_lists(trials, options), options.data
    if len(lists) != 1:
        raise InputError(f"a file of scores belongs to one trial list, got {len(lists)}")
    if data is None:
        raise InputError("scores need the corpus of their trials, for its speakers: name it with --data")
    folder = options.output or scores.with_name(f"{scores.stem}-{Path(lists[0].source).stem}")
    require_replaceable(folder, EVALUATION_FILES, "an evaluation", overwrite=options.overwrite)
    corpus = read_corpus(data, check_files=False)
    scored = scores_from_file(scores, lists[0], corpus, style=style, llrs=options.llrs, enrolments=models)
    with stages(console) as progress:
        return folder, _finish(folder, scored, options, progress)


def _read_lists(paths: Sequence[Path], options: EvalOptions) -> tuple[list[TrialList], EnrolmentMap | None]:
    """Read trial lists of one style, and the models they name where they name models."""
    from curvox.corpora import read_enrolments, read_trials
    from curvox.errors import InputError

    if not paths:
        raise InputError("expected a trial list: --trials LIST, repeated for several lists")
    twice = sorted({path.stem for path in paths if [other.stem for other in paths].count(path.stem) > 1})
    if twice:
        raise InputError(f"two trial lists are called {twice[0]}: their results would have one place; evaluate apart")
    enrolments, style = options.enrolments, options.enrolment_style
    models = None if enrolments is None else read_enrolments(enrolments, style=style)
    return [read_trials(path, style=options.style) for path in paths], models


def _folder(run: Path, trials: TrialList, back_end: str, options: EvalOptions, *, alone: bool) -> Path:
    from curvox.evaluating import evaluation_folder, evaluation_name

    if options.output is None:
        return evaluation_folder(run, trials.source, back_end, options.scorer)
    return options.output if alone else options.output / evaluation_name(run, trials.source, back_end, options.scorer)


def _finish(folder: Path, scored: ScoredTrials, options: EvalOptions, progress: Progress) -> FinishedEvaluation:
    """Take the figures of a list's scores, write the folder with its page and return what stands in it."""
    from curvox.evaluating import evaluate_scored, write_evaluation_folder
    from curvox.reports import clips_of, render_evaluation_page

    finished = evaluate_scored(
        scored,
        by=options.by,
        resamples=options.resamples,
        seed=options.seed,
        command=options.command,
        progress=progress,
    )
    clips = None
    if options.audio:
        sides = [side for trial in finished.report.worst for side in (trial.enrolment, trial.test)]
        names = [side.utterance for side in sides]
        clips = clips_of(names, scored.corpus, sampling_rate_hz=scored.sampling_rate_hz)
    write_evaluation_folder(folder, finished, page=render_evaluation_page(finished.report, clips=clips))
    return finished


def _print(made: list[tuple[Path, FinishedEvaluation]]) -> None:
    """Print a table for each trial list, a column for each back end, and where everything was written."""
    from rich.console import Console

    from curvox.evaluating import back_end_titles
    from curvox.reports import breakdown_table, figures_table

    console = Console()
    for name in dict.fromkeys(one.report.trials.name for _, one in made):
        reports = [one.report for _, one in made if one.report.trials.name == name]
        console.print(figures_table(reports))
        for report, title in zip(reports, back_end_titles(reports), strict=True):
            where = "" if len(reports) == 1 else f"{title}: "
            for breakdown in report.breakdowns:
                console.print(breakdown_table(report.evaluation, breakdown, where=where))
            health = report.evaluation.health
            for warning in (*(health.warnings if health else ()), *filter(None, [report.evaluation.too_small])):
                console.print(f"[yellow]warning:[/] {where}", end="")
                print(warning)
            for note in report.notes:
                print(f"{where}{note}")
    for folder, _ in made:
        print(f"scores, figures and page: {folder}")


def _command(
    run: Path | None,
    trials: list[Path],
    back_end: list[str] | None,
    by: list[str] | None,
    scores: Path | None,
    llrs: bool,
) -> str:
    """Return the command line that a page names, without the folders of this machine."""
    import shlex

    words = ["curvox", "eval"]
    words += [] if run is None else [run.name or str(run)]
    words += [] if scores is None else ["--scores", scores.name]
    for option, values in (
        ("--trials", [path.name for path in trials]),
        ("--back-end", back_end or []),
        ("--by", by or []),
    ):
        words += [word for value in values for word in (option, value)]
    return shlex.join([*words, *(["--llrs"] if llrs else [])])
