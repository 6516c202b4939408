"""``curvox data convert``: a corpus as another format, or with its recordings decoded once and for all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.errors import InputError, require_name

if TYPE_CHECKING:
    from curvox.corpora import Corpus

FORMATS = ("tsv", "csv", "kaldi")


def convert(
    path: Annotated[Path, typer.Argument(help="Corpus folder or manifest, of any format.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="manifest.tsv, a .csv file or a folder; with --audio a folder.")
    ],
    to: Annotated[
        str | None, typer.Option(help="tsv, csv or kaldi; default by the ending of the output, kaldi without one.")
    ] = None,
    audio: Annotated[
        str | None, typer.Option(help="flac: decode all recordings into the output folder, with a manifest.tsv there.")
    ] = None,
    sampling_rate_hz: Annotated[int, typer.Option(min=1000, help="Of the FLAC files.")] = 16000,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Recordings decoded at a time; default as many as processors, at most 16.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="tsv, csv, folders, kaldi or lhotse; default: by the files there.")
    ] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that holds recordings with absolute paths.")] = None,
) -> None:
    """Write a corpus of any format as manifest.tsv, CSV or a Kaldi folder, or decode its recordings to FLAC.

    An interrupted --audio flac goes on where it was when it is given again. It exits with 1 when recordings could not
    be read; bad_files.tsv in the output lists them.
    """
    from curvox.corpora import read_corpus

    if audio is not None:
        require_name(audio, ("flac",), "audio format")
        if to is not None:
            raise InputError("--audio flac writes its manifest.tsv beside the recordings; leave --to out")
        corpus = read_corpus(path, format=format, audio_root=audio_root, check_files=False)
        _decode(corpus, output, sampling_rate_hz, threads)
        return
    corpus = read_corpus(path, format=format, audio_root=audio_root)
    _write(corpus, output, _format_of(output, to))


def _format_of(output: Path, to: str | None) -> str:
    if to is None:
        to = {".tsv": "tsv", ".csv": "csv", "": "kaldi"}.get(output.suffix.lower())
    if to is None:
        raise InputError(f"the ending of {output} says no format, expected .tsv, .csv or none; name it with --to")
    require_name(to, FORMATS, "format to write")
    return to


def _write(corpus: Corpus, output: Path, to: str) -> None:
    from curvox.corpora import write_csv, write_kaldi, write_manifest

    if to == "kaldi":
        notes = write_kaldi(corpus, output)
        print(f"{output}: {len(corpus)} utterances; read it with --audio-root {corpus.root}")
        for note in notes:
            print(f"note: {note}")
        return
    written = write_manifest(corpus, output) if to == "tsv" else write_csv(corpus, output)
    print(f"{written}: {len(corpus)} utterances, paths relative to {corpus.root}")


def _decode(corpus: Corpus, output: Path, sampling_rate_hz: int, threads: int | None) -> None:
    from rich.console import Console

    from curvox.cli.progress import counting
    from curvox.training import BAD_FILES, convert_to_flac

    with counting(Console(stderr=True), "decoding recordings") as progress:
        made = convert_to_flac(corpus, output, sampling_rate_hz=sampling_rate_hz, threads=threads, progress=progress)
    print(f"{made.manifest}: {len(made.corpus)} utterances at {sampling_rate_hz} Hz")
    if made.kept:
        print(f"{made.kept} recordings were there already")
    if made.bad_files:
        print(f"{len(made.bad_files)} recordings could not be read: {output / BAD_FILES}", file=sys.stderr)
        raise typer.Exit(1)
