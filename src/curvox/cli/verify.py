"""``curvox verify``: same speaker or not?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    run: Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")],
    enrolment: Annotated[Path, typer.Argument(help="Recording of the known speaker.")],
    test: Annotated[Path, typer.Argument(help="Recording in question.")],
    more: Annotated[
        list[Path] | None,
        typer.Option("--enrolment", "-e", help="Another recording of the known speaker (repeat as needed)."),
    ] = None,
    operating_point: Annotated[
        str | None,
        typer.Option(help="Where to decide: voxsrc, bayes:0.01, far:0.01, frr:0.05, eer …; default equal costs."),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Probability of the same speaker before hearing; default the operating point's, or 0.5."),
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(help="cosine, euclidean, hyperbolic or distance: only a score, without a decision.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Compare two recordings: score, likelihood ratio, posterior, and a decision if the model has a decision card."""
    from curvox.cli.decision_text import print_verification
    from curvox.embedder import load_embedder
    from curvox.records import to_json

    answer = load_embedder(run, device=device).verify(
        [enrolment, *(more or [])], test, operating_point=operating_point, prior=prior, scorer=scorer
    )
    if as_json:
        print(to_json(answer.to_dict()), end="")
    else:
        print_verification(answer)
