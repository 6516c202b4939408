"""All figures of evaluations as text, and as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curvox.evaluating import Breakdown, EvaluationReport, breakdown_keys, column_titles
from curvox.metrics import Evaluation, Figure, Interval
from curvox.reports.tables import NOTHING, Cell, count, percent, percent_interval

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_RATES = ("eer", "eer_hull", "frr_at_far", "far_at_frr")
_LISTED = 4
_MEANINGS = {
    "eer": "where both errors are equally frequent",
    "eer_hull": "the same on the convex hull of the ROC curve",
    "auc": "chance that a target scores above a non-target; higher is better",
    "cllr": "what the LLRs cost over all priors, in bits; 1 is worth nothing",
    "min_cllr": "the least Cllr that calibrating these trials could reach",
    "min_dcf": "detection cost at the best threshold; 1 is worth nothing",
    "act_dcf": "detection cost at the Bayes threshold of the LLRs",
    "frr_at_far": "targets rejected when so many non-targets are accepted",
    "far_at_frr": "non-targets accepted when so many targets are rejected",
}


def family(key: str) -> str:
    """Return what kind of figure a key names: "min_dcf" for "min_dcf:0.01"."""
    return key.split(":", 1)[0]


def figure_title(figure: Figure) -> str:
    """Return the title of a figure with its unit, e.g. "EER %"."""
    return f"{figure.title} %" if family(figure.key) in _RATES else figure.title


def figure_meaning(figure: Figure) -> str:
    """Return what a figure says, in half a sentence; "" for one unknown here."""
    return _MEANINGS.get(family(figure.key), "")


def figure_text(key: str, value: float) -> str:
    """Return the value of a figure as text: rates in percent, everything else with three places, the AUC with four."""
    if family(key) in _RATES:
        return percent(value)
    return f"{value:.4f}" if key == "auc" else f"{value:.3f}"


def interval_text(key: str, interval: Interval | None) -> str:
    """Return the interval of a figure as text, "" without one."""
    if interval is None:
        return ""
    if family(key) in _RATES:
        return percent_interval(interval)
    return f"[{figure_text(key, interval.low)}, {figure_text(key, interval.high)}]"


def figure_cell(evaluation: Evaluation | None, key: str) -> Cell:
    """Return a figure of an evaluation as text; "–" with the reason where there is none."""
    if evaluation is None:
        return Cell(NOTHING, reason="not evaluated")
    figure = evaluation.figure(key)
    if figure is None:
        return Cell(NOTHING, reason=evaluation.why_no_figures or f"{key} was not evaluated")
    return Cell(figure_text(key, figure.value), interval_text(key, figure.interval))


def threshold_text(figure: Figure) -> str:
    """Return the threshold of a figure, "" where it has none or rejects everything."""
    if figure.threshold is None:
        return ""
    return f"{figure.threshold:.4g}" if math.isfinite(figure.threshold) else "none reached"


def figures_of(evaluations: Sequence[Evaluation]) -> tuple[Figure, ...]:
    """Return one figure for each key that any of the evaluations has, in order of appearance."""
    first: dict[str, Figure] = {}
    for evaluation in evaluations:
        for figure in evaluation.figures:
            first.setdefault(figure.key, figure)
    return tuple(first.values())


def figures_table(reports: Sequence[EvaluationReport]) -> Table:
    """Return every figure of evaluations of one trial list: a row for each figure, a column for each system."""
    from rich.table import Table
    from rich.text import Text

    evaluations = [report.evaluation for report in reports]
    levels = sorted({f.interval.level for part in evaluations for f in part.figures if f.interval})
    brackets = " and ".join(f"{100 * level:g} %" for level in levels)
    caption = f"in brackets the {brackets} interval, by bootstrap over speakers" if levels else None
    table = Table(caption=caption)
    table.add_column(Text(reports[0].trials.name))
    for title in column_titles(reports):
        table.add_column(Text(title), justify="right")
    for figure in figures_of(evaluations):
        cells = [figure_cell(part, figure.key) for part in evaluations]
        table.add_row(figure_title(figure), *(Text(str(cell)) for cell in cells))
    for row, counts in (
        ("targets", [part.targets for part in evaluations]),
        ("non-targets", [part.non_targets for part in evaluations]),
        ("speakers", [part.speakers for part in evaluations]),
    ):
        table.add_row(row, *(count(number) for number in counts), style="dim")
    return table


def breakdown_table(evaluation: Evaluation, breakdown: Breakdown, *, where: str = "") -> Table:
    """Return the groups of a breakdown with their counts; below it why some of them mean little.

    Args:
        evaluation: that has the groups.
        breakdown: which of them.
        where: stands before the title, such as the back end.
    """
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    keys = [key for key in breakdown_keys(evaluation) if family(key) != "act_dcf"]
    keys = [key for i, key in enumerate(keys) if family(key) not in map(family, keys[:i])]
    titles = {figure.key: figure_title(figure) for figure in evaluation.figures}
    table = Table(box=SIMPLE, title=Text(f"{where}by {breakdown.title}"), title_justify="left", caption_justify="left")
    table.add_column("")
    for title in ("targets +\nnon-targets", *(titles[key] for key in keys)):
        table.add_column(title, justify="right", no_wrap=True)
    notes: dict[str, int] = {}
    for name in breakdown.groups:
        group = evaluation.groups[name]
        if group.why_no_figures is None:
            mark = f" ({notes.setdefault(group.too_small, len(notes) + 1)})" if group.too_small else ""
            counts = f"{count(group.targets)} +\n{count(group.non_targets)}"
            table.add_row(Text(name + mark), counts, *(_two_lines(figure_cell(group, key)) for key in keys))
    below = [f"({number}) {note}" for note, number in notes.items()]
    without = [f"{name}: {why}" for name, why in without_figures(evaluation, breakdown)]
    below += without if len(without) <= _LISTED else [*without[: _LISTED - 1], _more(len(without) - _LISTED + 1)]
    table.caption = Text("\n".join(below)) if below else None
    return table


def _more(groups: int) -> str:
    return f"{groups} more groups have trials of one class only"


def without_figures(evaluation: Evaluation, breakdown: Breakdown) -> list[tuple[str, str]]:
    """Return the groups of a breakdown that have no figures, with the reason and the counts."""
    parts = [(name, evaluation.groups[name]) for name in breakdown.groups]
    return [
        (name, f"{part.why_no_figures} ({count(part.targets)} + {count(part.non_targets)} trials)")
        for name, part in parts
        if part.why_no_figures is not None
    ]


def _two_lines(cell: Cell) -> Text:
    from rich.text import Text

    made = Text(cell.value)
    return made.append(f"\n{cell.interval}", style="dim") if cell.interval else made
