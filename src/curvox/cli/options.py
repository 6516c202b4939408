"""Options that several commands share, word for word."""

from pathlib import Path
from typing import Annotated

import typer

BACK_END_NAMES = "plain, mean_subtraction, s_norm, as_norm or plda, perhaps with settings, as_norm:top_k=100"
COHORT_RECORDINGS = 10

TrialCorpus = Annotated[Path | None, typer.Option(help="Corpus of the trials; default the one the run was trained on.")]
Scorer = Annotated[str | None, typer.Option(help="cosine, euclidean, hyperbolic or distance; default the model's own.")]
BackEnd = Annotated[str, typer.Option(help=f"How scores are made: {BACK_END_NAMES}.")]
BackEnds = Annotated[list[str] | None, typer.Option(help=f"{BACK_END_NAMES} (repeat for several); default plain.")]
Cohort = Annotated[int, typer.Option(help="Recordings of each training speaker that a back end is fitted on, at most.")]
Resamples = Annotated[int, typer.Option(help="Of the bootstrap over speakers behind the intervals.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
