"""Options that several commands share, word for word, and the names that the shell completes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

# Written out, for the tables that hold these names bring NumPy or torch with them; a test compares both.
TRIAL_STYLES = ("voxceleb", "kaldi", "cnceleb", "nist", "nist_key")
ENROLMENT_STYLES = ("kaldi", "cnceleb", "nist")
CORPUS_FORMATS = ("tsv", "csv", "folders", "kaldi", "lhotse", "shards")
PUBLISHED_CORPORA = (
    "voxceleb1", "voxceleb2", "cnceleb1", "cnceleb2", "librispeech", "vctk", "audiomnist", "speech_commands",
)  # fmt: skip
BACK_END_NAMES = ("plain", "mean_subtraction", "s_norm", "as_norm", "plda")
SCORER_NAMES = ("cosine", "euclidean", "hyperbolic", "distance")
ENROLMENT_WAYS = ("spherical_mean", "einstein_midpoint", "frechet_mean", "score_mean")
CALIBRATION_KINDS = ("logistic", "isotonic")
SPACE_NAMES = ("euclidean", "hypersphere", "poincare_ball")
COHORT_RECORDINGS = 10


def complete(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return what completes a word to these names in the shell."""

    def matching(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return matching


def either(names: tuple[str, ...]) -> str:
    """Return names for a help text: "kaldi, cnceleb or nist"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


_BACK_END = f"{either(BACK_END_NAMES)}, perhaps with settings, as_norm:top_k=100"
_back_ends = complete(BACK_END_NAMES)

Run = Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")]
Runs = Annotated[Path, typer.Option(help="Folder that holds the runs.")]
Corpus = Annotated[Path, typer.Argument(help="Corpus folder or manifest, of any format.")]
Data = Annotated[
    Path | None, typer.Option(help="Corpus folder or manifest; default the one that the run was trained on.")
]
CorpusFormat = Annotated[
    str | None,
    typer.Option(
        help=f"Format of the corpus: {either(CORPUS_FORMATS)}; default told by the files there.",
        autocompletion=complete(CORPUS_FORMATS),
    ),
]
AudioRoot = Annotated[
    Path | None,
    typer.Option(help="Folder that paths of recordings start from; default the folder of the manifest."),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Number of recordings decoded at a time; default as many as processors, at most 16."),
]
SamplingRate = Annotated[
    int, typer.Option("--sampling-rate-hz", min=1000, help="Sampling rate of the recordings that are written.")
]
Style = Annotated[
    str,
    typer.Option(help=f"Style of the trial lists: {either(TRIAL_STYLES)}.", autocompletion=complete(TRIAL_STYLES)),
]
EnrolmentStyle = Annotated[
    str,
    typer.Option(
        help=f"Style of the map of models to recordings: {either(ENROLMENT_STYLES)}.",
        autocompletion=complete(ENROLMENT_STYLES),
    ),
]
Scorer = Annotated[
    str | None,
    typer.Option(
        help=f"Score of two embeddings: {either(SCORER_NAMES)}; default the model's own.",
        autocompletion=complete(SCORER_NAMES),
    ),
]
BackEnd = Annotated[str, typer.Option(help=f"Way to make scores: {_BACK_END}.", autocompletion=_back_ends)]
BackEnds = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Way to make scores, repeated for several: {_BACK_END}; default plain.", autocompletion=_back_ends
    ),
]
Cohort = Annotated[
    int, typer.Option(help="Number of recordings of each training speaker that a back end is fitted on, at most.")
]
Resamples = Annotated[
    int, typer.Option(min=0, help="Number of resamples of the speakers in the bootstrap behind the intervals.")
]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn at random.")]
Device = Annotated[
    str,
    typer.Option(help="Device that computes, such as cpu or cuda.", autocompletion=complete(("cpu", "cuda"))),
]
Audio = Annotated[bool, typer.Option("--audio/--no-audio", help="Put recordings on the page, to listen to them there.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier call of this command wrote.")]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="PATH",
        help="Write the result as JSON to this new file, or for - to standard output in place of the text; default "
        "neither.",
    ),
]
