"""The manifest as CSV, as spreadsheets write it: commas, fields quoted where they must be, a header.

The columns are those of manifest.tsv; without ``utterance`` the path is the id, white space in it turned to "_".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from curvox.corpora.corpus import Corpus
from curvox.corpora.manifest_rows import check_header, read_rows
from curvox.corpora.manifest_table import manifest_table
from curvox.corpora.places import absolute
from curvox.corpora.problems import Draft
from curvox.corpora.text_files import each_line
from curvox.errors import InputError
from curvox.files import new_text

MANIFEST = "manifest.csv"


def read_csv(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder's ``manifest.csv`` or a .csv file; paths are relative to ``audio_root`` or its folder."""
    manifest = path / MANIFEST if path.is_dir() else path
    folder = absolute(manifest).parent
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name if path.is_dir() else manifest.stem)
    records = _records(draft, manifest)
    line, header = next(records, (0, []))
    if not line and not draft.problems:
        draft.add(manifest.name, None, "", "the file is empty; expected a header with path, speaker")
    elif len(header) == 1 and (found := [mark for mark in "\t;" if mark in header[0]]):
        draft.add(manifest.name, 1, "", f"fields must be separated by commas, here they seem separated by {found[0]!r}")
    elif line and check_header(draft, manifest.name, header, required=("path", "speaker")):
        read_rows(draft, manifest.name, header, records, "commas")
    return draft


def _records(draft: Draft, manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it ends, fields); fields may hold ends of lines where they are quoted."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at
        for at, line in each_line(manifest, draft.problems):  # noqa: B007
            yield f"{line}\n"

    try:
        for fields in csv.reader(lines(), strict=True):
            yield at, fields
    except csv.Error as error:
        draft.add(manifest.name, at, "", f"the quoting is broken ({error}); what follows was not read")


def write_csv(corpus: Corpus, path: str | Path) -> Path:
    """Write a corpus as CSV, as `write_manifest` does with tabs; it appears complete or not at all.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a text holds the end of a line, or a further column has the name of a known one.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for fields in manifest_table(corpus):
        if broken := [field for field in fields if "\n" in field or "\r" in field]:
            raise InputError(f"a field of a manifest holds no end of line, got {broken[0]!r}")
        writer.writerow(fields)
    new_text(Path(path), text.getvalue())
    return Path(path)
