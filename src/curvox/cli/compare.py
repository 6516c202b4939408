"""``curvox compare``: is one system better than another, or was it luck?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import BackEnd, Data, Device, JsonFile, Resamples, Seed

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.evaluating import Comparison, FinishedEvaluation


Runs = Annotated[
    list[Path],
    typer.Argument(help="Runs, or folders that curvox eval wrote; each is compared with the first."),
]
Trials = Annotated[
    Path | None,
    typer.Option(
        help="Trial list, on which runs are evaluated first that were not yet; default the one evaluation of each run."
    ),
]
Figures = Annotated[
    list[str] | None,
    typer.Option(
        "--figure",
        help="Figure to compare, such as eer, min_dcf:0.01, act_dcf:0.05 or cllr; repeat for several, default those "
        "that fit in a table.",
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown in place of tables.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX for the package booktabs in place of tables.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="New folder for comparison.md, .tex, .json and a page; default none."),
]


def compare(
    runs: Runs,
    trials: Trials = None,
    data: Data = None,
    back_end: BackEnd = "plain",
    figure: Figures = None,
    markdown: Markdown = False,
    latex: Latex = False,
    json_file: JsonFile = None,
    output: Output = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Put systems side by side on the same trials, with intervals and a paired test of each against the first."""
    from rich.console import Console

    from curvox.cli.terminal import STANDARD_OUTPUT, json_output, stages
    from curvox.errors import InputError, OutputExistsError
    from curvox.evaluating import compare as compare_systems
    from curvox.evaluating import read_back_end
    from curvox.records import to_json
    from curvox.reports import write_comparison_folder

    as_json = json_file == STANDARD_OUTPUT
    if markdown + latex + as_json > 1:
        raise InputError("print one of --markdown, --latex and --json -; with --output all of them are written")
    if len(runs) < 2:
        raise InputError(f"a comparison needs two systems or more, got {len(runs)}")
    if output is not None and output.exists():
        raise OutputExistsError(f"{output} exists already; name another folder or move it away")
    read_back_end(back_end)
    console = Console(stderr=True)
    with json_output(json_file) as write_json:
        finished = [_finished(run, trials, data, back_end, resamples, device, console) for run in runs]
        with stages(console) as progress:
            comparison = compare_systems(
                finished, figures=figure or (), resamples=resamples, seed=seed, progress=progress
            )
        write_json(to_json(comparison.to_dict()))
    if not as_json:
        _print(comparison, "latex" if latex else "markdown" if markdown else "")
    if output is not None:
        write_comparison_folder(output, comparison, finished)
        console.print(f"tables, JSON and page: {output}", markup=False, highlight=False)


def _print(comparison: Comparison, language: str) -> None:
    from rich.console import Console

    from curvox.reports import comparison_latex, comparison_markdown, comparison_tables

    if language == "latex":
        print(comparison_latex(comparison), end="")
    elif language == "markdown":
        print(comparison_markdown(comparison), end="")
    else:
        for table in comparison_tables(comparison):
            Console().print(table)


def _finished(
    run: Path, trials: Path | None, data: Path | None, back_end: str, resamples: int, device: str, console: Console
) -> FinishedEvaluation:
    """Read the evaluation of a run; make it first, with its folder, where there is none on these trials."""
    from curvox.cli.eval import EvalOptions, evaluate_lists
    from curvox.evaluating import find_evaluation, read_evaluation_folder

    found = find_evaluation(run, None if trials is None else trials.name, back_end)
    if found is not None:
        return found
    assert trials is not None  # without trials an evaluation was found or refused
    console.print(f"{run} was not evaluated on {trials.name} yet", markup=False, highlight=False)
    options = EvalOptions(back_ends=(back_end,), data=data, resamples=resamples, device=device)
    ((folder, _),) = evaluate_lists(run, [trials], options, console)
    return read_evaluation_folder(folder)
