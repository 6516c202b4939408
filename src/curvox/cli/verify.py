"""``curvox verify``: same speaker or not?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curvox.cli.options import Device, JsonFile, Run, Scorer, complete

OPERATING_POINTS = ("voxsrc", "eer", "bayes:0.01", "far:0.01", "frr:0.05")


def verify(
    run: Run,
    enrolment: Annotated[Path, typer.Argument(help="Recording of the known speaker.")],
    test: Annotated[Path, typer.Argument(help="Recording in question.")],
    more: Annotated[
        list[Path] | None,
        typer.Option(
            "--enrolment", "-e", help="Further recording of the known speaker; repeat for several, default none."
        ),
    ] = None,
    operating_point: Annotated[
        str | None,
        typer.Option(
            help="Operating point to decide at: voxsrc, bayes:0.01, far:0.01, frr:0.05, eer …; default equal costs.",
            autocompletion=complete(OPERATING_POINTS),
        ),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Prior probability of the same speaker; default the operating point's, or 0.5."),
    ] = None,
    scorer: Scorer = None,
    json_file: JsonFile = None,
    device: Device = "cpu",
) -> None:
    """Compare two recordings: score, likelihood ratio, posterior, and a decision if the model has a decision card.

    With --scorer there is only a score, without a decision.
    """
    from curvox.cli.terminal import STANDARD_OUTPUT, json_output
    from curvox.embedder import load
    from curvox.records import to_json
    from curvox.reports import verification_text

    with json_output(json_file) as write_json:
        answer = load(run, device=device).verify(
            [enrolment, *(more or [])], test, operating_point=operating_point, prior=prior, scorer=scorer
        )
        write_json(to_json(answer.to_dict()))
    if json_file != STANDARD_OUTPUT:
        print(verification_text(answer))
