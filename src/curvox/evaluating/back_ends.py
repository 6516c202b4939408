"""Back ends: read from text in one way, and fitted to a cohort of training speakers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from curvox.corpora import Corpus, Utterance
from curvox.embedder import Embedder
from curvox.errors import CheckpointError, InputError
from curvox.evaluating.folders import run_folder, training_corpus
from curvox.evaluating.report import Progress, staged
from curvox.files import tensors_from_file, tensors_to_file
from curvox.scoring import AbstractBackEnd, AbstractFittedBackEnd, create_back_end, require_other_speakers

COHORT_RECORDINGS = 10
"""Recordings of each training speaker that a back end is fitted on, at most, unless another number is asked for."""


def back_end_from(text: str) -> dict[str, Any]:
    """Return the name and the settings of a back end: "as_norm", or "as_norm:top_k=100,scorer=cosine".

    Raises:
        InputError: a setting that is not KEY=VALUE, or one that comes twice.
    """
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
    defaults = create_back_end(description["name"]).describe()
    settings = [f"{key}={description.get(key)}" for key, value in defaults.items() if description.get(key) != value]
    return ":".join([str(description["name"]), *([",".join(settings)] if settings else [])])


def fit_back_end(
    back_end: AbstractBackEnd,
    model: Embedder,
    *,
    run: Path | None,
    data: Path | None,
    trial_speakers: Collection[str],
    per_speaker: int = COHORT_RECORDINGS,
    progress: Progress | None = None,
) -> tuple[AbstractFittedBackEnd, str]:
    """Fit a back end, to recordings of training speakers where it needs them; returns it and the cohort in words.

    The cohort are the training speakers of the model's run; their embeddings are kept in its folder ``eval``. Their
    recordings are in ``data``, if they are not where the run found them.

    Raises:
        InputError: the training speakers are not known or not here, or some of them are on trial.
    """
    if not back_end.needs_cohort:
        return back_end.fit(model.space), ""
    if run is None:
        name = back_end.describe()["name"]
        raise InputError(f'the back end "{name}" is fitted on training speakers: give the run folder of the model')
    corpus = training_corpus(run, data)
    require_other_speakers(corpus.speakers, trial_speakers)
    whole = run_folder(run)
    name = "cohort.safetensors" if whole == run else f"cohort-{run.name}.safetensors"
    cohort = embed_cohort(
        model,
        corpus,
        per_speaker=per_speaker,
        cache=whole / "eval" / name,
        progress=staged(progress, "embedding the cohort"),
    )
    words = f"{len(cohort.points):,} recordings of {len(corpus.speakers):,} training speakers, at most "
    return back_end.fit(model.space, cohort.points, cohort.speakers), f"{words}{per_speaker} of each"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Recordings of speakers who are in no trial: points (C, D) float32, and the number (C,) of each one's speaker."""

    points: np.ndarray
    speakers: np.ndarray


def choose_cohort(corpus: Corpus, *, per_speaker: int) -> tuple[Utterance, ...]:
    """Return at most ``per_speaker`` utterances of every speaker, spread evenly over sessions and recordings.

    The choice hangs on the corpus alone: the same corpus gives the same cohort.

    Raises:
        InputError: ``per_speaker`` below 1, or fewer than two speakers.
    """
    if per_speaker < 1:
        raise InputError(f"a cohort needs at least 1 recording of each speaker, got {per_speaker}")
    if len(corpus.speakers) < 2:
        raise InputError(f"a cohort needs at least 2 speakers, {corpus.name} has {len(corpus.speakers)}")
    chosen: list[Utterance] = []
    for own in corpus.by_speaker.values():
        ordered = sorted(own, key=lambda utterance: (utterance.session, utterance.utterance))
        places = np.linspace(0, len(ordered) - 1, min(per_speaker, len(ordered))).round().astype(int)
        chosen += [ordered[place] for place in places.tolist()]
    return tuple(chosen)


def embed_cohort(
    model: Embedder,
    corpus: Corpus,
    *,
    per_speaker: int,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cohort:
    """Embed a cohort chosen by `choose_cohort`.

    A safetensors file ``cache`` keeps the embeddings; it is used again while model, recordings and choice are the same,
    else replaced.

    Raises:
        AudioError: recordings cannot be used; all of them are named.
        CheckpointError: the cache cannot be written.
    """
    chosen = choose_cohort(corpus, per_speaker=per_speaker)
    names, speakers = [u.utterance for u in chosen], [u.speaker for u in chosen]
    digest = _digest(model, corpus, chosen)
    points = None if cache is None else _kept(cache, digest, (len(chosen), model.embedding_dim))
    if points is None:
        points = model.embed_utterances(corpus, names, progress=progress).points
        if cache is not None:
            kept = {
                "points": torch.from_numpy(points),
                "digest": torch.frombuffer(bytearray(digest), dtype=torch.uint8),
            }
            tensors_to_file(kept, cache)
    _, numbers = np.unique(speakers, return_inverse=True)
    return Cohort(points, numbers.astype(np.int64))


def _kept(cache: Path, digest: bytes, shape: tuple[int, int]) -> np.ndarray | None:
    if not cache.is_file():
        return None
    try:
        tensors = tensors_from_file(cache)
    except CheckpointError:
        # Nothing is lost with a damaged cache: it is made again from the recordings.
        return None
    points, owner = tensors.get("points"), tensors.get("digest")
    if points is None or owner is None or bytes(owner.numpy().tobytes()) != digest or tuple(points.shape) != shape:
        return None
    return points.numpy()


def _digest(model: Embedder, corpus: Corpus, chosen: tuple[Utterance, ...]) -> bytes:
    """Digest everything that the embeddings hang on: weights, front end, space, and which files in which state."""
    made = hashlib.sha256(repr((model.description.get("features"), model.space.describe())).encode())
    for name, tensor in sorted(model.state_dict().items()):
        made.update(name.encode())
        made.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for utterance in chosen:
        path = corpus.path_of(utterance)
        facts = path.stat() if path.exists() else None
        state = None if facts is None else (facts.st_size, facts.st_mtime_ns)
        made.update(repr((utterance.utterance, utterance.path, utterance.start_s, utterance.segment_s, state)).encode())
    return made.digest()
