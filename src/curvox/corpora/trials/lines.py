"""How a style lays out a trial or a score in a line: read into columns, and written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from curvox.corpora.problems import Problem
from curvox.corpora.text_files import read_lines
from curvox.errors import CorpusError, InputError

MODEL, SIDE = "modelid", "side"
# SRE16 calls the column "segment", the evaluations after it "segmentid".
SEGMENTS = ("segmentid", "segment")
HEADER_VALUES = {"label": "targettype", "score": "LLR"}
ONLY_SIDE = "a"


@dataclass(frozen=True)
class TrialStyle:
    """Where the fields of a trial stand. In a score file the score takes the place of the label.

    ``fields`` are separated by white space and hold "value" where the label or score goes; with ``header`` the first
    line names the columns instead, and tabs separate them. ``labels`` are the words that are read, ``words`` those that
    are written, for a non-target and for a target.
    """

    name: str
    fields: tuple[str, ...]
    labels: Mapping[str, bool]
    words: tuple[str, str]
    header: bool = False

    def named(self, value: str) -> tuple[str, ...]:
        """Return the fields of a file of labels, of scores, or with ``value=""`` of neither."""
        return tuple(value if name == "value" else name for name in self.fields if value or name != "value")

    def fits(self, line: str, value: str) -> bool:
        """Whether a first line can be of this style."""
        if self.header:
            cells = line.split("\t")
            return MODEL in cells and any(name in cells for name in SEGMENTS)
        cells, fields = line.split(), self.named(value)
        return len(cells) == len(fields) and (not value or self.fault_of(value, cells[fields.index(value)]) == "")

    def fault_of(self, value: str, text: str) -> str:
        """Say what is wrong with a label or a score; '' when nothing is."""
        if value == "score":
            return "" if finite(text) else f'the score must be a finite number, got "{text}"'
        return "" if text in self.labels else f'the label must be {_listed(tuple(self.labels))}, got "{text}"'


def finite(text: str) -> bool:
    """Whether ``text`` is a finite decimal number; float() alone would also take 1_000 and digits of other scripts."""
    try:
        return math.isfinite(float(text)) and text.isascii() and "_" not in text
    except ValueError:
        return False


def _listed(words: tuple[str, ...]) -> str:
    first = " or ".join(words[:2])
    return f"{first} (or {', '.join(words[2:])})" if len(words) > 2 else first


class Columns(NamedTuple):
    """What stands in the lines that have the right number of fields, column by column."""

    numbers: list[int]
    cells: dict[str, tuple[str, ...]]
    problems: list[Problem]


def read_columns(path: Path, style: TrialStyle, value: str, others: Sequence[TrialStyle], what: str) -> Columns:
    """Read a file of ``style`` with a column ``value`` ("label", "score" or '' for none).

    Raises:
        CorpusError: the file cannot be read, is empty, has no header where one is needed, or its first line is plainly
            of one of the ``others``.
    """
    lines, problems = read_lines(path)
    if not lines and not problems:
        raise CorpusError(f'{path} is empty; expected {_expected(style, value)} (style "{style.name}")')
    if lines and lines[0][0] == 1 and not style.fits(lines[0][1], value):
        _refuse_other_style(path, lines[0][1], style, value, others, what)
    if not style.header:
        return _split(lines, problems, path.name, style.named(value), None, value)
    number, first = lines[0] if lines else (0, "")
    if number != 1:
        raise CorpusError(f"{problems[0]}: the header of {path} cannot be read")
    fields = _header_fields(first.split("\t"), path, value)
    columns = _split(lines[1:], problems, path.name, fields, "\t", value)
    if len(lines) == 1 and not problems:
        raise CorpusError(f"{path} has a header and no further line")
    _check_sides(columns, path.name)
    return columns


def _expected(style: TrialStyle, value: str) -> str:
    if style.header:
        names = [MODEL, SEGMENTS[0], SIDE, *([HEADER_VALUES[value]] if value else [])]
        return f'a header "{" ".join(names)}" separated by tabs'
    return f'lines of "{" ".join(style.named(value))}"'


def _refuse_other_style(
    path: Path, line: str, style: TrialStyle, value: str, others: Sequence[TrialStyle], what: str
) -> None:
    """Refuse a first line that another style explains; the fields alone, without a value, explain nothing."""
    fitting = [s.name for s in others if s.name != style.name and (value or s.header) and s.fits(line, value)]
    if fitting or style.header:
        shown = line if len(line) <= 100 else line[:100] + "…"
        looks = " or ".join(f'style="{name}"' for name in fitting)
        hint = f"; the line looks like {looks}: read the {what} so" if fitting else ""
        message = f'expected {_expected(style, value)} for style="{style.name}", got "{shown}"{hint}'
        raise CorpusError(f"{path}, line 1: {message}")


def _header_fields(names: list[str], path: Path, value: str) -> tuple[str, ...]:
    """Name the columns of a header as the other styles do: enrolment, test, label or score; the rest stay."""
    segment = next(name for name in SEGMENTS if name in names)
    renamed = {MODEL: "enrolment", segment: "test"}
    twice = sorted({name for name in names if names.count(name) > 1 or not name.strip()})
    if twice:
        raise CorpusError(f"{path}, line 1: column names are not empty and come once, got {twice[0]!r}")
    if value:
        if HEADER_VALUES[value] not in names:
            hint = "add it, or read the list with labelled=False" if value == "label" else "it holds the scores"
            raise CorpusError(f'{path}, line 1: there is no column "{HEADER_VALUES[value]}"; {hint}')
        renamed[HEADER_VALUES[value]] = value
    elif HEADER_VALUES["label"] in names:
        message = 'the trials have labels (the column "targettype"); read the list with labelled=True'
        raise CorpusError(f"{path}, line 1: {message}")
    return tuple(renamed.get(name, name) for name in names)


def _split(
    lines: list[tuple[int, str]],
    problems: list[Problem],
    file: str,
    fields: tuple[str, ...],
    separator: str | None,
    value: str,
) -> Columns:
    # All fields in one flat list: a list for each of a million lines would keep the garbage collector busy.
    flat: list[str] = []
    numbers: list[int] = []
    for number, line in lines:
        row = line.split(separator)
        if len(row) == len(fields):
            flat += row
            numbers.append(number)
        else:
            problems.append(Problem(file, number, "", _wrong_number(len(row), fields, separator, value)))
    cells = {name: tuple(flat[place :: len(fields)]) for place, name in enumerate(fields)}
    # Ids come many times in a list; one string for each saves most of the memory.
    known: dict[str, str] = {}
    for name in fields:
        if name != "score":
            cells[name] = tuple([known.setdefault(text, text) for text in cells[name]])
    if separator:
        _check_cells(Columns(numbers, cells, problems), file)
    return Columns(numbers, cells, problems)


def _wrong_number(got: int, fields: tuple[str, ...], separator: str | None, value: str) -> str:
    if separator:
        return f"expected {len(fields)} fields separated by tabs, got {got}"
    expected = f'expected "{" ".join(fields)}"'
    if value == "label" and got == len(fields) - 1:
        return f"{expected}, got {got} fields: the trial has no label; add it, or read the list with labelled=False"
    if not value and got == len(fields) + 1:
        return f"{expected}, got {got} fields: the trial has a label; read the list with labelled=True"
    return f"{expected}, got {got} fields"


def _check_cells(columns: Columns, file: str) -> None:
    """Ids between tabs may be empty or hold a space, which no id of a corpus does."""
    for name in ("enrolment", "test"):
        bad = {text for text in set(columns.cells[name]) if len(text.split()) != 1 or text != text.strip()}
        for number, text in zip(columns.numbers, columns.cells[name], strict=True) if bad else ():
            if text in bad:
                message = f'an id is not empty and holds no white space, got "{text}"'
                columns.problems.append(Problem(file, number, name, message))


def _check_sides(columns: Columns, file: str) -> None:
    """A segment is an utterance; two sides of one would be two utterances of one name."""
    sides = columns.cells.get(SIDE)
    if sides is None:
        return
    first: dict[str, str] = {}
    for number, segment, side in zip(columns.numbers, columns.cells["test"], sides, strict=True):
        if (other := first.setdefault(segment, side)) != side:
            message = f'the segment "{segment}" has the sides "{other}" and "{side}"; give each side its own id'
            columns.problems.append(Problem(file, number, SIDE, message))


def check_values(columns: Columns, style: TrialStyle, value: str, file: str) -> None:
    """Note a problem for each label or score that is none."""
    texts = columns.cells[value]
    bad = {text: fault for text in set(texts) if (fault := style.fault_of(value, text))}
    for number, text in zip(columns.numbers, texts, strict=True) if bad else ():
        if text in bad:
            columns.problems.append(Problem(file, number, "", bad[text]))


def tests_of(columns: Columns, style: TrialStyle) -> tuple[str, ...]:
    """Return the test ids; where the style has a field for the side, it is the end of the id: ``segment:side``."""
    if "segment" not in style.fields:
        return columns.cells["test"]
    pairs = zip(columns.cells["segment"], columns.cells[SIDE], strict=True)
    known: dict[str, str] = {}
    return tuple([known.setdefault(text, text) for text in (f"{segment}:{side}" for segment, side in pairs)])


def require_ids(names: set[str], what: str) -> None:
    """Refuse to write an id that could not be read back.

    Raises:
        InputError: an id is empty or holds white space.
    """
    for name in sorted(names):
        if len(name.split()) != 1 or name != name.strip():
            raise InputError(f'an id in {what} is not empty and holds no white space, got "{name}"')


def joined(style: TrialStyle, cells: Mapping[str, Sequence[str]], value: str) -> str:
    """Return the text of a file without header: ``cells`` holds enrolment, test and the value."""
    cells = dict(cells)
    if "segment" in style.fields:
        cells["segment"], cells[SIDE] = _segments_and_sides(cells["test"], style)
    chosen = [cells[name] for name in style.named(value)]
    return "\n".join(map(" ".join, zip(*chosen, strict=True))) + "\n"


def _segments_and_sides(tests: Sequence[str], style: TrialStyle) -> tuple[list[str], list[str]]:
    parts = {test: test.rpartition(":") for test in set(tests)}
    for test, (segment, _, side) in sorted(parts.items()):
        if not (segment and side):
            raise InputError(f'style="{style.name}" needs test ids of the form segment:side, such as x:a, got "{test}"')
    return [parts[test][0] for test in tests], [parts[test][2] for test in tests]


def tabbed(names: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return the text of a file with a header.

    Raises:
        InputError: a field holds a tab or the end of a line.
    """
    for text in {*names, *(text for column in cells for text in set(column))}:
        if "\t" in text or "\n" in text or text.endswith("\r"):
            raise InputError(f"a field between tabs holds no tab and no end of line, got {text!r}")
    return "\n".join(["\t".join(names), *map("\t".join, zip(*cells, strict=True))]) + "\n"
