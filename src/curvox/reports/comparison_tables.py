"""A comparison as tables: for the terminal, as Markdown and as LaTeX."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from curvox.evaluating import Comparison
from curvox.metrics import Interval
from curvox.reports.figure_tables import figure_text, figure_title, interval_text
from curvox.reports.tables import NOTHING, count

if TYPE_CHECKING:
    from rich.table import Table


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
