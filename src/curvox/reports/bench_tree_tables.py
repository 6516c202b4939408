"""The measures of the label tree as tables of a leaderboard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from curvox.reports.bench_table import BenchTable
from curvox.reports.tables import NOTHING, Cell

if TYPE_CHECKING:
    from curvox.bench.board_records import Leaderboard, SettingFigures, TreeMean

_MOST_COLUMNS = 7


def tree_tables(board: Leaderboard, scorer: str) -> tuple[BenchTable, ...]:
    """Return the measures of the label tree, as means over the seeds, in tables of a few columns each.

    The last row is what shuffled labels give. The tables are called "tree", "tree-2", "tree-3", ...
    """
    rows = board.by(scorer)
    made = []
    for number, kinds in enumerate(_few_columns(tree_kinds(rows)), start=1):
        cells = [(row.title, tuple(_tree_cell(row.measure(*kind)) for kind in kinds)) for row in rows if row.tree]
        chances = tuple(_chance(rows, kind) for kind in kinds)
        if any(cell.value != NOTHING for cell in chances):
            cells.append(("shuffled labels", chances))
        table = BenchTable(
            "tree" if number == 1 else f"tree-{number}",
            "What the space holds of the label tree",
            ("setting", *(tree_title(rows, kind, between="\n") for kind in kinds)),
            tuple(cells),
            "On the utterances of the test trials, means over the seeds; after ± half of an interval over speakers "
            "and seeds that errs to the wide side, over speakers alone where there is one seed. ↑ higher is better, "
            "↓ lower is better.",
        )
        made.append(table)
    return tuple(made)


def tree_kinds(rows: Sequence[SettingFigures]) -> list[tuple[str, str | None]]:
    """Return (key, level) of the measures that any row has a value of, measure by measure, level by level."""
    kinds = dict.fromkeys((mean.key, mean.level) for row in rows for mean in row.tree if mean.value is not None)
    order = list(dict.fromkeys(key for key, _ in kinds))
    return sorted(kinds, key=lambda kind: order.index(kind[0]))


def tree_title(rows: Sequence[SettingFigures], kind: tuple[str, str | None], between: str = ", ") -> str:
    """Return the title of a measure with an arrow to where it is better, and its level."""
    mean = next(mean for row in rows for mean in row.tree if (mean.key, mean.level) == kind)
    arrow = {"higher": " ↑", "lower": " ↓"}.get(mean.better or "", "")
    return f"{mean.title}{arrow}{between + mean.level if mean.level else ''}"


def _few_columns(kinds: Sequence[tuple[str, str | None]]) -> list[list[tuple[str, str | None]]]:
    """Part measures into tables; those of one key stay together as far as they fit."""
    parts: list[list[tuple[str, str | None]]] = []
    for key in dict.fromkeys(key for key, _ in kinds):
        own = [kind for kind in kinds if kind[0] == key]
        for start in range(0, len(own), _MOST_COLUMNS):
            some = own[start : start + _MOST_COLUMNS]
            if parts and len(parts[-1]) + len(some) <= _MOST_COLUMNS:
                parts[-1] += some
            else:
                parts.append(some)
    return parts


def _tree_cell(mean: TreeMean | None) -> Cell:
    if mean is None or mean.value is None:
        return Cell(NOTHING, reason="not measured" if mean is None else mean.why_none or "")
    ends = mean.interval
    # The interval of such a mean is symmetric, and half as wide in this form.
    return Cell(f"{mean.value:.3f}", f"± {(ends.high - ends.low) / 2:.3f}" if ends else "")


def _chance(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> Cell:
    known = list(_chances(rows, kind))
    return Cell(f"{sum(known) / len(known):.3f}" if known else NOTHING)


def _chances(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> Iterator[float]:
    for row in rows:
        mean = row.measure(*kind)
        if mean is not None and mean.chance is not None:
            yield mean.chance
