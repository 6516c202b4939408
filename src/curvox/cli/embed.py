"""``curvox embed``: recordings to a file of embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.options import Device, Run


def embed(
    run: Run,
    recordings: Annotated[list[Path], typer.Argument(help="Audio files, and folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New file to write, which ends in .npz.")],
    device: Device = "cpu",
) -> None:
    """Embed recordings; the .npz holds recordings (N,), embeddings (N, D) and the space as JSON."""
    import json

    import numpy as np
    from rich.console import Console

    from curvox.cli.terminal import counting
    from curvox.embedder import find_recordings, load
    from curvox.errors import InputError
    from curvox.files import new_file

    if output.suffix != ".npz":
        raise InputError(f"the output must end in .npz, got {output}")
    target = new_file(output)
    model = load(run, device=device)
    found = find_recordings(recordings)
    with counting(Console(stderr=True), "embedding") as progress:
        points = model.embed_files(found, progress)
    with target as file:
        np.savez(
            file,
            recordings=np.array([str(p) for p in found]),
            embeddings=points,
            space=json.dumps(model.space.describe()),
        )
    print(f"{output}: {len(found)} embeddings of {points.shape[1]} dimensions, space {model.space.describe()['name']}")
