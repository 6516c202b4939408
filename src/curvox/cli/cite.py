"""``curvox cite``: the papers behind a recipe or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cite(
    source: Annotated[Path, typer.Argument(help="Recipe, or run folder.")],
) -> None:
    """Print the BibTeX entries of the methods that a recipe uses, or a run: its training, scoring and evaluations."""
    from curvox.reports import citations_for, papers_behind

    print(citations_for(papers_behind(source)))
