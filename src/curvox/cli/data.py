"""``curvox data``: prepare, check and convert corpora before training on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.shard import shard

# Written out, for the table of preparations brings NumPy with it.
PUBLISHED = "voxceleb1, voxceleb2, cnceleb1, cnceleb2, librispeech, vctk, audiomnist, speech_commands"

app = typer.Typer(help="Prepare, check and convert corpora.", no_args_is_help=True)
app.command("shard")(shard)


@app.command("prepare")
def prepare(
    corpus: Annotated[str, typer.Argument(help=f"Published corpus: {PUBLISHED}.")],
    folder: Annotated[Path, typer.Argument(help="Its folder, as unpacked.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for manifest.tsv and trials; the corpus' own, or another.")
    ],
    dev_speakers: Annotated[
        int | None, typer.Option(help="Make so many of the speakers to train on the split dev; default none.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of that choice.")] = 0,
) -> None:
    """Read the layout of a published corpus; write its manifest and official trials."""
    from curvox.corpora import prepare_corpus

    prepared = prepare_corpus(corpus, folder, output, dev_speakers=dev_speakers, seed=seed)
    found = prepared.corpus
    print(f"{prepared.manifest}: {len(found.speakers)} speakers, {len(found)} utterances")
    for name in found.splits:
        counts = found.split(name).counts
        print(f"  {name}: {counts.speakers} speakers, {counts.utterances} utterances")
    for path in (*prepared.trials, *prepared.enrolments):
        print(path)
    for note in prepared.notes:
        print(f"note: {note}")
    if prepared.audio_root is not None:
        print(
            f"read it with --audio-root {prepared.audio_root}, or -s data.audio_root={prepared.audio_root} in training"
        )


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="Corpus folder or manifest.")],
    format: Annotated[
        str | None, typer.Option(help="tsv, folders, kaldi or lhotse; default: by the files there.")
    ] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that holds recordings with absolute paths.")] = None,
) -> None:
    """Validate a corpus: counts, and what is wrong in which line."""
    from curvox.corpora import check_corpus

    report = check_corpus(path, format=format, audio_root=audio_root)
    hours = "unknown length" if report.duration_s is None else f"{report.duration_s / 3600:.2f} h"
    print(f"{report.path} ({report.format}): {report.speakers} speakers, {report.utterances} utterances, {hours}")
    for name, counts in report.splits.items():
        print(f"  {name}: {counts.speakers} speakers, {counts.utterances} utterances")
    for problem in report.problems:
        print(problem)
    if not report.ok:
        print(f"{len(report.problems)} problems", file=sys.stderr)
        raise typer.Exit(1)
    print("no problems")


@app.command("convert")
def convert(
    path: Annotated[Path, typer.Argument(help="Corpus folder or manifest, of any format.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Manifest to write; paths in it stay relative to the corpus.")
    ],
    format: Annotated[
        str | None, typer.Option(help="tsv, folders, kaldi or lhotse; default: by the files there.")
    ] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that holds recordings with absolute paths.")] = None,
) -> None:
    """Write a corpus of any format as manifest.tsv."""
    from curvox.corpora import read_corpus, write_manifest

    corpus = read_corpus(path, format=format, audio_root=audio_root)
    written = write_manifest(corpus, output)
    print(f"{written}: {len(corpus)} utterances, paths relative to {corpus.root}")


@app.command("join")
def join(
    paths: Annotated[list[Path], typer.Argument(help="Corpus folders or manifests, of any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Manifest to write, in a folder that holds them all.")],
) -> None:
    """Write several corpora as one manifest."""
    from curvox.corpora import join_corpora, read_corpus, write_manifest

    joined = join_corpora([read_corpus(path) for path in paths], output.absolute().parent)
    written = write_manifest(joined, output)
    print(f"{written}: {len(joined.speakers)} speakers, {len(joined)} utterances")
    for name in joined.splits:
        counts = joined.split(name).counts
        print(f"  {name}: {counts.speakers} speakers, {counts.utterances} utterances")


@app.command("unpack-shar")
def unpack(
    shar: Annotated[Path, typer.Argument(help="Folder in lhotse's Shar format.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write: recordings and manifest.tsv.")],
) -> None:
    """Unpack a lhotse Shar folder into recordings and a manifest."""
    from curvox.corpora import unpack_shar

    corpus = unpack_shar(shar, folder)
    print(f"{folder}: {len(corpus.speakers)} speakers, {len(corpus)} utterances")
