"""The bench: a grid of settings and seeds, trained, evaluated, and what came out of it.

``read_bench`` reads the file, ``chosen_cells`` names its runs, ``run_cells`` trains and evaluates them,
``read_results`` gathers what they left, and ``leaderboard`` ranks it.
"""

from curvox.bench.board_records import Leaderboard, PairedTest, SettingFigures, TreeMean
from curvox.bench.cells import BenchResults, Cell, CellState, chosen_cells, read_results, refuse_others
from curvox.bench.ranking import leaderboard
from curvox.bench.record import RunRecord, ScoredList, Trials, read_record, read_trial_lists, write_record
from curvox.bench.running import Outcome, Pace, check_levels, check_settings, run_cells, share_out
from curvox.bench.spec import Bench, Setting, read_bench, recipe_of
from curvox.bench.workers import BenchPlan, Children, run_cell

__all__ = [
    "Bench", "BenchPlan", "BenchResults", "Cell", "CellState", "Children", "Leaderboard", "Outcome", "Pace",
    "PairedTest", "RunRecord", "ScoredList", "Setting", "SettingFigures", "TreeMean", "Trials", "check_levels",
    "check_settings", "chosen_cells", "leaderboard", "read_bench", "read_record", "read_results", "read_trial_lists",
    "recipe_of", "refuse_others", "run_cell", "run_cells", "share_out", "write_record",
]  # fmt: skip
