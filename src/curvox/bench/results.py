"""What came out of a bench so far: the records of its finished runs, and the names of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curvox.bench.cells import cells_of
from curvox.bench.record import RunRecord
from curvox.bench.spec import Bench
from curvox.bench.states import DONE, CellState, state_of, trials_digest
from curvox.bench.trials import Trials, read_trial_lists, trials_of
from curvox.corpora import Corpus


@dataclass(frozen=True, eq=False)
class BenchResults:
    """The runs of a bench that are trained and evaluated.

    Attributes:
        bench: what was asked for.
        records: of the finished runs, in the order of the cells: all settings of the first seed first.
        trials: every trial list of the bench, by its name.
        missing: the cells without a record, as ``name (why)``.
    """

    bench: Bench
    records: tuple[RunRecord, ...]
    trials: Mapping[str, Trials]
    missing: tuple[str, ...]


def read_results(bench: Bench, runs_folder: str | Path, corpus: Corpus) -> BenchResults:
    """Read the records of a bench from ``runs_folder``, which holds the folder of the bench.

    A run that is not trained or not evaluated, that was trained by another recipe, or evaluated on other trials, is
    named in ``missing`` and never mixed in.

    Raises:
        InputError: a trial list of the bench is missing or does not fit the corpus.
    """
    lists = read_trial_lists(bench.trials, corpus)
    digest = trials_digest(bench.levels, corpus, lists)
    states = [state_of(cell, bench, Path(runs_folder), digest) for cell in cells_of(bench)]
    return BenchResults(
        bench=bench,
        records=tuple(state.record for state in states if state.status == DONE and state.record is not None),
        trials={name: trials_of(trials, corpus) for name, trials in lists.items()},
        missing=tuple(_words(state) for state in states if state.status != DONE),
    )


def _words(state: CellState) -> str:
    return f"{state.cell.name} ({state.why or state.status})"
