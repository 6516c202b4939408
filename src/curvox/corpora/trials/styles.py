"""Read and write the columns of trial lists and score files in the style that is named, never guessed.

Each style is a line of :data:`TRIAL_STYLES`. In a score file the score takes the place of the label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from curvox.corpora.problems import Problem, read_lines
from curvox.errors import CorpusError, InputError
from curvox.tables import Entry, Table

MODEL, SIDE = "modelid", "side"
# SRE16 calls the column "segment", the evaluations after it "segmentid".
SEGMENTS = ("segmentid", "segment")
ONLY_SIDE = "a"
_HEADER_VALUES = {"label": "targettype", "score": "LLR"}


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
        """Tell whether a first line can be of this style."""
        if self.header:
            cells = line.split("\t")
            return MODEL in cells and any(name in cells for name in SEGMENTS)
        cells, fields = line.split(), self.named(value)
        return len(cells) == len(fields) and (not value or self.fault_of(value, cells[fields.index(value)]) == "")

    def fault_of(self, value: str, text: str) -> str:
        """Say what is wrong with a label or a score; '' when nothing is."""
        if value == "score":
            return "" if _finite(text) else f'the score must be a finite number, got "{text}"'
        if text in self.labels:
            return ""
        words = tuple(self.labels)
        others = f" (or {', '.join(words[2:])})" if len(words) > 2 else ""
        return f'the label must be {" or ".join(words[:2])}{others}, got "{text}"'

    def expected(self, value: str) -> str:
        """Describe the lines of a file, for messages."""
        if self.header:
            names = [MODEL, SEGMENTS[0], SIDE, *([_HEADER_VALUES[value]] if value else [])]
            return f'a header "{" ".join(names)}" separated by tabs'
        return f'lines of "{" ".join(self.named(value))}"'


_NUMBERS = {"1": True, "0": False}
_WORDS = {"target": True, "nontarget": False}

VOXCELEB = TrialStyle("voxceleb", ("value", "enrolment", "test"), {**_NUMBERS, **_WORDS}, ("0", "1"))
KALDI = TrialStyle("kaldi", ("enrolment", "test", "value"), _WORDS, ("nontarget", "target"))
CNCELEB = TrialStyle("cnceleb", ("enrolment", "test", "value"), _NUMBERS, ("0", "1"))
NIST = TrialStyle("nist", ("enrolment", "test", SIDE, "value"), _WORDS, ("nontarget", "target"), header=True)
NIST_KEY = TrialStyle("nist_key", ("enrolment", "segment", SIDE, "value"), _WORDS, ("nontarget", "target"))

_HERE = "curvox.corpora.trials.styles"
TRIAL_STYLES = Table(
    "trial style",
    {
        "voxceleb": Entry(_HERE, "VOXCELEB", "label enrolment test, the label 1 or 0"),
        "kaldi": Entry(_HERE, "KALDI", "enrolment test label, the label target or nontarget"),
        "cnceleb": Entry(_HERE, "CNCELEB", "enrolment test label, the label 1 or 0"),
        "nist": Entry(_HERE, "NIST", "a table with the header modelid, segmentid, side, targettype (SRE16 and later)"),
        "nist_key": Entry(_HERE, "NIST_KEY", "model segment side label, the label target or nontarget (before SRE16)"),
    },
)


def _finite(text: str) -> bool:
    """Tell whether ``text`` is a finite decimal; float() alone would also take 1_000 and digits of other scripts."""
    try:
        return math.isfinite(float(text)) and text.isascii() and "_" not in text
    except ValueError:
        return False


class Columns(NamedTuple):
    """What stands in the lines that have the right number of fields, column by column."""

    numbers: list[int]
    cells: dict[str, tuple[str, ...]]
    problems: list[Problem]


def read_columns(path: Path, style: TrialStyle, value: str, what: str) -> Columns:
    """Read a file of ``style`` with a column ``value`` ("label", "score" or '' for none), a ``what`` in messages.

    The columns ``enrolment`` and ``test`` are always there; where the style has a field for the side, it is the end of
    the test's id: ``segment:side``.

    Raises:
        CorpusError: the file cannot be read, is empty, has no header where one is needed, or its first line is plainly
            of another style.
    """
    lines, problems = read_lines(path)
    if not lines and not problems:
        raise CorpusError(f'{path} is empty; expected {style.expected(value)} (style "{style.name}")')
    if lines and lines[0][0] == 1 and not style.fits(lines[0][1], value):
        _refuse_other_style(path, lines[0][1], style, value, what)
    if style.header:
        columns = _read_table(path, lines, problems, value)
    else:
        columns = _split(lines, problems, path.name, style.named(value), None, value)
    if value:
        _note_faults(columns, path.name, value, lambda text: style.fault_of(value, text))
    if "segment" in style.fields:
        pairs = zip(columns.cells["segment"], columns.cells[SIDE], strict=True)
        known: dict[str, str] = {}
        columns.cells["test"] = tuple([known.setdefault(text, text) for text in map(":".join, pairs)])
    return columns


def _refuse_other_style(path: Path, line: str, style: TrialStyle, value: str, what: str) -> None:
    """Refuse a first line that another style explains; the fields alone, without a value, explain nothing."""
    others = [TRIAL_STYLES.load(name) for name in TRIAL_STYLES if name != style.name]
    fitting = [other.name for other in others if (value or other.header) and other.fits(line, value)]
    if fitting or style.header:
        shown = line if len(line) <= 100 else line[:100] + "…"
        looks = " or ".join(f'style="{name}"' for name in fitting)
        hint = f"; the line looks like {looks}: read the {what} so" if fitting else ""
        message = f'expected {style.expected(value)} for style="{style.name}", got "{shown}"{hint}'
        raise CorpusError(f"{path}, line 1: {message}")


def _read_table(path: Path, lines: list[tuple[int, str]], problems: list[Problem], value: str) -> Columns:
    number, first = lines[0] if lines else (0, "")
    if number != 1:
        raise CorpusError(f"{problems[0]}: the header of {path} cannot be read")
    columns = _split(lines[1:], problems, path.name, _header_fields(first.split("\t"), path, value), "\t", value)
    if len(lines) == 1 and not problems:
        raise CorpusError(f"{path} has a header and no further line")
    for name in ("enrolment", "test"):
        _note_faults(columns, path.name, name, _fault_of_id, name)
    _check_sides(columns, path.name)
    return columns


def _header_fields(names: list[str], path: Path, value: str) -> tuple[str, ...]:
    """Name the columns of a header as the other styles do: enrolment, test, label or score; the rest stay."""
    segment = next(name for name in SEGMENTS if name in names)
    renamed = {MODEL: "enrolment", segment: "test"}
    twice = sorted({name for name in names if names.count(name) > 1 or not name.strip()})
    if twice:
        raise CorpusError(f"{path}, line 1: column names are not empty and come once, got {twice[0]!r}")
    if value:
        if _HEADER_VALUES[value] not in names:
            hint = "add it, or read the list with labelled=False" if value == "label" else "it holds the scores"
            raise CorpusError(f'{path}, line 1: there is no column "{_HEADER_VALUES[value]}"; {hint}')
        renamed[_HEADER_VALUES[value]] = value
    elif _HEADER_VALUES["label"] in names:
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
    return Columns(numbers, cells, problems)


def _wrong_number(got: int, fields: tuple[str, ...], separator: str | None, value: str) -> str:
    if separator:
        return f"expected {len(fields)} fields separated by tabs, got {got}"
    hint = ""
    if value == "label" and got == len(fields) - 1:
        hint = ": the trial has no label; add it, or read the list with labelled=False"
    elif not value and got == len(fields) + 1:
        hint = ": the trial has a label; read the list with labelled=True"
    return f'expected "{" ".join(fields)}", got {got} fields{hint}'


def is_id(text: str) -> bool:
    """Tell whether a text can be an id: not empty, and no white space in it or around it."""
    return text.split() == [text]


def _note_faults(columns: Columns, file: str, column: str, fault_of: Callable[[str], str], named: str = "") -> None:
    """Note each field of a column that has a fault; equal texts are looked at once."""
    texts = columns.cells[column]
    faults = {text: fault for text in set(texts) if (fault := fault_of(text))}
    for number, text in zip(columns.numbers, texts, strict=True) if faults else ():
        if text in faults:
            columns.problems.append(Problem(file, number, named, faults[text]))


def _fault_of_id(text: str) -> str:
    # Between tabs an id may be empty or hold a space.
    return "" if is_id(text) else f'an id is not empty and holds no white space, got "{text}"'


def _check_sides(columns: Columns, file: str) -> None:
    """Note segments with two sides: a segment is an utterance, and these would be two utterances of one name."""
    first: dict[str, str] = {}
    for number, segment, side in zip(columns.numbers, columns.cells["test"], columns.cells.get(SIDE, ()), strict=False):
        if (other := first.setdefault(segment, side)) != side:
            message = f'the segment "{segment}" has the sides "{other}" and "{side}"; give each side its own id'
            columns.problems.append(Problem(file, number, SIDE, message))


def require_ids(names: set[str], what: str) -> None:
    """Refuse to write an id that could not be read back."""
    for name in sorted(names):
        if not is_id(name):
            raise InputError(f'an id in {what} is not empty and holds no white space, got "{name}"')


def lines_of(
    style: TrialStyle,
    ids: tuple[Sequence[str], Sequence[str]],
    value: str,
    texts: Sequence[str],
    columns: Mapping[str, Sequence[str]],
) -> str:
    """Return the text of a file of ``style``.

    Args:
        ids: of enrolments and of tests, one each for every trial.
        value: "label", "score", or '' for neither.
        columns: further ones, side among them; written where the style has a header.

    Raises:
        InputError: the style cannot hold a test's id, the name of a column or a text.
    """
    enrolments, tests = ids
    if not style.header:
        cells: dict[str, Sequence[str]] = {"enrolment": enrolments, "test": tests, value: texts}
        if "segment" in style.fields:
            cells["segment"], cells[SIDE] = _segments_and_sides(tests, style)
        chosen = [cells[name] for name in style.named(value)]
        return "\n".join(map(" ".join, zip(*chosen, strict=True))) + "\n"
    if clash := {MODEL, *SEGMENTS, _HEADER_VALUES["label"]} & set(columns):
        raise InputError(f'a further column cannot be called "{min(clash)}": the style "nist" has one of this name')
    table = {MODEL: enrolments, SEGMENTS[0]: tests, SIDE: columns.get(SIDE, (ONLY_SIDE,) * len(tests))}
    return tabbed({**table, **({_HEADER_VALUES[value]: texts} if value else {}), **columns})


def _segments_and_sides(tests: Sequence[str], style: TrialStyle) -> tuple[list[str], list[str]]:
    parts = {test: test.rpartition(":") for test in set(tests)}
    for test, (segment, _, side) in sorted(parts.items()):
        if not (segment and side):
            raise InputError(f'style="{style.name}" needs test ids of the form segment:side, such as x:a, got "{test}"')
    return [parts[test][0] for test in tests], [parts[test][2] for test in tests]


def tabbed(table: Mapping[str, Sequence[str]]) -> str:
    """Return the text of a table of columns by their names: a header, tabs between fields."""
    for text in {*table, *(text for column in table.values() for text in set(column))}:
        if "\t" in text or "\n" in text or text.endswith("\r"):
            raise InputError(f"a field between tabs holds no tab and no end of line, got {text!r}")
    return "\n".join(["\t".join(table), *map("\t".join, zip(*table.values(), strict=True))]) + "\n"
