"""Cohorts: recordings of training speakers, embedded once and kept, that back ends are fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from curvox.corpora import Corpus, Utterance
from curvox.embedder.embedder import Embedder
from curvox.embedder.trial_scores import embed_utterances
from curvox.errors import CheckpointError, InputError
from curvox.files import tensors_from_file, tensors_to_file


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

    Args:
        model: whose points they are.
        corpus: of training speakers only.
        per_speaker: recordings of each speaker at most.
        cache: a safetensors file that keeps the embeddings; used again while model, recordings and choice are the
            same, else replaced. None keeps nothing.
        progress: told how many recordings of how many are done.

    Raises:
        AudioError: recordings cannot be used; all of them are named.
        CheckpointError: the cache cannot be written.
    """
    chosen = choose_cohort(corpus, per_speaker=per_speaker)
    names, speakers = [u.utterance for u in chosen], [u.speaker for u in chosen]
    digest = _digest(model, corpus, chosen)
    points = None if cache is None else _kept(cache, digest, (len(chosen), model.embedding_dim))
    if points is None:
        points = embed_utterances(model, corpus, names, progress)
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
