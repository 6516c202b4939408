"""Read and write manifests: tables of utterances, one a line, separated by tabs (manifest.tsv) or by commas.

Required columns: utterance, path, speaker. Known ones beside them: corpus, session, gender, language, native_language,
nationality, channel, sampling_rate_hz, duration_s, split, start_s, segment_s. Any further column is kept in
``Utterance.extra``. An empty field means unknown. Fields between tabs are not quoted. In manifest.csv, as spreadsheets
write it, fields are quoted where they must be, and without ``utterance`` the path is the id, white space in it turned
to "_".
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from curvox.corpora.checks import absolute
from curvox.corpora.corpus import COLUMNS, LEVELS, SETTERS, Corpus, Utterance
from curvox.corpora.problems import Draft, each_line
from curvox.errors import InputError, nearest
from curvox.files import new_text

TSV_MANIFEST, CSV_MANIFEST = "manifest.tsv", "manifest.csv"
_REQUIRED = ("utterance", "path", "speaker")
_NOTHING: Mapping[str, str] = {}


def read_tsv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.tsv`` or a .tsv file; paths are relative to ``audio_root`` or its folder."""
    manifest, draft = _manifest_in(path, TSV_MANIFEST, audio_root)
    lines = each_line(manifest, draft.problems)
    number, first = next(lines, (0, ""))
    declared = first if number == 1 and first.startswith("#") else ""
    number, first = next(lines, (0, "")) if declared else (number, first)
    header = first.split("\t")
    if number == 0 and not draft.problems:
        draft.add(manifest.name, None, "", "the file is empty; expected a header with utterance, path, speaker")
    elif number == 1 + bool(declared):
        if len(header) == 1 and (found := [mark for mark in ",; " if mark in first]):
            message = f'fields must be separated by tabs, here they seem separated by "{found[0]}"'
            draft.add(manifest.name, number, "", message)
        elif _check_header(draft, manifest.name, header, line=number):
            _declare_levels(draft, manifest.name, declared, header)
            _read_rows(draft, manifest.name, header, ((number, line.split("\t")) for number, line in lines), "tabs")
    # Without a header that can be used, lines that are not UTF-8 are named all the same.
    deque(lines, maxlen=0)
    return draft


def _manifest_in(path: Path, name: str, audio_root: Path | None) -> tuple[Path, Draft]:
    manifest = path / name if path.is_dir() else path
    folder = absolute(manifest).parent
    root = absolute(audio_root) if audio_root else folder
    return manifest, Draft(root, folder.name if path.is_dir() else manifest.stem)


def _declare_levels(draft: Draft, file: str, line: str, header: list[str]) -> None:
    """Take the levels of the label tree from the line before the header, where there is one."""
    if not line:
        return
    word, _, names = line.removeprefix("#").partition(":")
    levels = tuple(name.strip() for name in names.split(","))
    if word.strip() != "levels":
        example = f"# levels: {', '.join(LEVELS)}"
        draft.add(file, 1, "", f'a line before the header declares the label tree, as "{example}", got "{line}"')
    elif strangers := [name for name in levels if name not in header]:
        hints = "; ".join(f'"{name}": {nearest(name, header)}' for name in strangers)
        draft.add(file, 1, "", f"the levels of the label tree are columns, these are not: {hints}")
    elif len(set(levels)) < len(levels) or "speaker" not in levels:
        draft.add(file, 1, "", f"the levels of the label tree are each named once, speaker among them, got {names}")
    else:
        draft.levels = levels


def read_csv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.csv`` or a .csv file; paths are relative to ``audio_root`` or its folder."""
    manifest, draft = _manifest_in(path, CSV_MANIFEST, audio_root)
    records = _csv_records(draft, manifest)
    line, header = next(records, (0, []))
    if not line and not draft.problems:
        draft.add(manifest.name, None, "", "the file is empty; expected a header with path, speaker")
    elif len(header) == 1 and (found := [mark for mark in "\t;" if mark in header[0]]):
        draft.add(manifest.name, 1, "", f"fields must be separated by commas, here they seem separated by {found[0]!r}")
    elif line and _check_header(draft, manifest.name, header, required=("path", "speaker")):
        _read_rows(draft, manifest.name, header, records, "commas")
    return draft


def _csv_records(draft: Draft, manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it ends, fields); fields may hold ends of lines where they are quoted."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at
        for at, line in each_line(manifest, draft.problems):  # noqa: B007
            yield f"{line}\n"

    try:
        for cells in csv.reader(lines(), strict=True):
            yield at, cells
    except csv.Error as error:
        draft.add(manifest.name, at, "", f"the quoting is broken ({error}); what follows was not read")


def _check_header(
    draft: Draft, file: str, header: list[str], required: tuple[str, ...] = _REQUIRED, *, line: int = 1
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
        near = difflib.get_close_matches(name, strangers, n=1, cutoff=0.6 if name in _REQUIRED else 0.8)
        if near:
            draft.add(file, line, near[0], f'unknown column "{near[0]}": did you mean "{name}"? Rename it')
        elif name in required:
            draft.add(file, line, name, f'the column "{name}" is missing; columns present: {", ".join(header)}')
    return len(draft.problems) == before


def _read_rows(
    draft: Draft, file: str, header: list[str], rows: Iterable[tuple[int, list[str]]], separator: str
) -> None:
    """Add an utterance for each (line, cells) to the draft."""
    columns = _Columns.of(header)
    for line, cells in rows:
        if len(cells) != len(header):
            hint = " (an empty line)" if not "".join(cells).strip() else ""
            draft.add(file, line, "", f"expected {len(header)} fields separated by {separator}, got {len(cells)}{hint}")
        elif not all(map(str.strip, columns.required(cells))):
            for name in _REQUIRED:
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
        place = {name: number for number, name in enumerate(header)}
        known = [name for name in header if name in COLUMNS and name not in ("path", "utterance")]
        absent = [name for name in COLUMNS if name not in (*header, "utterance")]
        return _Columns(
            required=itemgetter(*(place[name] for name in _REQUIRED if name in place)),
            path=place["path"],
            name=place.get("utterance"),
            known=tuple((SETTERS[name], _NUMBERS.get(name, sys.intern), place[name]) for name in known),
            absent=tuple((SETTERS[name], _DEFAULTS.get(name, "")) for name in absent),
            extras=tuple((name, number) for name, number in place.items() if name not in COLUMNS),
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
            _NUMBERS.get(name, str)(text)
        except ValueError as error:
            draft.add(file, line, name, f'{error}, got "{text}"')
            kept[place] = ""
    return kept


def positive(text: str) -> float | None:
    """Parse a finite number above zero; empty text is None. Raises ValueError saying what was expected."""
    value = _number(text) if text else None
    if value is not None and not 0 < value < math.inf:
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
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("expected a whole number of hertz above 0")
    return int(text) if text else None


# The same numbers come again and again, of a million lines: each is read and kept once.
_once = lru_cache(maxsize=2**16)
_NUMBERS: dict[str, Callable[[str], Any]] = {
    "sampling_rate_hz": _once(_rate),
    "duration_s": _once(positive),
    "start_s": _once(non_negative),
    "segment_s": _once(positive),
}
_DEFAULTS = {f.name: f.default for f in fields(Utterance) if f.name in _NUMBERS}


def write_manifest(corpus: Corpus, path: str | Path) -> Path:
    """Write the manifest of a corpus; it appears complete or not at all.

    Paths stay relative to ``corpus.root``: a manifest outside that folder is read back with ``audio_root=corpus.root``.
    The columns start_s and segment_s are written when an utterance is a segment, the levels of the label tree when
    they are not the usual ones.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a text holds a tab or the end of a line, or a further column has the name of a known one.
    """
    lines = [f"# levels: {', '.join(corpus.levels)}"] if corpus.levels != LEVELS else []
    for cells in _table(corpus):
        if broken := [text for text in cells if "\t" in text or "\n" in text or text.endswith("\r")]:
            raise InputError(f"a field of a manifest holds no tab and no end of line, got {broken[0]!r}")
        lines.append("\t".join(cells))
    new_text(Path(path), "\n".join(lines) + "\n")
    return Path(path)


def write_csv(corpus: Corpus, path: str | Path) -> Path:
    """Write a corpus as CSV, as `write_manifest` does with tabs; a text may hold a tab, but not the end of a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for cells in _table(corpus):
        if broken := [cell for cell in cells if "\n" in cell or "\r" in cell]:
            raise InputError(f"a field of a manifest holds no end of line, got {broken[0]!r}")
        writer.writerow(cells)
    new_text(Path(path), text.getvalue())
    return Path(path)


def _table(corpus: Corpus) -> Iterator[list[str]]:
    """Yield the names of the columns, then the fields of each utterance; an unknown one is empty.

    The columns start_s and segment_s are there when an utterance is a segment, further columns in the order of their
    names.
    """
    extras = sorted({name for u in corpus.utterances for name in u.extra})
    if clash := set(extras) & set(COLUMNS):
        raise InputError(f"further columns must not be named as known ones, got {', '.join(sorted(clash))}")
    plain = not extras and all(u.start_s == 0 and u.segment_s is None for u in corpus.utterances)
    known = COLUMNS[:-2] if plain else COLUMNS
    yield [*known, *extras]
    for utterance in corpus.utterances:
        cells = [_text(getattr(utterance, name)) for name in known]
        yield cells + [utterance.extra.get(name, "") for name in extras]


def _text(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)
