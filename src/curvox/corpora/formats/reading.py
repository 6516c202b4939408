"""Read a corpus of any format, or say everything that is wrong with it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curvox.corpora.checks import check_rows
from curvox.corpora.corpus import Corpus, count
from curvox.corpora.formats.folders import has_recordings
from curvox.corpora.formats.manifest import CSV_MANIFEST, TSV_MANIFEST
from curvox.corpora.problems import CorpusReport, Draft
from curvox.errors import CorpusError
from curvox.tables import Entry, Table

_HERE = "curvox.corpora.formats"
CORPORA = Table(
    "corpus format",
    {
        "tsv": Entry(f"{_HERE}.manifest", "read_tsv", "manifest.tsv: one utterance a line, labels in named columns"),
        "csv": Entry(f"{_HERE}.manifest", "read_csv", "manifest.csv: the same columns, separated by commas"),
        "folders": Entry(f"{_HERE}.folders", "read_folders", "a folder per speaker, as VoxCeleb has it"),
        "kaldi": Entry(f"{_HERE}.kaldi", "read_kaldi", "wav.scp and utt2spk, with segments and spk2gender"),
        "lhotse": Entry(f"{_HERE}.lhotse", "read_lhotse", "lhotse's cuts, or recordings and supervisions"),
        "shards": Entry(f"{_HERE}.shards", "read_shards", "tar files of recordings, from curvox data shard"),
    },
)


def read_corpus(
    path: str | Path,
    *,
    format: str | None = None,
    audio_root: str | Path | None = None,
    check_files: bool = True,
) -> Corpus:
    """Read a corpus of any format in :data:`CORPORA`.

    Args:
        path: a folder, or a manifest (.tsv, .csv, .jsonl, .jsonl.gz).
        format: its name in :data:`CORPORA`; without it, decided by which files exist.
        audio_root: the folder that paths of recordings are relative to; without it, the folder of the manifest.
        check_files: also refuse a recording that is missing or has no bytes. No recording is opened.

    Raises:
        CorpusError: something is wrong; the message lists the first 20 problems with their lines, and how many more.
        MissingExtraError: the format needs a package that is not installed.
    """
    return _read(Path(path), format, audio_root, check_files)[1].corpus(f"the corpus {path}")


def check_corpus(
    path: str | Path,
    *,
    format: str | None = None,
    audio_root: str | Path | None = None,
    check_files: bool = True,
) -> CorpusReport:
    """Read a corpus as :func:`read_corpus` does and report every problem instead of raising.

    Raises:
        CorpusError: there is nothing to report on: no such path, or the format cannot be decided.
        UnknownNameError, MissingExtraError: as :func:`read_corpus` does.
    """
    name, draft = _read(Path(path), format, audio_root, check_files)
    found = draft.rows.utterances
    total = count(found)
    splits = sorted({u.split for u in found} - {""})
    return CorpusReport(
        path=Path(path),
        format=name,
        root=draft.root,
        found=tuple(u for u in found if u.path not in draft.wrong_paths),
        problems=tuple(draft.problems),
        speakers=total.speakers,
        utterances=total.utterances,
        duration_s=total.duration_s if found else None,
        splits={split: count(u for u in found if u.split == split) for split in splits},
    )


def _read(path: Path, format: str | None, audio_root: str | Path | None, check_files: bool) -> tuple[str, Draft]:
    root = None if audio_root is None else Path(audio_root)
    if root is not None and not root.is_dir():
        raise CorpusError(f"audio_root must be a folder, got {root}")
    if not path.exists():
        raise CorpusError(f"no corpus at {path}: expected a folder or a manifest")
    name = detect_format(path) if format is None else format
    with _no_collection():
        draft: Draft = CORPORA.load(name)(path, root)
        # A recording in a shard is no file of its own.
        check_rows(draft, check_files=check_files and name != "shards")
    return name, draft


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage meanwhile: among millions of objects that all stay, that takes longer than reading does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def detect_format(path: str | Path) -> str:
    """Return the name of a corpus' format, decided only by which files exist."""
    path = Path(path)
    if not path.is_dir():
        if path.suffix in (".tsv", ".csv"):
            return path.suffix[1:]
        if _is_jsonl(path):
            return "lhotse"
        raise CorpusError(f"expected a folder or a manifest (.tsv, .csv, .jsonl, .jsonl.gz), got {path}")
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file()]
    if any(f.name.startswith("cuts.") for f in files) and any(f.match("recording.*.tar") for f in files):
        raise CorpusError(f"{path} is a folder of lhotse Shar; curvox.corpora.unpack_shar turns it into a corpus")
    names = {f.name for f in files}
    from curvox.audio import is_shard_folder  # late, as it brings soundfile

    if is_shard_folder(path):
        return "shards"
    found = {
        "tsv": TSV_MANIFEST in names,
        "csv": CSV_MANIFEST in names,
        "kaldi": {"wav.scp", "utt2spk"} <= names,
        "lhotse": any(_is_jsonl(f) for f in files),
    }
    fitting = [name for name, fits in found.items() if fits]
    if len(fitting) > 1:
        raise CorpusError(f"{path} fits the formats {' and '.join(fitting)}; say which with format=")
    if fitting:
        return fitting[0]
    if has_recordings(path):
        return "folders"
    raise CorpusError(
        f"{path} is no corpus: expected {TSV_MANIFEST} or {CSV_MANIFEST}, or wav.scp and utt2spk, or lhotse's "
        f"*.jsonl(.gz), or a folder of recordings for each speaker; found {', '.join(sorted(names)[:5]) or 'no file'}"
    )


def _is_jsonl(path: Path) -> bool:
    return path.name.endswith((".jsonl", ".jsonl.gz"))
