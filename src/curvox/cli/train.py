"""``curvox train``: from a recipe and a corpus to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.options import Runs


def train(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, such as recipes/openvoices_ham.yaml.")],
    data: Annotated[
        str | None,
        typer.Option(help="Corpus folder, manifest, or shards, also as a URL; default data.path of the recipe."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; default the recipe's.")] = None,
    runs: Runs = Path("runs"),
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            help="Key of the recipe to override, such as loss.margin=0.3; repeat for several, default none.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")] = False,
    allowed_bad_share: Annotated[
        float | None,
        typer.Option(help="Share of the recordings that may be unreadable; default the recipe's, which has 0 if none."),
    ] = None,
) -> None:
    """Train a speaker model; leaves runs/NAME with the recipe, the best and the last checkpoint and the logs."""
    from rich.console import Console

    from curvox.cli.terminal import counting
    from curvox.training import is_first_process, read_recipe
    from curvox.training import train as run_training

    changes = list(overrides or [])
    if allowed_bad_share is not None:
        changes.append(f"data.allowed_bad_share={float(allowed_bad_share)}")
    checked = read_recipe(recipe, changes)
    console = Console(stderr=True)
    with counting(console, "reading recordings") as progress:
        result = run_training(
            checked,
            runs / (name or checked.name),
            data=data,
            resume=resume,
            console=console,
            decoding_progress=progress,
        )
    if not is_first_process():
        return
    best = "" if result.best is None else f", best dev EER {100 * result.best.eer:.2f} % in epoch {result.best.epoch}"
    if result.averaged is not None:
        best += f", mean of the last {checked.training.average_last} epochs {100 * result.averaged.eer:.2f} %"
    console.print(
        f"{result.folder}: {result.steps} steps in {result.seconds / 60:.1f} min, {result.parameters:,} parameters, "
        f"{result.speakers} speakers, {result.speech_s / 3600:.2f} h of speech{best}",
        highlight=False,
    )
