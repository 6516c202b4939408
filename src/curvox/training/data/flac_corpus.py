"""A corpus decoded once and for all: its recordings as FLAC at one rate, and a manifest beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from curvox.audio import FlacFile, write_flac_files
from curvox.corpora import BadRecording, Corpus, Utterance, write_bad_files, write_manifest
from curvox.errors import CorpusError, OutputExistsError
from curvox.training.data.crops import BAD_FILES

_MANIFEST = "manifest.tsv"


@dataclass(frozen=True)
class FlacCorpus:
    """What was made: the corpus, its manifest, how many files were there already, what was left out as unreadable."""

    corpus: Corpus
    manifest: Path
    kept: int
    bad_files: tuple[BadRecording, ...]


def convert_to_flac(
    corpus: Corpus,
    folder: str | Path,
    *,
    sampling_rate_hz: int = 16000,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FlacCorpus:
    """Decode every recording of a corpus once, to ``folder``/audio, and write ``folder``/manifest.tsv at the end.

    Segments stay segments of their recording. A conversion that was interrupted goes on where it was. Recordings that
    cannot be read are left out of the manifest and listed in ``folder``/bad_files.tsv.

    Args:
        folder: new, or that of an interrupted conversion.
        threads: how many recordings are decoded at a time; default as many as there are processors, at most 16.
        progress: called with (recordings done, recordings in all).

    Raises:
        OutputExistsError: the conversion of this folder is complete.
        CorpusError: no recording could be read.
    """
    folder = Path(folder)
    if (folder / _MANIFEST).exists():
        raise OutputExistsError(
            f"{folder / _MANIFEST} exists, so the conversion is complete; to do it again remove it first: "
            "recordings that are there are kept"
        )
    paths = _flac_paths(corpus)
    threads = min(16, os.cpu_count() or 1) if threads is None else threads
    folder.mkdir(parents=True, exist_ok=True)
    made = write_flac_files(
        [corpus.root / path for path in paths],
        [folder / path for path in paths.values()],
        sampling_rate_hz=sampling_rate_hz,
        threads=threads,
        progress=progress,
    )
    files = dict(zip(paths, made, strict=True))
    bad = tuple(
        BadRecording(u.path, u.utterance, files[u.path].error) for u in corpus.utterances if files[u.path].error
    )
    (folder / BAD_FILES).unlink(missing_ok=True)  # of a conversion that was interrupted
    if bad:
        write_bad_files(folder / BAD_FILES, bad)
    utterances = tuple(
        _converted(u, paths[u.path], files[u.path], sampling_rate_hz)
        for u in corpus.utterances
        if not files[u.path].error
    )
    if not utterances:
        raise CorpusError(f"none of the {len(files)} recordings could be read; {folder / BAD_FILES} says why")
    converted = replace(corpus, root=folder, utterances=utterances)
    manifest = write_manifest(converted, folder / _MANIFEST)
    return FlacCorpus(converted, manifest, sum(file.kept for file in files.values()), bad)


def _flac_paths(corpus: Corpus) -> dict[str, str]:
    """Return the new path of each recording; two that differ in their ending alone keep it."""
    paths = dict.fromkeys(u.path for u in corpus.utterances)
    stems = Counter(str(PurePosixPath(path).with_suffix("")) for path in paths)
    return {
        path: f"audio/{stem if stems[stem] == 1 else path}.flac"
        for path in paths
        if (stem := str(PurePosixPath(path).with_suffix("")))
    }


def _converted(utterance: Utterance, path: str, file: FlacFile, rate_hz: int) -> Utterance:
    whole = utterance.start_s == 0 and utterance.segment_s is None
    length_s = round(file.duration_s, 6) if whole else utterance.duration_s
    return replace(utterance, path=path, sampling_rate_hz=rate_hz, duration_s=length_s)
