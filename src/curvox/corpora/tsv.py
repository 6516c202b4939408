"""The manifest of openvoices: tab-separated text with a header, one utterance a line.

Required columns: utterance, path, speaker. Known ones beside them: corpus, session, gender, language, native_language,
nationality, channel, sampling_rate_hz, duration_s, split, start_s, segment_s. Any further column is kept in
``Utterance.extra``. Fields are not quoted; an empty field means unknown.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from curvox.corpora.corpus import Corpus
from curvox.corpora.manifest_rows import check_header, read_rows
from curvox.corpora.manifest_table import manifest_table
from curvox.corpora.places import absolute
from curvox.corpora.problems import Draft
from curvox.corpora.text_files import each_line, write_text
from curvox.errors import InputError

MANIFEST = "manifest.tsv"


def read_tsv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.tsv`` or a .tsv file; paths are relative to ``audio_root`` or its folder."""
    manifest = path / MANIFEST if path.is_dir() else path
    folder = absolute(manifest).parent
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name if path.is_dir() else manifest.stem)
    lines = each_line(manifest, draft.problems)
    number, first = next(lines, (0, ""))
    header = first.split("\t")
    if number == 0 and not draft.problems:
        draft.add(manifest.name, None, "", "the file is empty; expected a header with utterance, path, speaker")
    elif number == 1 and len(header) == 1 and (found := [mark for mark in ",; " if mark in first]):
        draft.add(manifest.name, 1, "", f'fields must be separated by tabs, here they seem separated by "{found[0]}"')
    elif number == 1 and check_header(draft, manifest.name, header):
        read_rows(draft, manifest.name, header, ((number, line.split("\t")) for number, line in lines))
    # Without a header that can be used, lines that are not UTF-8 are named all the same.
    deque(lines, maxlen=0)
    return draft


def write_manifest(corpus: Corpus, path: str | Path) -> Path:
    """Write the manifest of a corpus; it appears complete or not at all.

    Paths stay relative to ``corpus.root``: a manifest outside that folder is read back with ``audio_root=corpus.root``.
    The columns start_s and segment_s are written when an utterance is a segment.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a text holds a tab or the end of a line, or a further column has the name of a known one.
    """
    path = Path(path)
    lines = ["\t".join(map(_clean, cells)) for cells in manifest_table(corpus)]
    write_text(path, "\n".join(lines) + "\n")
    return path


def _clean(text: str) -> str:
    if "\t" in text or "\n" in text or text.endswith("\r"):
        raise InputError(f"a field of a manifest holds no tab and no end of line, got {text!r}")
    return text
