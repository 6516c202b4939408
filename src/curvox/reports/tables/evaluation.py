"""All figures of evaluations as text, and as tables for the terminal."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from curvox.evaluating import Breakdown, Comparison, EvaluationReport, breakdown_keys, column_titles
from curvox.metrics import Evaluation, Figure, Interval
from curvox.reports.tables.tables import NOTHING, Cell, count, percent, percent_interval

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


# A comparison as tables: for the terminal, as Markdown and as LaTeX.


class Tests(NamedTuple):
    """The paired tests of a comparison as text: what is subtracted, the table, and how p came about."""

    subject: str
    head: list[str]
    rows: list[list[str]]
    how: str


def comparison_tests(comparison: Comparison) -> Tests:
    """Return the differences of every system from the first, as text."""
    return Tests(_against(comparison), *_differences(comparison), _how(comparison))


def comparison_tables(comparison: Comparison) -> tuple[Table, Table]:
    """Return two tables for the terminal: the figures of every system, and the differences from the first."""
    from rich.table import Table
    from rich.text import Text

    head, rows = _figures(comparison)
    figures = Table(title=Text(_subject(comparison)), title_justify="left", caption_justify="left")
    for i, title in enumerate(head):
        figures.add_column(Text(title), justify="right" if i else "left")
    for title, *cells in rows:
        figures.add_row(Text(title), *(Text("\n".join(part for part in cell if part)) for cell in cells))
    figures.caption = _brackets(comparison) or None
    head, rows = _differences(comparison)
    differences = Table(title=Text(_against(comparison)), title_justify="left", caption_justify="left")
    for i, title in enumerate(head):
        differences.add_column(Text(title), justify="right" if i > 1 else "left")
    for row in rows:
        differences.add_row(*map(Text, row))
    differences.caption = _how(comparison)
    return figures, differences


def comparison_markdown(comparison: Comparison) -> str:
    """Return both tables as Markdown."""
    return _document(comparison, markdown_rows, markdown_text, str)


def comparison_latex(comparison: Comparison) -> str:
    r"""Return both tables as LaTeX for the package booktabs; text is escaped, nothing in it becomes a command."""
    text = _document(comparison, _latex_table, latex_text, lambda text: f"% {latex_text(text)}")
    needs = "% needs \\usepackage{booktabs}\n"
    if any(letter.isalpha() and letter > _LAST_LATIN for letter in text):
        needs += "% some names are not in Latin letters: compile with LuaLaTeX or XeLaTeX, and a font that has them\n"
    return needs + text


def latex_text(text: str) -> str:
    """Return text so that LaTeX prints it as it is, in any font encoding; control characters are left out."""
    plain = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    # Two hyphens side by side would be set as a dash.
    apart = re.split(r"(?<=-)(?=-)", plain)
    return "{}".join("".join(_LATEX.get(letter, letter) for letter in part) for part in apart)


_LAST_LATIN = "\u024f"
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    # \\textquotedbl is not in the encoding that LaTeX has by default.
    '"': "''",
    "`": r"\textasciigrave{}",
    # A row that begins with it would be taken for the star of the line break above.
    "*": "{*}",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "[": "{[}",
    "]": "{]}",
}

_Escape = Callable[[str], str]
_Rows = list[list[str]]


def _document(
    comparison: Comparison, table: Callable[[list[str], _Rows, int, _Escape], str], escape: _Escape, prose: _Escape
) -> str:
    head, rows = _figures(comparison)
    flat = [[title, *(" ".join(part for part in cell if part) for cell in cells)] for title, *cells in rows]
    first = table(head, flat, 1, escape)
    head, rows = _differences(comparison)
    second = table(head, rows, 2, escape)
    subject = prose(". ".join(part for part in (_subject(comparison), _brackets(comparison)) if part) + ".")
    return f"{subject}\n\n{first}\n{prose(_against(comparison) + '. ' + _how(comparison) + '.')}\n\n{second}"


def _figures(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Return the head, and for each system its title and (value, interval) cells."""
    titles = [_title(comparison, key) for key in comparison.keys]
    rows: list[list[Any]] = []
    for system in comparison.systems:
        cells = []
        for key in comparison.keys:
            figure = system.figure(key)
            if figure is None:
                cells.append((NOTHING, ""))
            else:
                cells.append((figure_text(key, figure.value), interval_text(key, figure.interval)))
        rows.append([system.title, *cells])
    return ["system", *titles], rows


def _differences(comparison: Comparison) -> tuple[list[str], _Rows]:
    rows = [
        [
            system.title,
            _title(comparison, difference.key),
            _signed(difference.key, difference.difference),
            _signed_interval(difference.key, difference.interval),
            p_text(difference.p_value, comparison.resamples),
        ]
        for system in comparison.systems[1:]
        for difference in system.differences
    ]
    return ["system", "figure", "difference", "interval", "p"], rows


def p_text(p_value: float, resamples: int) -> str:
    """Return p with three places, and no smaller than the resamples can tell."""
    least = max(0.001, 2 / (resamples + 1))
    return f"< {least:.3f}" if p_value < least else f"{p_value:.3f}"


def _title(comparison: Comparison, key: str) -> str:
    figures = (system.figure(key) for system in comparison.systems)
    return next((figure_title(figure) for figure in figures if figure), key)


def _signed(key: str, value: float) -> str:
    text = figure_text(key, abs(value))
    if not float(text):
        return text
    return f"+{text}" if value > 0 else f"−{text}"


def _signed_interval(key: str, interval: Interval) -> str:
    return f"[{_signed(key, interval.low)}, {_signed(key, interval.high)}]"


def _subject(comparison: Comparison) -> str:
    counts = f"{count(comparison.targets)} targets, {count(comparison.non_targets)} non-targets"
    return f"{comparison.trials}: {counts}, {count(comparison.speakers)} speakers"


def _brackets(comparison: Comparison) -> str:
    levels = {f.interval.level for system in comparison.systems for f in system.figures if f.interval}
    named = " and ".join(f"{100 * level:g} %" for level in sorted(levels))
    return f"In brackets the {named} interval" if named else ""


def _against(comparison: Comparison) -> str:
    return f"Each system less {comparison.systems[0].title}; below 0 it is better where less is better"


def _how(comparison: Comparison) -> str:
    pairs = len(comparison.systems) - 1
    many = f"; {pairs} systems are tested, p is of each alone" if pairs > 1 else ""
    resamples = f"{count(comparison.resamples)} resamples of the speakers, the same for both systems of a pair"
    return f"p and interval by {resamples}, seed {comparison.seed}{many}"


def markdown_rows(head: list[str], rows: list[list[str]], words: int, escape: Callable[[str], str]) -> str:
    """Return a Markdown table whose first ``words`` columns are text and whose others are numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    lines = [[escape(cell) for cell in head], rule, *([escape(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown_text(text: str) -> str:
    """Return text so that Markdown prints it as it is."""
    return re.sub(r"([\\`*_|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _latex_table(head: list[str], rows: _Rows, words: int, escape: _Escape) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"  {' & '.join(escape(cell) for cell in cells)} \\\\"

    columns = "l" * words + "r" * (len(head) - words)
    body = [line(head), r"  \midrule", *(line(row) for row in rows)]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", r"  \toprule", *body, r"  \bottomrule", r"\end{tabular}", ""])
