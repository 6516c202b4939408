"""The manifest of openvoices: tab-separated text with a header, one utterance a line.

Required columns: utterance, path, speaker. Known ones beside them: corpus, session, gender, language, native_language,
nationality, channel, sampling_rate_hz, duration_s, split, start_s, segment_s. Any further column is kept in
``Utterance.extra``. Fields are not quoted; an empty field means unknown.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from curvox.corpora.corpus import COLUMNS, Corpus, Utterance
from curvox.corpora.places import absolute
from curvox.corpora.problems import Draft, Row
from curvox.corpora.text_files import read_lines, write_text
from curvox.errors import InputError

MANIFEST = "manifest.tsv"
REQUIRED = ("utterance", "path", "speaker")


def read_tsv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.tsv`` or a .tsv file; paths are relative to ``audio_root`` or its folder."""
    manifest = path / MANIFEST if path.is_dir() else path
    folder = absolute(manifest).parent
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name if path.is_dir() else manifest.stem)
    lines, bad = read_lines(manifest)
    draft.problems += bad
    if not lines or lines[0][0] != 1:
        if not bad:
            draft.add(manifest.name, None, "", "the file is empty; expected a header with utterance, path, speaker")
        return draft
    header = lines[0][1].split("\t")
    if _check_header(draft, manifest.name, header):
        _read_rows(draft, manifest.name, header, lines[1:])
    return draft


def _check_header(draft: Draft, file: str, header: list[str]) -> bool:
    if len(header) == 1 and (found := [mark for mark in ",; " if mark in header[0]]):
        draft.add(file, 1, "", f'fields must be separated by tabs, here they seem separated by "{found[0]}"')
        return False
    before = len(draft.problems)
    for place, name in enumerate(header):
        if name in header[:place]:
            draft.add(file, 1, name, f'the column "{name}" comes twice; column names must be unique')
        if not name.strip():
            draft.add(file, 1, "", f"column {place + 1} has no name")
    strangers = [name for name in header if name not in COLUMNS]
    for name in COLUMNS:
        if name in header:
            continue
        near = difflib.get_close_matches(name, strangers, n=1, cutoff=0.6 if name in REQUIRED else 0.8)
        if near:
            draft.add(file, 1, near[0], f'unknown column "{near[0]}": did you mean "{name}"? Rename it')
        elif name in REQUIRED:
            draft.add(file, 1, name, f'the column "{name}" is missing; columns present: {", ".join(header)}')
    return len(draft.problems) == before


def _read_rows(draft: Draft, file: str, header: list[str], lines: list[tuple[int, str]]) -> None:
    numbers: dict[str, Callable[[str], Any]] = {name: parse for name, parse in NUMBERS.items() if name in header}
    extras = [name for name in header if name not in COLUMNS]
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(header):
            hint = " (an empty line)" if not line.strip() else ""
            draft.add(file, number, "", f"expected {len(header)} fields separated by tabs, got {len(cells)}{hint}")
            continue
        values: dict[str, Any] = dict(zip(header, cells, strict=True))
        if empty := [name for name in REQUIRED if not values[name].strip()]:
            for name in empty:
                draft.add(file, number, name, "the field is empty; it must be filled in")
            continue
        extra = {name: text for name in extras if (text := values.pop(name))}
        for name, parse in numbers.items():
            try:
                values[name] = parse(values[name])
            except ValueError as error:
                draft.add(file, number, name, f'{error}, got "{values[name]}"')
                values[name] = _DEFAULTS[name]
        draft.rows.append(Row(Utterance(**values, extra=extra), file, number))


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


NUMBERS: dict[str, Callable[[str], Any]] = {
    "sampling_rate_hz": _rate,
    "duration_s": positive,
    "start_s": non_negative,
    "segment_s": positive,
}
_DEFAULTS = {f.name: f.default for f in fields(Utterance) if f.name in NUMBERS}


def write_manifest(corpus: Corpus, path: str | Path) -> Path:
    """Write the manifest of a corpus; it appears complete or not at all.

    Paths stay relative to ``corpus.root``: a manifest outside that folder is read back with ``audio_root=corpus.root``.
    The columns start_s and segment_s are written when an utterance is a segment.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a text holds a tab or the end of a line, or a further column has the name of a known one.
    """
    path = Path(path)
    extras = sorted({name for u in corpus.utterances for name in u.extra})
    if clash := set(extras) & set(COLUMNS):
        raise InputError(f"further columns must not be named as known ones, got {', '.join(sorted(clash))}")
    plain = not extras and all(u.start_s == 0 and u.segment_s is None for u in corpus.utterances)
    known = COLUMNS[:-2] if plain else COLUMNS
    lines = ["\t".join(_clean(name) for name in (*known, *extras))]
    for utterance in corpus.utterances:
        cells = [_text(getattr(utterance, name)) for name in known]
        cells += [utterance.extra.get(name, "") for name in extras]
        lines.append("\t".join(map(_clean, cells)))
    write_text(path, "\n".join(lines) + "\n")
    return path


def _text(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _clean(text: str) -> str:
    if "\t" in text or "\n" in text or text.endswith("\r"):
        raise InputError(f"a field of a manifest holds no tab and no end of line, got {text!r}")
    return text
