"""The manifest of openvoices: tab-separated text with a header, one utterance a line.

Required columns: utterance, path, speaker. Known ones beside them: corpus, session, gender, language, native_language,
nationality, channel, sampling_rate_hz, duration_s, split, start_s, segment_s. Any further column is kept in
``Utterance.extra``. Fields are not quoted; an empty field means unknown.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from curvox.corpora.corpus import LEVELS, Corpus
from curvox.corpora.manifest_rows import check_header, read_rows
from curvox.corpora.manifest_table import manifest_table
from curvox.corpora.places import absolute
from curvox.corpora.problems import Draft
from curvox.corpora.text_files import each_line
from curvox.errors import InputError, nearest
from curvox.files import new_text

MANIFEST = "manifest.tsv"
_LEVELS_LINE = "# levels: gender, native_language, speaker, session"


def read_tsv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.tsv`` or a .tsv file; paths are relative to ``audio_root`` or its folder."""
    manifest = path / MANIFEST if path.is_dir() else path
    folder = absolute(manifest).parent
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name if path.is_dir() else manifest.stem)
    lines = each_line(manifest, draft.problems)
    number, first = next(lines, (0, ""))
    declared = first if number == 1 and first.startswith("#") else ""
    number, first = next(lines, (0, "")) if declared else (number, first)
    header = first.split("\t")
    if number == 0 and not draft.problems:
        draft.add(manifest.name, None, "", "the file is empty; expected a header with utterance, path, speaker")
    elif number == 1 + bool(declared) and len(header) == 1 and (found := [mark for mark in ",; " if mark in first]):
        draft.add(
            manifest.name, number, "", f'fields must be separated by tabs, here they seem separated by "{found[0]}"'
        )
    elif number == 1 + bool(declared) and check_header(draft, manifest.name, header, line=number):
        _declare_levels(draft, manifest.name, declared, header)
        read_rows(draft, manifest.name, header, ((number, line.split("\t")) for number, line in lines))
    # Without a header that can be used, lines that are not UTF-8 are named all the same.
    deque(lines, maxlen=0)
    return draft


def _declare_levels(draft: Draft, file: str, line: str, header: list[str]) -> None:
    """Take the levels of the label tree from the line before the header, where there is one."""
    if not line:
        return
    word, _, names = line.removeprefix("#").partition(":")
    levels = tuple(name.strip() for name in names.split(","))
    if word.strip() != "levels":
        draft.add(file, 1, "", f'a line before the header declares the label tree, as "{_LEVELS_LINE}", got "{line}"')
    elif strangers := [name for name in levels if name not in header]:
        hints = "; ".join(f'"{name}": {nearest(name, header)}' for name in strangers)
        draft.add(file, 1, "", f"the levels of the label tree are columns, these are not: {hints}")
    elif len(set(levels)) < len(levels) or "speaker" not in levels:
        draft.add(file, 1, "", f"the levels of the label tree are each named once, speaker among them, got {names}")
    else:
        draft.levels = levels


def write_manifest(corpus: Corpus, path: str | Path) -> Path:
    """Write the manifest of a corpus; it appears complete or not at all.

    Paths stay relative to ``corpus.root``: a manifest outside that folder is read back with ``audio_root=corpus.root``.
    The columns start_s and segment_s are written when an utterance is a segment, the levels of the label tree when
    they are not the usual ones.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a text holds a tab or the end of a line, or a further column has the name of a known one.
    """
    path = Path(path)
    lines = [f"# levels: {', '.join(corpus.levels)}"] if corpus.levels != LEVELS else []
    lines += ["\t".join(map(_clean, cells)) for cells in manifest_table(corpus)]
    new_text(path, "\n".join(lines) + "\n")
    return path


def _clean(text: str) -> str:
    if "\t" in text or "\n" in text or text.endswith("\r"):
        raise InputError(f"a field of a manifest holds no tab and no end of line, got {text!r}")
    return text
