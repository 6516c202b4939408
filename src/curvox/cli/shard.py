"""``curvox data shard``: a corpus as tar files that are read in sequence, from a disk or a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def shard(
    path: Annotated[Path, typer.Argument(help="Corpus folder or manifest, of any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of shards to write; must not exist.")],
    shard_mb: Annotated[float, typer.Option(help="Size of a shard in 10^6 bytes.")] = 256.0,
    codec: Annotated[
        str, typer.Option(help="flac, opus (some 24 kbit/s, not the same samples), or as-is: the bytes of the files.")
    ] = "flac",
    sampling_rate_hz: Annotated[int, typer.Option(help="Rate that recordings are converted to.")] = 16000,
    workers: Annotated[int, typer.Option(help="Threads that decode and encode.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the order of the recordings.")] = 0,
    allowed_bad_share: Annotated[
        float, typer.Option(help="Share of the recordings that may be unreadable; listed in bad_files.tsv.")
    ] = 0.0,
    format: Annotated[str | None, typer.Option(help="Of the corpus; default: by the files there.")] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that holds recordings with absolute paths.")] = None,
) -> None:
    """Write a corpus as shards: tar files of shuffled recordings with an index, for `curvox train --data`."""
    from rich.console import Console

    from curvox.cli.progress import counting
    from curvox.corpora import ShardingOptions, read_corpus, shard_corpus

    options = ShardingOptions(shard_mb, codec, sampling_rate_hz, workers, seed, allowed_bad_share)
    corpus = read_corpus(path, format=format, audio_root=audio_root, check_files=not allowed_bad_share)
    folder = path if path.is_dir() else path.parent
    with counting(Console(stderr=True), "writing recordings") as progress:
        report = shard_corpus(corpus, output, options, trials=folder / "trials", progress=progress)
    print(f"{report.folder}: {report.recordings} recordings in {report.shards} shards, {report.size / 1e9:.3g} GB")
    if report.bad:
        print(f"{len(report.bad)} recordings could not be read and are left out, see {report.folder / 'bad_files.tsv'}")
