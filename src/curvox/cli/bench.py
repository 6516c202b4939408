"""``curvox bench``: a grid of settings and seeds, trained, evaluated and compared."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import Runs
from curvox.errors import InputError, TrainingError

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.bench import BenchPlan, Cell, CellState, Outcome, Pace, RunRecord


def bench(
    file: Annotated[Path, typer.Argument(help="Bench file, such as benches/openvoices.yaml.")],
    data: Annotated[Path | None, typer.Option(help="Corpus folder or manifest; default data.path of the base.")] = None,
    runs: Runs = Path("runs"),
    jobs: Annotated[
        int | None,
        typer.Option(help="Number of cells at once; default one a GPU, without any one a core, of 2 GiB memory each."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Setting to run alone; repeat for several, default all.")
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option(help="Seed to run alone; repeat for several, default all.")] = None,
    cell: Annotated[
        str | None,
        typer.Option(help="Cell to run alone, by number or name: $SLURM_ARRAY_TASK_ID or am-seed_2; default all."),
    ] = None,
    list_cells: Annotated[bool, typer.Option("--list", help="Print the cells and how far they are; run none.")] = False,
    page_only: Annotated[bool, typer.Option("--page-only", help="Write the page of what is there; run none.")] = False,
) -> None:
    """Train and evaluate every setting of a bench from every seed, and write a leaderboard.

    A run goes to RUNS/NAME/SETTING-seed_SEED. What is done is not done again, what is half done goes on.
    """
    from rich.console import Console

    from curvox.bench import check_levels, check_settings, chosen_cells, refuse_others

    if sum((cell is not None, list_cells, page_only)) > 1:
        raise InputError("--cell, --list and --page-only are three different things; take one of them")
    if page_only and (only or seeds):
        raise InputError("the page shows all cells there are: leave --only and --seeds out")
    if jobs is not None and (cell is not None or list_cells or page_only):
        raise InputError("--jobs is for many cells at once: leave it out")
    console = Console(stderr=True)
    plan = _plan(file, data, runs)
    cells = chosen_cells(plan.bench, settings=only or (), seeds=seeds or (), cell=cell)
    if page_only:
        _write_page(plan, console)
        return
    states = [plan.state(chosen) for chosen in cells]
    if list_cells:
        _print_cells(states)
        return
    refuse_others(states)
    if todo := [state.cell for state in states if state.record is None]:
        check_settings(todo)
        check_levels(plan.bench.levels, plan.corpus, plan.lists)
    if cell is not None:
        _run_one(plan, cells[0], console)
        return
    outcomes = _run_all(plan, states, jobs, console)
    if any(plan.state(state.cell).record is not None for state in states):
        _write_page(plan, console)
    _tell_failures(plan, outcomes)


def _plan(file: Path, data: Path | None, runs: Path) -> BenchPlan:
    from curvox.audio import is_shard_folder
    from curvox.bench import BenchPlan, read_bench, read_trial_lists
    from curvox.corpora import read_corpus

    bench = read_bench(file)
    if data is None and bench.data_path is None:
        raise InputError(f"{file}: no corpus given: use --data FOLDER, or data.path in the base")
    place = data or Path(str(bench.data_path))
    if is_shard_folder(str(place)):
        raise InputError(
            f"{place} is a folder of shards, whose recordings are no files of their own; a bench needs the folder of "
            "the corpus"
        )
    # Files are not checked here: training and evaluation name those that they need and cannot use.
    corpus = read_corpus(place, check_files=False)
    return BenchPlan(bench, file, runs, corpus, place, read_trial_lists(bench.trials, corpus))


def _print_cells(states: Sequence[CellState]) -> None:
    width = max(len(state.cell.name) for state in states)
    for state in states:
        why = f": {state.why}" if state.why else ""
        print(f"{state.cell.number:4}  {state.cell.name:{width}}  {state.status}{why}")


def _run_one(plan: BenchPlan, cell: Cell, console: Console) -> None:
    from curvox.bench import Children, run_cell, share_out
    from curvox.cli.terminal import counting

    children = Children()
    with children.listening(), counting(console, f"embedding for {cell.name}") as progress:
        record = run_cell(plan, cell, children, share_out([cell], 1, os.environ)[0], progress=progress)
    console.print(f"{cell.name}: {_result(plan, record)}", highlight=False)


def _run_all(plan: BenchPlan, states: Sequence[CellState], jobs: int | None, console: Console) -> tuple[Outcome, ...]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from curvox.bench import run_cells, share_out

    todo = [state.cell for state in states if state.record is None]
    done = len(states) - len(todo)
    console.print(f"{plan.folder}: {len(states)} cells, {done} of them done", highlight=False)
    if not todo:
        return ()
    places = share_out(todo, jobs, os.environ)
    threads = places[0].get("OMP_NUM_THREADS", "all")
    console.print(f"{len(places)} at once, threads each: {threads}", highlight=False)
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    known = [state.record.seconds for state in states if state.record is not None]
    with bar:
        task = bar.add_task("", total=len(states), completed=done)

        def told(outcome: Outcome | None, pace: Pace) -> None:
            left = _left(pace)
            bar.update(task, completed=len(states) - pace.waiting, description=left)
            if outcome is not None:
                what = _result(plan, outcome.record) if outcome.record is not None else outcome.reason
                what = what if outcome.taken or outcome.record is not None else f"failed: {what}"
                place = f"{len(states) - pace.waiting}/{len(states)} {outcome.cell.name}"
                console.print(
                    f"{place}: {what}, {outcome.seconds / 60:.1f} min{'; ' * bool(left)}{left}",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )

        return run_cells(plan, todo, places, told=told, known_s=known)


def _left(pace: Pace) -> str:
    seconds = pace.seconds_left(time.monotonic())
    if seconds is None or not pace.waiting:
        return ""
    minutes = round(seconds / 60)
    return f"about {minutes // 60} h {minutes % 60} min left" if minutes >= 60 else f"about {minutes} min left"


def _result(plan: BenchPlan, record: RunRecord) -> str:
    """The EERs by the cosine, by which settings are ranked, in words."""
    return "EER by cosine " + ", ".join(f"{name} {100 * plan.eer(record, name):.2f} %" for name in plan.lists)


def _tell_failures(plan: BenchPlan, outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.record is None and not outcome.taken]
    if failed:
        told = "\n  ".join(f"{outcome.cell.name}: {outcome.reason}" for outcome in failed)
        raise TrainingError(
            f"{len(failed)} of {len(outcomes)} cells failed; the same command tries them again. Their logs are in "
            f"{plan.folder}\n  {told}"
        )


def _write_page(plan: BenchPlan, console: Console) -> None:
    """Write the leaderboard of what is there, three times over: for the browser, for a text, for a program."""

    from curvox.bench import leaderboard, read_results
    from curvox.cli.terminal import counting
    from curvox.files import replace_text
    from curvox.records import to_json
    from curvox.reports import bench_markdown, render_bench_page

    results = read_results(plan.bench, plan.runs, plan.corpus)
    if not results.records:
        raise InputError(f"no cell of {plan.folder} is trained and evaluated, so there is no leaderboard yet")
    with counting(console, "bootstrap over speakers") as progress:
        board = leaderboard(results, progress=progress)
    words = ["curvox", "bench", plan.file, "--data", plan.data, "--runs", plan.runs, "--page-only"]
    command = shlex.join(map(str, words))
    page = plan.folder / "leaderboard.html"
    replace_text(page, render_bench_page(board, results, command=command))
    replace_text(page.with_suffix(".md"), bench_markdown(board, board.scorers[0]))
    replace_text(page.with_suffix(".json"), to_json(board.to_dict()))
    missing = f", {len(results.missing)} cells missing" if results.missing else ""
    print(f"page: {page}{missing}")
