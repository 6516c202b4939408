"""Numbers as text, and one table said four ways: cells for a page, for the terminal, Markdown and LaTeX."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from curvox.metrics import Interval

if TYPE_CHECKING:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

NOTHING = "–"


class Cell(NamedTuple):
    """A figure as text: its value, its interval ("" without one), and why there is no figure ("" if there is)."""

    value: str
    interval: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".rstrip()


Row = Sequence[str | Cell]


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


def signed(value: float, text: Callable[[float], str]) -> str:
    """Return a difference by the text of its size, with a sign unless it is rounded to 0."""
    size = text(abs(value))
    if not float(size):
        return size
    return f"+{size}" if value > 0 else f"−{size}"


def signed_interval(interval: Interval, text: Callable[[float], str]) -> str:
    """Return the interval of a difference: "[−1.01, +0.50]"."""
    return f"[{signed(interval.low, text)}, {signed(interval.high, text)}]"


def p_text(p_value: float, resamples: int) -> str:
    """Return p with three places, and no smaller than the resamples can tell."""
    least = max(0.001, 2 / (resamples + 1))
    return f"< {least:.3f}" if p_value < least else f"{p_value:.3f}"


def levels_text(intervals: Iterable[Interval | None]) -> str:
    """Return the levels of intervals as "95 %", "" where there is none."""
    return " and ".join(f"{100 * level:g} %" for level in sorted({of.level for of in intervals if of}))


def rich_table(
    head: Sequence[str],
    rows: Iterable[Row],
    *,
    title: str = "",
    caption: str = "",
    words: int = 1,
    wrap: bool = True,
    box: Box | None = None,
) -> Table:
    """Return a table for the terminal; no text in it is taken for markup.

    Args:
        head: titles of the columns.
        rows: their cells; an interval stands dim below its value.
        title: above the table.
        caption: below it.
        words: how many columns at the left are text; the others are numbers.
        wrap: whether numbers may be broken.
        box: the lines around the cells.
    """
    from rich.box import HEAVY_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box or HEAVY_HEAD, title_justify="left", caption_justify="left")
    table.title = Text(title) if title else None
    table.caption = Text(caption, style="table.caption") if caption else None
    for i, name in enumerate(head):
        table.add_column(Text(name), justify="left" if i < words else "right", no_wrap=i >= words and not wrap)
    for row in rows:
        table.add_row(*map(_two_lines, row))
    return table


def _two_lines(cell: str | Cell) -> Text:
    from rich.text import Text

    if isinstance(cell, str):
        return Text(cell)
    made = Text(cell.value)
    return made.append(f"\n{cell.interval}", style="dim") if cell.interval else made


def markdown_rows(head: Sequence[str], rows: Iterable[Row], words: int = 1) -> str:
    """Return a Markdown table whose first ``words`` columns are text and whose others are numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    first, *others = [[markdown_text(str(cell)) for cell in row] for row in (head, *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (first, rule, *others))


def markdown_text(text: str) -> str:
    """Return text so that Markdown prints it as it is; brackets stay, but begin no link."""
    return re.sub(r"([\\`*_|]|\](?=[(\[:]))", r"\\\1", html.escape(" ".join(text.split()), quote=False))


LAST_LATIN = "\u024f"
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


def latex_rows(head: Sequence[str], rows: Iterable[Row], words: int = 1) -> str:
    """Return a LaTeX table for the package booktabs, its columns as in `markdown_rows`."""

    def line(cells: Row) -> str:
        return f"  {' & '.join(latex_text(str(cell)) for cell in cells)} \\\\"

    columns = "l" * words + "r" * (len(head) - words)
    body = [line(head), r"  \midrule", *map(line, rows)]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", r"  \toprule", *body, r"  \bottomrule", r"\end{tabular}", ""])


def latex_text(text: str) -> str:
    """Return text so that LaTeX prints it as it is, in any font encoding; control characters are left out."""
    plain = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    # Two hyphens side by side would be set as a dash.
    apart = re.split(r"(?<=-)(?=-)", plain)
    return "{}".join("".join(_LATEX.get(letter, letter) for letter in part) for part in apart)
