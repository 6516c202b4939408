"""Figures as text, and tables of them for the terminal and for Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from curvox.errors import InputError, require_name
from curvox.metrics import DEFAULT_POINTS, Evaluation, Interval, OperatingPoint
from curvox.reports.results import SystemResult, check_systems

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Metric = Literal["eer"] | OperatingPoint

NOTHING = "–"
_DEFAULT_METRICS: tuple[Metric, ...] = ("eer", *DEFAULT_POINTS)


class Cell(NamedTuple):
    """A figure as text: its value, its interval ("" without one), and why there is no figure ("" if there is)."""

    value: str
    interval: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".rstrip()


def percent(rate: float) -> str:
    """Return a rate in [0, 1] as percent without the sign: 0.0123 is "1.23"."""
    return f"{100 * rate:.2f}"


def percent_interval(interval: Interval) -> str:
    """Return the interval of a rate as percent: "[1.01, 1.50]"."""
    return f"[{percent(interval.low)}, {percent(interval.high)}]"


def count(number: int) -> str:
    """Return a whole number with its thousands parted: "12,345"."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Return a time as "12 s", "3 min 20 s" or "1 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def metric_title(metric: Metric) -> str:
    """Return the name of a metric, e.g. "EER %" or "minDCF(0.01)"; costs are named where they are not 1."""
    if metric == "eer":
        return "EER %"
    point = _point(metric)
    costs = ""
    if (point.cost_miss, point.cost_false_alarm) != (1.0, 1.0):
        costs = f", miss {point.cost_miss:g}, false alarm {point.cost_false_alarm:g}"
    return f"minDCF({point.p_target:g}{costs})"


def metric_cell(evaluation: Evaluation | None, metric: Metric) -> Cell:
    """Return a figure of an evaluation as text; "–" with the reason where there is none."""
    if evaluation is None:
        return Cell(NOTHING, reason="not evaluated")
    if evaluation.why_no_figures is not None or evaluation.eer is None:
        return Cell(NOTHING, reason=evaluation.why_no_figures or "not evaluated")
    if metric == "eer":
        interval = evaluation.eer_interval
        return Cell(percent(evaluation.eer.value), percent_interval(interval) if interval else "")
    for i, cost in enumerate(evaluation.min_dcf):
        if cost.point == _point(metric):
            ends = evaluation.min_dcf_intervals
            return Cell(f"{cost.value:.3f}", f"[{ends[i].low:.3f}, {ends[i].high:.3f}]" if ends else "")
    return Cell(NOTHING, reason=f"{metric_title(metric)} was not evaluated")


def metrics_of(systems: Iterable[SystemResult]) -> tuple[Metric, ...]:
    """Return the metrics that systems were evaluated at: the EER, then every operating point in order of appearance."""
    points = dict.fromkeys(cost.point for system in systems for cost in system.evaluation.min_dcf)
    return ("eer", *(points or DEFAULT_POINTS))


def groups_of(systems: Iterable[SystemResult]) -> tuple[str, ...]:
    """Return the names of all groups of trials in order of appearance."""
    return tuple(dict.fromkeys(group for system in systems for group in system.evaluation.groups))


def interval_title(systems: Iterable[SystemResult]) -> str:
    """Return what the brackets hold, e.g. "95 % interval"; "" where no system has intervals."""
    levels = {
        part.eer_interval.level
        for system in systems
        for part in (system.evaluation, *system.evaluation.groups.values())
        if part.eer_interval
    }
    return " and ".join(f"{100 * level:g} %" for level in sorted(levels)) + " interval" if levels else ""


def terminal_table(systems: Sequence[SystemResult]) -> Table:
    """Return the pooled figures of systems as a rich table that fits 80 columns: a row for each system."""
    from rich.table import Table
    from rich.text import Text

    check_systems(tuple(systems))
    metrics = metrics_of(systems)
    intervals = interval_title(systems)
    reasons = dict.fromkeys(
        f"{system.title}: {cell.reason}"
        for system in systems
        for cell in (metric_cell(system.evaluation, metric) for metric in metrics)
        if cell.reason
    )
    caption = "; ".join(([f"in brackets the {intervals}"] if intervals else []) + list(reasons))
    table = Table(caption=Text(caption) if caption else None)
    table.add_column("loss")
    for metric in metrics:
        table.add_column(metric_title(metric), justify="right", no_wrap=True)
    timed = any(system.training_s is not None for system in systems)
    if timed:
        table.add_column("trained in", justify="right")
    for system in systems:
        cells = [_two_lines(metric_cell(system.evaluation, metric), Text) for metric in metrics]
        if timed:
            cells.append(Text(NOTHING if system.training_s is None else duration(system.training_s)))
        table.add_row(Text(system.title), *cells)
    return table


def markdown_table(
    systems: Sequence[SystemResult],
    *,
    metrics: Sequence[Metric] = _DEFAULT_METRICS,
    groups: Sequence[str] = (),
    group_metric: Metric = "eer",
) -> str:
    """Return a Markdown table: a row for each system, columns of pooled figures, then of one figure for each group.

    A figure that does not exist is "–" with a number that leads to the reason below the table.

    Args:
        systems: the rows, in this order.
        metrics: the pooled figures; may be empty.
        groups: names of groups of trials, e.g. corpora.
        group_metric: the figure shown for each group.

    Raises:
        UnknownNameError: a group that no system has.
        InputError: no system, two of one name, a metric that is neither "eer" nor an operating point.
    """
    check_systems(tuple(systems))
    for group in groups:
        require_name(group, groups_of(systems), "group of trials")
    intervals = interval_title(systems)
    brackets = f" [{intervals}]" if intervals else ""
    header = ["loss", *(metric_title(metric) + brackets for metric in metrics)]
    header += [f"{_escaped(group)}: {metric_title(group_metric)}{brackets}" for group in groups]
    notes: dict[str, int] = {}
    rows = []
    for system in systems:
        row = [_escaped(system.title)]
        row += [_noted(metric_cell(system.evaluation, metric), system.title, notes) for metric in metrics]
        for group in groups:
            row.append(_noted(metric_cell(system.evaluation.groups.get(group), group_metric), group, notes))
        rows.append(row)
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    footnotes = "".join(f"\n({number}) {note}\n" for note, number in notes.items())
    return table + footnotes


def _point(metric: Metric) -> OperatingPoint:
    if not isinstance(metric, OperatingPoint):
        raise InputError(f'a metric is "eer" or an OperatingPoint, got {metric!r}')
    return metric


def _two_lines(cell: Cell, text: type) -> Text:
    made = text(cell.value)
    return made.append(f"\n{cell.interval}", style="dim") if cell.interval else made


def _noted(cell: Cell, where: str, notes: dict[str, int]) -> str:
    if not cell.reason:
        return str(cell)
    number = notes.setdefault(f"{_escaped(where)}: {_escaped(cell.reason)}", len(notes) + 1)
    return f"{cell.value} ({number})"


def _escaped(text: str) -> str:
    """Keep text from being read as Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
