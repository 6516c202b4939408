"""Tables of utterances, whatever separates their fields: the columns of the header, then one utterance a row."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import itemgetter
from typing import Any

from curvox.corpora.corpus import COLUMNS, SETTERS, Utterance
from curvox.corpora.problems import Draft

REQUIRED = ("utterance", "path", "speaker")
_NOTHING: Mapping[str, str] = {}


def check_header(
    draft: Draft, file: str, header: list[str], required: tuple[str, ...] = REQUIRED, *, line: int = 1
) -> bool:
    """Note what is wrong with the names of columns, in this line; tell whether nothing is."""
    before = len(draft.problems)
    for place, name in enumerate(header):
        if name in header[:place]:
            draft.add(file, line, name, f'the column "{name}" comes twice; column names must be unique')
        if not name.strip():
            draft.add(file, line, "", f"column {place + 1} has no name")
    strangers = [name for name in header if name not in COLUMNS]
    for name in COLUMNS:
        if name in header:
            continue
        near = difflib.get_close_matches(name, strangers, n=1, cutoff=0.6 if name in REQUIRED else 0.8)
        if near:
            draft.add(file, line, near[0], f'unknown column "{near[0]}": did you mean "{name}"? Rename it')
        elif name in required:
            draft.add(file, line, name, f'the column "{name}" is missing; columns present: {", ".join(header)}')
    return len(draft.problems) == before


def read_rows(
    draft: Draft, file: str, header: list[str], rows: Iterable[tuple[int, list[str]]], separator: str = "tabs"
) -> None:
    """Add an utterance for each (line, cells) to the draft; without a column of ids, the path is the id."""
    columns = _Columns.of(header)
    for line, cells in rows:
        if len(cells) != len(header):
            hint = " (an empty line)" if not "".join(cells).strip() else ""
            draft.add(file, line, "", f"expected {len(header)} fields separated by {separator}, got {len(cells)}{hint}")
        elif not all(map(str.strip, columns.required(cells))):
            for name in REQUIRED:
                if name in header and not cells[header.index(name)].strip():
                    draft.add(file, line, name, "the field is empty; it must be filled in")
        else:
            try:
                utterance = columns.utterance(cells)
            except ValueError:
                utterance = columns.utterance(_without_bad_numbers(draft, file, line, header, cells))
            draft.rows.add(utterance, file, line)


@dataclass(frozen=True)
class _Columns:
    """From the cells of a row to an utterance.

    Attributes:
        required: takes the cells that must not be empty.
        path, name: numbers of the cells of the path, and of the id; None where the path is the id.
        known: what sets the field of a column, what reads it, and the number of its cell.
        absent: what sets a field that has no column, and its default.
        extras: further columns, and the number of their cells.
    """

    required: Callable[[list[str]], tuple[str, ...]]
    path: int
    name: int | None
    known: tuple[tuple[Callable[[Utterance, Any], None], Callable[[str], Any], int], ...]
    absent: tuple[tuple[Callable[[Utterance, Any], None], Any], ...]
    extras: tuple[tuple[str, int], ...]

    @staticmethod
    def of(header: list[str]) -> _Columns:
        return _Columns(
            required=itemgetter(*(header.index(name) for name in REQUIRED if name in header)),
            path=header.index("path"),
            name=header.index("utterance") if "utterance" in header else None,
            known=tuple(
                (SETTERS[name], NUMBERS.get(name, sys.intern), place)
                for place, name in enumerate(header)
                if name in COLUMNS and name not in ("path", "utterance")
            ),
            absent=tuple(
                (SETTERS[name], _DEFAULTS.get(name, "")) for name in COLUMNS if name not in (*header, "utterance")
            ),
            extras=tuple((name, place) for place, name in enumerate(header) if name not in COLUMNS),
        )

    def utterance(self, cells: list[str]) -> Utterance:
        """Raises ValueError where a number is none."""
        path = cells[self.path]
        name = "_".join(path.split()) if self.name is None else cells[self.name]
        utterance: Utterance = object.__new__(Utterance)
        SETTERS["path"](utterance, path)
        # An id that is the path, as in VoxCeleb, is kept once.
        SETTERS["utterance"](utterance, path if name == path else name)
        for put, default in self.absent:
            put(utterance, default)
        for put, parse, place in self.known:
            put(utterance, parse(cells[place]))
        extra = {name: cells[place] for name, place in self.extras if cells[place]} if self.extras else _NOTHING
        SETTERS["extra"](utterance, extra)
        return utterance


def _without_bad_numbers(draft: Draft, file: str, line: int, header: list[str], cells: list[str]) -> list[str]:
    """Note every number that is none, and return the cells with nothing in its place."""
    kept = list(cells)
    for place, (name, text) in enumerate(zip(header, cells, strict=True)):
        try:
            NUMBERS.get(name, str)(text)
        except ValueError as error:
            draft.add(file, line, name, f'{error}, got "{text}"')
            kept[place] = ""
    return kept


def positive(text: str) -> float | None:
    """Parse a finite number above zero; empty text is None. Raises ValueError saying what was expected."""
    if not text:
        return None
    value = _number(text)
    if not 0 < value < math.inf:
        raise ValueError("expected a finite number above 0")
    return value


def non_negative(text: str) -> float:
    """Parse a finite number of at least zero; empty text is 0. Raises ValueError saying what was expected."""
    value = _number(text) if text else 0.0
    if not 0 <= value < math.inf:
        raise ValueError("expected a finite number of at least 0")
    return value


def _number(text: str) -> float:
    try:
        # float() would also take 1_000 and digits of other scripts.
        if "_" in text or not text.isascii():
            raise ValueError
        return float(text)
    except ValueError:
        raise ValueError("expected a number with a point for decimals") from None


def _rate(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("expected a whole number of hertz above 0")
    return int(text)


# The same numbers come again and again, of a million lines: each is read and kept once.
_once = lru_cache(maxsize=2**16)
NUMBERS: dict[str, Callable[[str], Any]] = {
    "sampling_rate_hz": _once(_rate),
    "duration_s": _once(positive),
    "start_s": _once(non_negative),
    "segment_s": _once(positive),
}
_DEFAULTS = {f.name: f.default for f in fields(Utterance) if f.name in NUMBERS}
