"""Back ends as commands take them: read from text in one way, and fitted to a cohort of the run's training speakers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curvox.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.embedder import Embedder
    from curvox.scoring import AbstractBackEnd, AbstractFittedBackEnd

BACK_END_NAMES = "plain, mean_subtraction, s_norm, as_norm or plda, perhaps with settings, as_norm:top_k=100"
COHORT_RECORDINGS = 10


def back_end_from(text: str) -> dict[str, Any]:
    """Return the name and the settings of a back end: "as_norm", or "as_norm:top_k=100,scorer=cosine".

    Raises:
        InputError: a setting that is not KEY=VALUE, or one that comes twice.
    """
    import yaml

    name, _, settings = text.partition(":")
    description: dict[str, Any] = {"name": name}
    for part in settings.split(",") if settings else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key == "name":
            raise InputError(f'a back end reads as_norm, or as_norm:top_k=100; got the setting "{part}" in "{text}"')
        if key in description:
            raise InputError(f'the setting "{key}" comes twice in "{text}"')
        try:
            description[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f'the value of the setting "{part}" in "{text}" cannot be read: {error}') from error
    return description


def read_back_end(text: str, scorer: str | None = None) -> AbstractBackEnd:
    """Return the back end of a text, with the scorer that an option of its own may name.

    Raises:
        UnknownNameError: no such back end or scorer.
        InputError: a setting it does not have, a scorer where it takes none, or two different ones.
    """
    from curvox.scoring import create_back_end

    description = back_end_from(text)
    back_end = create_back_end(description)
    if scorer is None:
        return back_end
    if "scorer" not in back_end.describe():
        raise InputError(f'the back end "{description["name"]}" takes no scorer; leave --scorer out')
    if description.get("scorer") not in (None, scorer):
        raise InputError(f'"{text}" names another scorer than --scorer {scorer}; leave one of them out')
    return create_back_end({**description, "scorer": scorer})


def back_end_words(description: Mapping[str, Any]) -> str:
    """Return a fitted back end's description as `read_back_end` reads it, without settings that are the default's."""
    from curvox.scoring import create_back_end

    defaults = create_back_end(description["name"]).describe()
    settings = [f"{key}={description.get(key)}" for key, value in defaults.items() if description.get(key) != value]
    return ":".join([str(description["name"]), *([",".join(settings)] if settings else [])])


def fit_back_end(
    back_end: AbstractBackEnd,
    run: Path,
    model: Embedder,
    *,
    data: Path | None,
    trial_speakers: Collection[str],
    per_speaker: int,
    console: Console,
) -> tuple[AbstractFittedBackEnd, str]:
    """Fit a back end, to recordings of training speakers where it needs them; returns it and the cohort in words.

    Args:
        back_end: what to fit.
        run: whose training speakers are the cohort; their embeddings are kept in its folder ``eval``.
        model: embeds them.
        data: where their recordings are, if they are not where the run found them.
        trial_speakers: who must not be among them.
        per_speaker: recordings of each, at most.
        console: shows the progress.

    Raises:
        InputError: the training speakers are not known or not here, or some of them are on trial.
    """
    from curvox.cli.progress import counting
    from curvox.cli.runs import run_folder, training_corpus
    from curvox.embedder import embed_cohort
    from curvox.scoring import require_other_speakers

    if not back_end.needs_cohort:
        return back_end.fit(model.space), ""
    corpus = training_corpus(run, data)
    require_other_speakers(corpus.speakers, trial_speakers)
    whole = run_folder(run)
    name = "cohort.safetensors" if whole == run else f"cohort-{run.name}.safetensors"
    with counting(console, "embedding the cohort") as progress:
        cohort = embed_cohort(model, corpus, per_speaker=per_speaker, cache=whole / "eval" / name, progress=progress)
    words = f"{len(cohort.points):,} recordings of {len(corpus.speakers):,} training speakers, at most "
    return back_end.fit(model.space, cohort.points, cohort.speakers), f"{words}{per_speaker} of each"
