"""One table of a bench's page, as text."""

from __future__ import annotations

from typing import NamedTuple

from curvox.reports.tables import Cell


class BenchTable(NamedTuple):
    """A table: its id and title, the head (a second line is small), rows of a name and cells, what to read in it."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    caption: str
