"""``curvox data``: prepare, check and convert corpora before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.data_check import check
from curvox.cli.data_convert import convert
from curvox.cli.shard import shard

# Written out, for the table of preparations brings NumPy with it.
PUBLISHED = "voxceleb1, voxceleb2, cnceleb1, cnceleb2, librispeech, vctk, audiomnist, speech_commands"

app = typer.Typer(help="Prepare, check and convert corpora.", no_args_is_help=True)
app.command("shard")(shard)


@app.command("prepare")
def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help=f"Published corpus: {PUBLISHED}; or lhotse:NAME, a recipe of lhotse (curvox data lhotse-recipes)."
        ),
    ],
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


@app.command("lhotse-recipes")
def list_recipes() -> None:
    """List the recipes of lhotse for curvox data prepare lhotse:NAME, and why others cannot be used."""
    from curvox.corpora import lhotse_recipes

    for recipe in lhotse_recipes().values():
        print(f"{recipe.name}: not here, {recipe.refusal}" if recipe.refusal else recipe.name)


app.command("check")(check)


app.command("convert")(convert)


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
