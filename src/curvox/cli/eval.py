"""``curvox eval``: how good is a model, or a file of scores, on trial lists?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curvox.cli.back_ends import COHORT_RECORDINGS
from curvox.cli.options import BackEnds, Cohort, Device, Resamples, Scorer, TrialCorpus

if TYPE_CHECKING:
    from curvox.reports import EvaluationReport

Run = Annotated[
    Path | None, typer.Argument(help="Run or model folder, such as runs/openvoices_ham; none with --scores.")
]
Trials = Annotated[list[Path], typer.Option(help="Trial list (repeat for several).")]
By = Annotated[
    list[str] | None,
    typer.Option(help='Break the figures down: --by gender, --by "language,channel", --by "session gap".'),
]
Style = Annotated[str, typer.Option(help="Of the trial lists: voxceleb, kaldi, cnceleb, nist, nist_key.")]
Enrolments = Annotated[Path | None, typer.Option(help="Map of models to recordings, where trials name models.")]
EnrolmentStyle = Annotated[str, typer.Option(help="Of that map: kaldi, cnceleb or nist.")]
EnrolWith = Annotated[
    str | None,
    typer.Option(
        help="For models of several recordings: spherical_mean, einstein_midpoint, frechet_mean, score_mean; "
        "default that of the space."
    ),
]
Scores = Annotated[
    Path | None, typer.Option(help="Evaluate this file of scores (enrolment test score) instead of a model.")
]
ScoreStyle = Annotated[str, typer.Option(help="Of that file: kaldi, cnceleb, voxceleb, nist, nist_key.")]
Llrs = Annotated[bool, typer.Option("--llrs", help="The scores are natural-log likelihood ratios already.")]
Output = Annotated[Path | None, typer.Option(help="Folder for the results; default RUN/eval/NAME-OF-TRIALS.")]
Seed = Annotated[int, typer.Option(help="Of the bootstrap.")]
Audio = Annotated[bool, typer.Option(help="Put the recordings of the worst errors on the page.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier evaluation.")]


def evaluate_run(
    run: Run = None,
    trials: Trials = [],  # noqa: B006
    data: TrialCorpus = None,
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

    from curvox.cli.evaluating import EvaluationSettings, evaluate_model, evaluate_score_file, read_lists
    from curvox.embedder import parse_by
    from curvox.errors import InputError

    if (run is None) == (scores is None):
        raise InputError("name either a run or a file of scores: curvox eval RUN …, or curvox eval --scores FILE …")
    settings = EvaluationSettings(
        by=("corpus", *(parse_by(text) for text in by or ())),
        llrs=llrs,
        resamples=resamples,
        seed=seed,
        audio=audio,
        overwrite=overwrite,
        command=_command(run, trials, back_end, by, scores, llrs),
    )
    lists = read_lists(trials, style=style, enrolments=enrolments, enrolment_style=enrolment_style)
    shared: dict[str, Any] = {"data": data, "output": output, "settings": settings, "console": Console(stderr=True)}
    if scores is not None:
        made = evaluate_score_file(scores, lists, style=score_style, **shared)
    else:
        assert run is not None
        how: dict[str, Any] = {"scorer": scorer, "per_speaker": cohort, "enrol_with": enrol_with, "device": device}
        made = evaluate_model(run, lists, back_ends=back_end or ["plain"], **how, **shared)
    _print(list(made))


def _print(made: list[tuple[Path, EvaluationReport]]) -> None:
    """Print a table for each trial list, a column for each back end, and where everything was written."""
    from rich.console import Console

    from curvox.reports import back_end_titles, breakdown_table, figures_table

    console = Console()
    for name in dict.fromkeys(report.trials.name for _, report in made):
        reports = [report for _, report in made if report.trials.name == name]
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
