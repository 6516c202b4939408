"""The bench: a grid of settings and seeds, trained, evaluated, and what came out of it.

``read_bench`` reads the file, ``cells_of`` names its runs, ``run_cells`` trains and evaluates them, ``read_results``
gathers what they left.
"""

from curvox.bench.cells import Cell, cells_of, changed_keys, chosen_cells, recipe_digest
from curvox.bench.record import RunRecord, ScoredList, read_record, write_record
from curvox.bench.results import BenchResults, read_results
from curvox.bench.spec import Bench, Setting, read_bench, recipe_of
from curvox.bench.states import CellState, refuse_others, state_of
from curvox.bench.trials import Trials, read_trial_lists, trials_of

__all__ = [
    "Bench",
    "BenchResults",
    "Cell",
    "CellState",
    "RunRecord",
    "ScoredList",
    "Setting",
    "Trials",
    "cells_of",
    "changed_keys",
    "chosen_cells",
    "read_bench",
    "read_record",
    "read_results",
    "read_trial_lists",
    "recipe_digest",
    "recipe_of",
    "refuse_others",
    "state_of",
    "trials_of",
    "write_record",
]
