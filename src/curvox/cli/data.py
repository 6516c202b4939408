"""``curvox data``: prepare, check, convert and shard corpora before training on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.command import Command
from curvox.cli.data_check import check
from curvox.cli.options import (
    PUBLISHED_CORPORA,
    AudioRoot,
    Corpus,
    CorpusFormat,
    SamplingRate,
    Seed,
    Threads,
    complete,
)
from curvox.errors import InputError, require_name

if TYPE_CHECKING:
    from curvox import corpora

app = typer.Typer(help="Prepare, check, convert and shard corpora.", no_args_is_help=True)
app.command("check", cls=Command)(check)

MANIFEST_FORMATS = ("tsv", "csv", "kaldi")
SHARD_CODECS = ("flac", "opus", "as-is")
AUDIO_CODECS = ("flac",)


@app.command("prepare", cls=Command)
def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help=f"Published corpus: {', '.join(PUBLISHED_CORPORA)}; or lhotse:NAME, a recipe of lhotse (curvox data "
            "lhotse-recipes lists them).",
            autocompletion=complete((*PUBLISHED_CORPORA, "lhotse:")),
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Folder of the corpus, as unpacked.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for manifest.tsv and trials; that of the corpus or another.")
    ],
    dev_speakers: Annotated[
        int | None, typer.Option(help="Number of training speakers to set apart as the split dev; default none.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Read the layout of a published corpus; write its manifest and official trials."""
    from curvox.corpora import prepare_corpus

    prepared = prepare_corpus(corpus, folder, output, dev_speakers=dev_speakers, seed=seed)
    _print_splits(prepared.manifest, prepared.corpus)
    for path in (*prepared.trials, *prepared.enrolments):
        print(path)
    for note in prepared.notes:
        print(f"note: {note}")
    if prepared.audio_root is not None:
        print(
            f"read it with --audio-root {prepared.audio_root}, or -s data.audio_root={prepared.audio_root} in training"
        )


@app.command("lhotse-recipes", cls=Command)
def list_recipes() -> None:
    """List the recipes of lhotse for curvox data prepare lhotse:NAME, and why others cannot be used."""
    from curvox.corpora import lhotse_recipes

    for recipe in lhotse_recipes().values():
        print(f"{recipe.name}: not here, {recipe.refusal}" if recipe.refusal else recipe.name)


@app.command("convert", cls=Command)
def convert(
    path: Corpus,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A manifest .tsv or .csv, or a folder; with --codec a folder.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="Format to write: tsv, csv or kaldi; default told by the ending of the output, kaldi without one.",
            autocompletion=complete(MANIFEST_FORMATS),
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            help="Codec to decode all recordings to: flac, into the output folder with a manifest.tsv there; default "
            "leave them as they are.",
            autocompletion=complete(AUDIO_CODECS),
        ),
    ] = None,
    sampling_rate_hz: SamplingRate = 16000,
    threads: Threads = None,
    format: CorpusFormat = None,
    audio_root: AudioRoot = None,
) -> None:
    """Write a corpus of any format as manifest.tsv, CSV or a Kaldi folder, or decode its recordings to FLAC.

    An interrupted --codec flac goes on where it was when it is given again. It exits with 1 when recordings could not
    be read; bad_files.tsv in the output lists them.
    """
    from curvox.corpora import read_corpus

    if codec is not None:
        require_name(codec, AUDIO_CODECS, "audio codec")
        if to is not None:
            raise InputError("--codec flac writes its manifest.tsv beside the recordings; leave --to out")
        corpus = read_corpus(path, format=format, audio_root=audio_root, check_files=False)
        _decode(corpus, output, sampling_rate_hz, threads)
        return
    corpus = read_corpus(path, format=format, audio_root=audio_root)
    _write(corpus, output, _format_of(output, to))


@app.command("shard", cls=Command)
def shard(
    path: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of shards to write; must not exist.")],
    shard_mb: Annotated[float, typer.Option(help="Size of a shard in 10^6 bytes.")] = 256.0,
    codec: Annotated[
        str,
        typer.Option(
            help="Codec of the recordings: flac, opus (some 24 kbit/s, not the same samples), or as-is for the bytes "
            "of the files.",
            autocompletion=complete(SHARD_CODECS),
        ),
    ] = "flac",
    sampling_rate_hz: SamplingRate = 16000,
    threads: Annotated[int, typer.Option(min=1, help="Number of recordings decoded and encoded at a time.")] = 2,
    seed: Seed = 0,
    allowed_bad_share: Annotated[
        float, typer.Option(help="Share of the recordings that may be unreadable; bad_files.tsv lists them.")
    ] = 0.0,
    format: CorpusFormat = None,
    audio_root: AudioRoot = None,
) -> None:
    """Write a corpus as shards: tar files of shuffled recordings with an index, for curvox train --data."""
    from rich.console import Console

    from curvox.cli.terminal import counting
    from curvox.corpora import ShardingOptions, read_corpus, shard_corpus

    options = ShardingOptions(shard_mb, codec, sampling_rate_hz, threads, seed, allowed_bad_share)
    corpus = read_corpus(path, format=format, audio_root=audio_root, check_files=not allowed_bad_share)
    folder = path if path.is_dir() else path.parent
    with counting(Console(stderr=True), "writing recordings") as progress:
        report = shard_corpus(corpus, output, options, trials=folder / "trials", progress=progress)
    print(f"{report.folder}: {report.recordings} recordings in {report.shards} shards, {report.size / 1e9:.3g} GB")
    if report.bad:
        print(f"{len(report.bad)} recordings could not be read and are left out, see {report.folder / 'bad_files.tsv'}")


@app.command("join", cls=Command)
def join(
    paths: Annotated[list[Path], typer.Argument(help="Corpus folders or manifests, of any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Manifest to write, in a folder that holds them all.")],
) -> None:
    """Write several corpora as one manifest."""
    from curvox.corpora import join_corpora, read_corpus, write_manifest

    joined = join_corpora([read_corpus(path) for path in paths], output.absolute().parent)
    _print_splits(write_manifest(joined, output), joined)


@app.command("unpack-shar", cls=Command)
def unpack(
    shar: Annotated[Path, typer.Argument(help="Folder in lhotse's Shar format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write: recordings and manifest.tsv.")],
) -> None:
    """Unpack a lhotse Shar folder into recordings and a manifest."""
    from curvox.corpora import unpack_shar

    corpus = unpack_shar(shar, output)
    print(f"{output}: {len(corpus.speakers)} speakers, {len(corpus)} utterances")


def _print_splits(manifest: Path, corpus: corpora.Corpus) -> None:
    print(f"{manifest}: {len(corpus.speakers)} speakers, {len(corpus)} utterances")
    for name in corpus.splits:
        counts = corpus.split(name).counts
        print(f"  {name}: {counts.speakers} speakers, {counts.utterances} utterances")


def _format_of(output: Path, to: str | None) -> str:
    if to is None:
        to = {".tsv": "tsv", ".csv": "csv", "": "kaldi"}.get(output.suffix.lower())
    if to is None:
        raise InputError(f"the ending of {output} says no format, expected .tsv, .csv or none; name it with --to")
    require_name(to, MANIFEST_FORMATS, "format to write")
    return to


def _write(corpus: corpora.Corpus, output: Path, to: str) -> None:
    from curvox.corpora import write_csv, write_kaldi, write_manifest

    if to == "kaldi":
        notes = write_kaldi(corpus, output)
        print(f"{output}: {len(corpus)} utterances; read it with --audio-root {corpus.root}")
        for note in notes:
            print(f"note: {note}")
        return
    written = write_manifest(corpus, output) if to == "tsv" else write_csv(corpus, output)
    print(f"{written}: {len(corpus)} utterances, paths relative to {corpus.root}")


def _decode(corpus: corpora.Corpus, output: Path, sampling_rate_hz: int, threads: int | None) -> None:
    from rich.console import Console

    from curvox.cli.terminal import counting
    from curvox.training import BAD_FILES, convert_to_flac

    with counting(Console(stderr=True), "decoding recordings") as progress:
        made = convert_to_flac(corpus, output, sampling_rate_hz=sampling_rate_hz, threads=threads, progress=progress)
    print(f"{made.manifest}: {len(made.corpus)} utterances at {sampling_rate_hz} Hz")
    if made.kept:
        print(f"{made.kept} recordings were there already")
    if made.bad_files:
        print(f"{len(made.bad_files)} recordings could not be read: {output / BAD_FILES}", file=sys.stderr)
        raise typer.Exit(1)
