"""``curvox identify``: which of the enrolled speakers is it, if any of them?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def identify(
    run: Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")],
    probe: Annotated[Path, typer.Argument(help="Recording in question.")],
    gallery: Annotated[
        Path,
        typer.Option(
            help="Enrolled speakers: a folder with a folder or a recording for each, or a map with a line for each, of "
            "the speaker and the recordings."
        ),
    ],
    false_alarm: Annotated[
        float | None,
        typer.Option(help="Share of searches for somebody not enrolled that may name somebody; default 0.01."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Corpus whose utterances the map names; else it names files, beside itself.")
    ] = None,
    enrolment_style: Annotated[str, typer.Option(help="Of the map: kaldi, cnceleb or nist.")] = "kaldi",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Find out who of a gallery is speaking; the answer may be none of them."""
    from rich.console import Console

    from curvox.cli.decision_text import print_identification
    from curvox.cli.progress import counting
    from curvox.embedder import identify as search
    from curvox.embedder import load_embedder, read_gallery
    from curvox.records import to_json

    enrolled = read_gallery(gallery, data=data, style=enrolment_style)
    model = load_embedder(run, device=device)
    with counting(Console(stderr=True), "embedding") as progress:
        answer = search(model, enrolled, probe, false_alarm_rate=false_alarm, progress=progress)
    if as_json:
        print(to_json(answer.to_dict()), end="")
    else:
        print_identification(answer)
