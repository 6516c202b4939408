"""Figures of evaluations as text, and tables of them: of systems, of reports, of groups, of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from curvox.errors import require_name
from curvox.evaluating import Breakdown, Comparison, EvaluationReport, breakdown_keys, column_titles
from curvox.metrics import Evaluation, Figure, Interval
from curvox.reports.results import SystemResult, check_systems
from curvox.reports.tables.tables import (
    LAST_LATIN,
    NOTHING,
    Cell,
    Row,
    count,
    duration,
    latex_rows,
    latex_text,
    levels_text,
    markdown_rows,
    markdown_text,
    p_text,
    percent,
    rich_table,
    signed,
    signed_interval,
)

if TYPE_CHECKING:
    from rich.table import Table

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
    return f"[{figure_text(key, interval.low)}, {figure_text(key, interval.high)}]"


def figure_cell(evaluation: Evaluation | None, key: str, title: str = "") -> Cell:
    """Return a figure of an evaluation as text; "–" with the reason, which names ``title``, where there is none."""
    if evaluation is None:
        return Cell(NOTHING, reason="not evaluated")
    figure = evaluation.figure(key)
    if figure is None:
        return Cell(NOTHING, reason=evaluation.why_no_figures or f"{title or key} was not evaluated")
    return Cell(figure_text(key, figure.value), interval_text(key, figure.interval))


def threshold_text(figure: Figure) -> str:
    """Return the threshold of a figure, "" where it has none or rejects everything."""
    if figure.threshold is None:
        return ""
    return f"{figure.threshold:.4g}" if math.isfinite(figure.threshold) else "none reached"


def figures_of(evaluations: Iterable[Evaluation]) -> tuple[Figure, ...]:
    """Return one figure for each key that any of the evaluations has, in order of appearance."""
    first: dict[str, Figure] = {}
    for evaluation in evaluations:
        for figure in evaluation.figures:
            first.setdefault(figure.key, figure)
    return tuple(first.values())


def figure_levels(evaluations: Iterable[Evaluation]) -> str:
    """Return the levels of all intervals as "95 %", "" without one."""
    return levels_text(figure.interval for evaluation in evaluations for figure in evaluation.figures)


# Several systems on one list of trials: their leading figures, those that a text would quote.


def leading_figures(systems: Iterable[SystemResult]) -> tuple[Figure, ...]:
    """Return the EER, then the lowest cost at every operating point that systems were evaluated at."""
    found = figures_of(system.evaluation for system in systems)
    leading = tuple(figure for figure in found if family(figure.key) in ("eer", "min_dcf"))
    return leading or (Figure("eer", "EER", math.nan),)


def groups_of(systems: Iterable[SystemResult]) -> tuple[str, ...]:
    """Return the names of all groups of trials in order of appearance."""
    return tuple(dict.fromkeys(group for system in systems for group in system.evaluation.groups))


def interval_title(systems: Iterable[SystemResult]) -> str:
    """Return what the brackets hold, e.g. "95 % interval"; "" where no system has intervals."""
    parts = [part for system in systems for part in (system.evaluation, *system.evaluation.groups.values())]
    levels = levels_text(figure.interval for part in parts if (figure := part.figure("eer")))
    return f"{levels} interval" if levels else ""


def terminal_table(systems: Sequence[SystemResult]) -> Table:
    """Return the pooled figures of systems as a rich table that fits 80 columns: a row for each system."""
    check_systems(tuple(systems))
    leading, intervals = leading_figures(systems), interval_title(systems)
    timed = any(system.training_s is not None for system in systems)
    rows: list[list[str | Cell]] = []
    below = dict.fromkeys([f"in brackets the {intervals}"] if intervals else [])
    for system in systems:
        cells = [figure_cell(system.evaluation, figure.key, figure.title) for figure in leading]
        below.update(dict.fromkeys(f"{system.title}: {cell.reason}" for cell in cells if cell.reason))
        trained = NOTHING if system.training_s is None else duration(system.training_s)
        rows.append([system.title, *cells, *([trained] if timed else [])])
    head = ["loss", *map(figure_title, leading), *(["trained in"] if timed else [])]
    return rich_table(head, rows, caption="; ".join(below), wrap=False)


def markdown_table(
    systems: Sequence[SystemResult],
    *,
    metrics: Sequence[str] | None = None,
    groups: Sequence[str] = (),
    group_metric: str = "eer",
) -> str:
    """Return a Markdown table: a row for each system, columns of pooled figures, then of one figure for each group.

    A figure that does not exist is "–" with a number that leads to the reason below the table.

    Args:
        systems: the rows, in this order.
        metrics: keys of the pooled figures, such as "min_dcf:0.01"; may be empty; default the EER and the lowest costs.
        groups: names of groups of trials, e.g. corpora.
        group_metric: key of the figure shown for each group.

    Raises:
        UnknownNameError: a group or a figure that no system has.
        InputError: no system, or two of one name.
    """
    check_systems(tuple(systems))
    titles = {f.key: f.title for f in (*leading_figures(systems), *figures_of(s.evaluation for s in systems))}
    keys = [figure.key for figure in leading_figures(systems)] if metrics is None else metrics
    for key in (*keys, group_metric):
        require_name(key, titles, "figure")
    for group in groups:
        require_name(group, groups_of(systems), "group of trials")
    intervals = interval_title(systems)
    notes: dict[str, int] = {}

    def title(key: str) -> str:
        return figure_title(Figure(key, titles[key], math.nan)) + (f" [{intervals}]" if intervals else "")

    def noted(evaluation: Evaluation | None, key: str, where: str) -> str:
        cell = figure_cell(evaluation, key, titles[key])
        if not cell.reason:
            return str(cell)
        return f"{cell.value} ({notes.setdefault(f'{where}: {cell.reason}', len(notes) + 1)})"

    rows = []
    for system in systems:
        own = system.evaluation
        pooled = [noted(own, key, system.title) for key in keys]
        rows.append([system.title, *pooled, *(noted(own.groups.get(of), group_metric, of) for of in groups)])
    table = markdown_rows(["loss", *map(title, keys), *(f"{of}: {title(group_metric)}" for of in groups)], rows)
    return table + "".join(f"\n({number}) {markdown_text(note)}\n" for note, number in notes.items())


# Every figure of one evaluation or of several, and the groups of one.


def figures_table(reports: Sequence[EvaluationReport]) -> Table:
    """Return every figure of evaluations of one trial list: a row for each figure, a column for each system."""
    evaluations = [report.evaluation for report in reports]
    levels = figure_levels(evaluations)
    caption = f"in brackets the {levels} interval, by bootstrap over speakers" if levels else ""
    rows = [
        [figure_title(figure), *(str(figure_cell(part, figure.key)) for part in evaluations)]
        for figure in figures_of(evaluations)
    ]
    table = rich_table([reports[0].trials.name, *column_titles(reports)], rows, caption=caption)
    for name, numbers in (
        ("targets", [part.targets for part in evaluations]),
        ("non-targets", [part.non_targets for part in evaluations]),
        ("speakers", [part.speakers for part in evaluations]),
    ):
        table.add_row(name, *map(count, numbers), style="dim")
    return table


def breakdown_table(evaluation: Evaluation, breakdown: Breakdown, *, where: str = "") -> Table:
    """Return the groups of a breakdown with their counts; below it why some of them mean little.

    Args:
        evaluation: that has the groups.
        breakdown: which of them.
        where: stands before the title, such as the back end.
    """
    from rich.box import SIMPLE

    first = {family(key): key for key in reversed(breakdown_keys(evaluation)) if family(key) != "act_dcf"}
    keys = [key for key in breakdown_keys(evaluation) if key in first.values()]
    titles = {figure.key: figure_title(figure) for figure in evaluation.figures}
    notes: dict[str, int] = {}
    rows: list[list[str | Cell]] = []
    for name in breakdown.groups:
        group = evaluation.groups[name]
        if group.why_no_figures is None:
            mark = f" ({notes.setdefault(group.too_small, len(notes) + 1)})" if group.too_small else ""
            counts = f"{count(group.targets)} +\n{count(group.non_targets)}"
            rows.append([name + mark, counts, *(figure_cell(group, key) for key in keys)])
    below = [f"({number}) {note}" for note, number in notes.items()]
    without = [f"{name}: {why}" for name, why in without_figures(evaluation, breakdown)]
    if len(without) > _LISTED:
        more = f"{len(without) - _LISTED + 1} more groups have trials of one class only"
        without = [*without[: _LISTED - 1], more]
    head = ["", "targets +\nnon-targets", *(titles[key] for key in keys)]
    title = f"{where}by {breakdown.title}"
    return rich_table(head, rows, title=title, caption="\n".join(below + without), wrap=False, box=SIMPLE)


def without_figures(evaluation: Evaluation, breakdown: Breakdown) -> list[tuple[str, str]]:
    """Return the groups of a breakdown that have no figures, with the reason and the counts."""
    parts = [(name, evaluation.groups[name]) for name in breakdown.groups]
    return [
        (name, f"{part.why_no_figures} ({count(part.targets)} + {count(part.non_targets)} trials)")
        for name, part in parts
        if part.why_no_figures is not None
    ]


# A comparison: the figures of every system, and the paired tests of all others against the first.


class Tests(NamedTuple):
    """The paired tests of a comparison as text: what is subtracted, the table, and how p came about."""

    subject: str
    head: list[str]
    rows: list[list[str]]
    how: str


def comparison_tests(comparison: Comparison) -> Tests:
    """Return the differences of every system from the first, as text."""
    rows: list[list[str]] = []
    for system in comparison.systems[1:]:
        for difference in system.differences:
            text = partial(figure_text, difference.key)
            change = [signed(difference.difference, text), signed_interval(difference.interval, text)]
            p = p_text(difference.p_value, comparison.resamples)
            rows.append([system.title, _title(comparison, difference.key), *change, p])
    subject = f"Each system less {comparison.systems[0].title}; below 0 it is better where less is better"
    return Tests(subject, ["system", "figure", "difference", "interval", "p"], rows, _how(comparison))


def comparison_tables(comparison: Comparison) -> tuple[Table, Table]:
    """Return two tables for the terminal: the figures of every system, and the differences from the first."""
    tests = comparison_tests(comparison)
    head, rows = _figures(comparison)
    figures = rich_table(head, rows, title=_subject(comparison), caption=_brackets(comparison))
    return figures, rich_table(tests.head, tests.rows, title=tests.subject, caption=tests.how, words=2)


def comparison_markdown(comparison: Comparison) -> str:
    """Return both tables as Markdown."""
    return _document(comparison, markdown_rows, str)


def comparison_latex(comparison: Comparison) -> str:
    r"""Return both tables as LaTeX for the package booktabs; text is escaped, nothing in it becomes a command."""
    text = _document(comparison, latex_rows, lambda text: f"% {latex_text(text)}")
    needs = "% needs \\usepackage{booktabs}\n"
    if any(letter.isalpha() and letter > LAST_LATIN for letter in text):
        needs += "% some names are not in Latin letters: compile with LuaLaTeX or XeLaTeX, and a font that has them\n"
    return needs + text


def _document(
    comparison: Comparison, table: Callable[[Sequence[str], Sequence[Row], int], str], prose: Callable[[str], str]
) -> str:
    """Return both tables in the language of ``table``, each behind a sentence of ``prose``."""
    tests = comparison_tests(comparison)
    subject = prose(". ".join(part for part in (_subject(comparison), _brackets(comparison)) if part) + ".")
    figures, differences = table(*_figures(comparison), 1), table(tests.head, tests.rows, 2)
    return f"{subject}\n\n{figures}\n{prose(f'{tests.subject}. {tests.how}.')}\n\n{differences}"


def _figures(comparison: Comparison) -> tuple[list[str], list[list[str | Cell]]]:
    rows: list[list[str | Cell]] = []
    for system in comparison.systems:
        found = [(key, system.figure(key)) for key in comparison.keys]
        cells = [Cell(figure_text(k, f.value), interval_text(k, f.interval)) if f else Cell(NOTHING) for k, f in found]
        rows.append([system.title, *cells])
    return ["system", *(_title(comparison, key) for key in comparison.keys)], rows


def _title(comparison: Comparison, key: str) -> str:
    figures = (system.figure(key) for system in comparison.systems)
    return next((figure_title(figure) for figure in figures if figure), key)


def _subject(comparison: Comparison) -> str:
    counts = f"{count(comparison.targets)} targets, {count(comparison.non_targets)} non-targets"
    return f"{comparison.trials}: {counts}, {count(comparison.speakers)} speakers"


def _brackets(comparison: Comparison) -> str:
    levels = levels_text(figure.interval for system in comparison.systems for figure in system.figures)
    return f"In brackets the {levels} interval" if levels else ""


def _how(comparison: Comparison) -> str:
    pairs = len(comparison.systems) - 1
    many = f"; {pairs} systems are tested, p is of each alone" if pairs > 1 else ""
    resamples = f"{count(comparison.resamples)} resamples of the speakers, the same for both systems of a pair"
    return f"p and interval by {resamples}, seed {comparison.seed}{many}"
