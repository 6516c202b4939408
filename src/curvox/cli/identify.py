"""``curvox identify``: which of the enrolled speakers is it, if any of them?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.options import Device, EnrolmentStyle, JsonFile, Run


def identify(
    run: Run,
    probe: Annotated[Path, typer.Argument(help="Recording in question.")],
    gallery: Annotated[
        Path,
        typer.Option(
            help="Enrolled speakers: a folder that holds a folder or a recording for each, or a map whose lines name "
            "a speaker and the recordings."
        ),
    ],
    false_alarm: Annotated[
        float | None,
        typer.Option(help="Share of searches for a speaker not enrolled that may name somebody; default 0.01."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Corpus whose utterances the map names; default none, where it names files beside it."),
    ] = None,
    enrolment_style: EnrolmentStyle = "kaldi",
    json_file: JsonFile = None,
    device: Device = "cpu",
) -> None:
    """Find out who of a gallery is speaking; the answer may be none of them."""
    from rich.console import Console

    from curvox.cli.terminal import STANDARD_OUTPUT, counting, json_output
    from curvox.embedder import identify as search
    from curvox.embedder import load, read_gallery
    from curvox.records import to_json
    from curvox.reports import identification_text

    with json_output(json_file) as write_json:
        enrolled = read_gallery(gallery, data=data, style=enrolment_style)
        model = load(run, device=device)
        with counting(Console(stderr=True), "embedding") as progress:
            answer = search(model, enrolled, probe, false_alarm_rate=false_alarm, progress=progress)
        write_json(to_json(answer.to_dict()))
    if json_file != STANDARD_OUTPUT:
        print(identification_text(answer))
