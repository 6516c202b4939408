"""The bench: a grid of settings and seeds, trained, evaluated, and what came out of it.

``read_bench`` reads the file, ``cells_of`` names its runs, ``run_cells`` trains and evaluates them, ``read_results``
gathers what they left.
"""

from curvox.bench.board_records import Leaderboard, PairedTest, SettingFigures
from curvox.bench.cells import (
    Cell,
    CellState,
    cells_of,
    changed_keys,
    chosen_cells,
    recipe_digest,
    refuse_others,
    state_of,
)
from curvox.bench.leaderboard import BenchResults, read_results
from curvox.bench.record import RunRecord, ScoredList, Trials, read_record, read_trial_lists, trials_of, write_record
from curvox.bench.running import Outcome, Pace, check_levels, check_settings, default_jobs, run_cells, share_out
from curvox.bench.spec import Bench, Setting, expand_grid, read_bench, recipe_of
from curvox.bench.workers import BenchPlan, Children, run_cell

__all__ = [
    "Bench",
    "BenchPlan",
    "BenchResults",
    "Cell",
    "CellState",
    "Children",
    "Leaderboard",
    "Outcome",
    "Pace",
    "PairedTest",
    "RunRecord",
    "ScoredList",
    "Setting",
    "SettingFigures",
    "Trials",
    "cells_of",
    "changed_keys",
    "check_levels",
    "check_settings",
    "chosen_cells",
    "default_jobs",
    "expand_grid",
    "read_bench",
    "read_record",
    "read_results",
    "read_trial_lists",
    "recipe_digest",
    "recipe_of",
    "refuse_others",
    "run_cell",
    "run_cells",
    "share_out",
    "state_of",
    "trials_of",
    "write_record",
]
