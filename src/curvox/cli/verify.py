"""``curvox verify``: same speaker or not?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    run: Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")],
    enrolment: Annotated[Path, typer.Argument(help="Recording of the known speaker.")],
    test: Annotated[Path, typer.Argument(help="Recording in question.")],
    scorer: Annotated[
        str | None, typer.Option(help="cosine, euclidean or hyperbolic; default the model's own.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Compare two recordings: the score, and what it says at the dev trials' point of equal error rates."""
    from curvox.embedder import load_embedder

    answer = load_embedder(run, device=device).verify(enrolment, test, scorer=scorer)
    print(f"score {answer.score:.4f} ({answer.scorer}, larger for the same speaker)")
    if answer.dev is None or answer.threshold is None:
        print("no threshold: this model has no dev result for this scorer, so nothing is decided")
        return
    print("same speaker" if answer.same else "different speakers", f"at the threshold {answer.threshold:.4f}")
    print(
        f"(the point of equal error rates, {100 * answer.dev.eer:.1f} %, on {answer.dev.targets:,} same-speaker and "
        f"{answer.dev.nontargets:,} different-speaker dev trials; not calibrated for other recordings)"
    )
