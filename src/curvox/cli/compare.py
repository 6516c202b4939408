"""``curvox compare``: is one system better than another, or was it luck?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.back_ends import BACK_END_NAMES, read_back_end

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.reports import Comparison, FinishedEvaluation, Report


Runs = Annotated[
    list[Path], typer.Argument(help="Runs, or folders that curvox eval wrote; the first is compared against.")
]
Trials = Annotated[
    Path | None, typer.Option(help="Trial list; runs that were not evaluated on it are evaluated first.")
]
Data = Annotated[Path | None, typer.Option(help="Corpus of the trials, for runs that are evaluated first.")]
BackEnd = Annotated[str, typer.Option(help=f"Of the runs: {BACK_END_NAMES}.")]
Figures = Annotated[
    list[str] | None,
    typer.Option("--figure", help="Compare this figure: eer, min_dcf:0.01, act_dcf:0.05, cllr … (repeat for several)."),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX for the package booktabs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write comparison.md, .tex, .json and a page to this folder.")
]
Resamples = Annotated[int, typer.Option(help="Of the bootstrap over speakers behind p and intervals.")]
Seed = Annotated[int, typer.Option(help="Of the bootstrap.")]
Device = Annotated[str, typer.Option(help="cpu or cuda, for runs that are evaluated first.")]


def compare(
    runs: Runs,
    trials: Trials = None,
    data: Data = None,
    back_end: BackEnd = "plain",
    figure: Figures = None,
    markdown: Markdown = False,
    latex: Latex = False,
    as_json: Json = False,
    output: Output = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Put systems side by side on the same trials, with intervals and a paired test of each against the first."""
    from rich.console import Console

    from curvox.errors import InputError, OutputExistsError

    if markdown + latex + as_json > 1:
        raise InputError("print one of --markdown, --latex and --json; with --output all of them are written")
    if len(runs) < 2:
        raise InputError(f"a comparison needs two systems or more, got {len(runs)}")
    if output is not None and output.exists():
        raise OutputExistsError(f"{output} exists already; name another folder or move it away")
    read_back_end(back_end)
    console = Console(stderr=True)
    finished = [_finished(run, trials, data, back_end, resamples, device, console) for run in runs]
    with console.status(f"{resamples} resamples of the speakers, {len(runs) - 1} pairs"):
        comparison = compare_finished(finished, keys=figure or (), resamples=resamples, seed=seed)
    _print(comparison, "latex" if latex else "markdown" if markdown else "json" if as_json else "")
    if output is not None:
        _write(output, comparison, finished)
        console.print(f"tables, JSON and page: {output}", markup=False, highlight=False)


def _print(comparison: Comparison, language: str) -> None:
    from rich.console import Console

    from curvox.records import to_json
    from curvox.reports import comparison_latex, comparison_markdown, comparison_tables

    if language == "latex":
        print(comparison_latex(comparison), end="")
    elif language == "markdown":
        print(comparison_markdown(comparison), end="")
    elif language == "json":
        print(to_json(comparison.to_dict()), end="")
    else:
        for table in comparison_tables(comparison):
            Console().print(table)


def compare_finished(
    finished: Sequence[FinishedEvaluation], *, keys: Sequence[str] = (), resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare evaluations of the same trials with the first of them.

    Args:
        finished: two or more.
        keys: figures to compare; those that fit in a table if empty.
        resamples: of the speakers, the same for both of a pair.
        seed: of the resamples.

    Raises:
        InputError: evaluations of different trials, or of trials whose speakers differ; the message names them.
    """
    from curvox.metrics import compare_systems
    from curvox.reports import ComparedSystem, Comparison

    first = finished[0]
    wanted = tuple(keys) or _shared_keys(finished)
    titles = _titles(finished)
    systems = []
    for title, other in zip(titles, finished, strict=True):
        order = same_trials(first, other)
        differences = ()
        if other is not first:
            differences = compare_systems(
                first.scores,
                other.scores[order],
                first.labels,
                enrolment_speakers=first.enrolment_speakers,
                test_speakers=first.test_speakers,
                keys=wanted,
                first_llrs=first.report.evaluation.llrs,
                second_llrs=other.report.evaluation.llrs,
                resamples=resamples,
                seed=seed,
            )
        figures = tuple(f for key in wanted if (f := other.report.evaluation.figure(key)) is not None)
        systems.append(ComparedSystem(title, figures, differences))
    evaluation = first.report.evaluation
    return Comparison(
        trials=first.report.trials.name,
        targets=evaluation.targets,
        non_targets=evaluation.non_targets,
        speakers=evaluation.speakers,
        systems=tuple(systems),
        keys=wanted,
        resamples=resamples,
        seed=seed,
    )


def _shared_keys(finished: Sequence[FinishedEvaluation]) -> tuple[str, ...]:
    """Return the figures that fit in a table; of Cllr and actual costs only where all systems have LLRs."""
    from curvox.reports import breakdown_keys

    keys = breakdown_keys(finished[0].report.evaluation)
    if all(of.report.evaluation.llrs for of in finished):
        return keys
    return tuple(key for key in keys if key.split(":")[0] in ("eer", "min_dcf"))


def same_trials(first: FinishedEvaluation, second: FinishedEvaluation) -> list[int]:
    """Return where the trials of the first stand in the second, or refuse trials that are not the same.

    Raises:
        InputError: pairs that only one of them has, pairs repeated more often in one, or other speakers.
    """
    from collections import Counter

    from curvox.errors import InputError

    pairs = [list(zip(of.enrolments, of.tests, strict=True)) for of in (first, second)]
    counts = [Counter(of) for of in pairs]
    for one, other, here, there in ((0, 1, first, second), (1, 0, second, first)):
        only = counts[one] - counts[other]
        if only:
            pair = min(only)
            raise InputError(
                f"{first.folder} and {second.folder} were not scored on the same trials: {here.folder} "
                f"({len(pairs[one]):,} trials of {here.report.trials.name}) has {only.total():,} that {there.folder} "
                f'({len(pairs[other]):,} of {there.report.trials.name}) has not, such as "{pair[0]} {pair[1]}"; '
                "evaluate both on one list"
            )
    speakers = [
        dict(zip((*of.enrolments, *of.tests), (*of.enrolment_speakers, *of.test_speakers), strict=True))
        for of in (first, second)
    ]
    name = next((name for name, speaker in speakers[0].items() if speakers[1][name] != speaker), None)
    if name is not None:
        raise InputError(
            f'"{name}" is of the speaker "{speakers[0][name]}" in {first.folder} and of "{speakers[1][name]}" in '
            f"{second.folder}; evaluate both on one corpus"
        )
    places: dict[tuple[str, str], list[int]] = {}
    for i, pair in enumerate(reversed(pairs[1])):
        places.setdefault(pair, []).append(len(pairs[1]) - 1 - i)
    return [places[pair].pop() for pair in pairs[0]]


def _finished(
    run: Path, trials: Path | None, data: Path | None, back_end: str, resamples: int, device: str, console: Console
) -> FinishedEvaluation:
    from curvox.cli.evaluating import EvaluationSettings, evaluate_model, folder_name, read_lists
    from curvox.cli.runs import run_folder
    from curvox.errors import InputError
    from curvox.reports import read_evaluation_folder

    if (run / "evaluation.json").is_file():
        return read_evaluation_folder(run)
    if trials is None:
        done = sorted(path.parent for path in run_folder(run).glob("eval/*/evaluation.json"))
        if len(done) == 1:
            return read_evaluation_folder(done[0])
        named = ", ".join(str(path) for path in done[:8]) or "none"
        raise InputError(f"{run} is no evaluation: name one of its evaluations ({named}), or a list with --trials")
    folder = run_folder(run) / "eval" / folder_name(run, trials.name, back_end)
    if not folder.exists():
        console.print(f"{run} was not evaluated on {trials.name} yet", markup=False, highlight=False)
        made = evaluate_model(
            run,
            read_lists([trials], style="voxceleb"),
            back_ends=[back_end],
            data=data,
            settings=EvaluationSettings(resamples=resamples),
            device=device,
            console=console,
        )
        list(made)
    return read_evaluation_folder(folder)


def _titles(finished: Sequence[FinishedEvaluation]) -> list[str]:
    """Return titles that tell the systems apart: the loss, its back end, and more where that is not enough."""
    from curvox.errors import InputError
    from curvox.reports import column_title, column_titles

    apart = column_titles([of.report for of in finished])
    names = [of.report.scoring.name for of in finished]
    ways = (
        [column_title(of.report) for of in finished],
        [f"{name}: {column_title(of.report)}" for name, of in zip(names, finished, strict=True)],
        apart,
        [f"{name}: {title}" for name, title in zip(names, apart, strict=True)],
        [f"{name}/{of.folder.name}: {title}" for name, of, title in zip(names, finished, apart, strict=True)],
        [str(of.folder) for of in finished],
    )
    for titles in ways:
        if len(set(titles)) == len(titles):
            return titles
    raise InputError(f"a system is compared with itself: {finished[0].folder} comes more than once")


def _write(output: Path, comparison: Comparison, finished: Sequence[FinishedEvaluation]) -> None:
    from curvox.files import new_folder, replace_text
    from curvox.records import to_json
    from curvox.reports import comparison_latex, comparison_markdown, render_page

    report = _report(comparison, finished)

    def write(fresh: Path) -> None:
        for name, text in (
            ("comparison.md", comparison_markdown(comparison)),
            ("comparison.tex", comparison_latex(comparison)),
            ("comparison.json", to_json(comparison.to_dict())),
            ("report.html", render_page(report)),
        ):
            replace_text(fresh / name, text)

    new_folder(output, write)


def _report(comparison: Comparison, finished: Sequence[FinishedEvaluation]) -> Report:
    """Return what the page shows: the figures of all systems, in the groups that all of them have."""
    import shlex
    from dataclasses import replace

    from curvox.reports import Report, SystemResult

    evaluations = [of.report.evaluation for of in finished]
    common = [
        name
        for name in evaluations[0].groups
        if all(name in of.groups and of.groups[name].eer is not None for of in evaluations)
    ]
    systems = tuple(
        SystemResult(
            system.title,
            system.title,
            replace(evaluation, groups={name: evaluation.groups[name] for name in common}),
            parameters=of.report.scoring.parameters,
            space=of.report.scoring.space,
        )
        for system, of, evaluation in zip(comparison.systems, finished, evaluations, strict=True)
    )
    folders = [f"{of.report.scoring.name}/eval/{of.folder.name}" for of in finished]
    return Report(
        title=f"{len(systems)} systems on {comparison.trials}",
        subtitle=f"The same trials for all; each is tested against {systems[0].title}.",
        systems=systems,
        comparison=comparison,
        command=shlex.join(["curvox", "compare", *folders]),
    )
