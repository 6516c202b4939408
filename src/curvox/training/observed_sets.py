"""Recordings of a run as its model embeds them, and what is known of them without a model."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from curvox.audio import RecordingQuality, measure_quality
from curvox.diagnosis import EmbeddedSet, RecordingFacts
from curvox.embedder import Embedder
from curvox.errors import AudioError, CheckpointError
from curvox.training.module import DEV_BATCH_S
from curvox.training.prepared import PreparedData, Recordings, evenly

LONGEST_S = 10.0
MOST_MEASURED = 1000
_DIGESTED_S = 1.0


def embed_recordings(embedder: Embedder, items: Recordings, rows: np.ndarray) -> EmbeddedSet:
    """Embed these ``rows`` of ``items`` in evaluation mode, of longer ones the middle `LONGEST_S`; the model is left as
    it was.

    Raises:
        CheckpointError: embeddings are not finite.
    """
    longest = round(LONGEST_S * embedder.sampling_rate_hz)
    waveforms = [_middle(items.waveform(int(row)), longest) for row in rows]
    return EmbeddedSet(
        _raw_embeddings(embedder, waveforms),
        torch.from_numpy(items.speakers[rows]),
        embedder.space,
        _known(items.sessions, items.session_names, rows),
        None if items.channels is None else _known(items.channels, items.channel_names, rows),
        tuple(items.utterances[row] for row in rows),
        items.speaker_names,
    )


def recording_facts(data: PreparedData, splits: tuple[str, str]) -> RecordingFacts:
    """Return what is known of all recordings of both ``splits``, those of training first.

    Quality is measured of at most `MOST_MEASURED` of them, at even distances.
    """
    parts = [(items, row, split) for items, split in zip((data.train, data.dev), splits, strict=True)
             for row in range(len(items.utterances))]  # fmt: skip
    measured = set(evenly(len(parts), MOST_MEASURED).tolist())
    rate_hz = data.train.store.sampling_rate_hz
    heard = [_heard(items.waveform(row), rate_hz) if i in measured else None for i, (items, row, _) in enumerate(parts)]
    return RecordingFacts(
        names=tuple(items.utterances[row] for items, row, _ in parts),
        speakers=tuple(items.speaker_names[items.speakers[row]] for items, row, _ in parts),
        sessions=tuple(_session(items, row) for items, row, _ in parts),
        splits=tuple(split for _, _, split in parts),
        durations_s=np.concatenate([data.train.lengths_samples, data.dev.lengths_samples]) / rate_hz,
        digests=tuple(_digest(items, row) for items, row, _ in parts),
        quality=tuple(None if found is None else found[0] for found in heard),
        levels_db=np.array([np.nan if found is None else found[1] for found in heard]),
    )


def _heard(waveform: np.ndarray, rate_hz: int) -> tuple[RecordingQuality, float]:
    """Quality, and mean power in dB of full scale."""
    power = float(np.square(waveform, dtype=np.float64).mean()) if len(waveform) else 0.0
    level_db = 10.0 * math.log10(power) if power > 0 else -math.inf
    try:
        return measure_quality(waveform, rate_hz), level_db
    except AudioError:  # nothing can be heard in it: silent from end to end, or shorter than a frame
        duration_s = len(waveform) / rate_hz
        return RecordingQuality(duration_s, 0.0, 1.0, -20.0, 200.0, 0.0, rate_hz), level_db


def _digest(items: Recordings, row: int) -> str:
    """A digest of the length and of a second each from begin, middle and end: reading on would take a large corpus
    many minutes and tell nothing more."""
    samples = items.store[int(items.places[row])]
    part = round(_DIGESTED_S * items.store.sampling_rate_hz)
    digest = hashlib.sha1(str(len(samples)).encode(), usedforsecurity=False)
    for start in (0, (len(samples) - part) // 2, len(samples) - part) if len(samples) > 3 * part else (None,):
        digest.update(np.ascontiguousarray(samples if start is None else samples[start : start + part]).tobytes())
    return digest.hexdigest()


def _session(items: Recordings, row: int) -> str:
    number = int(items.sessions[row])
    return items.session_names[number] if number < len(items.session_names) else str(number)


def _known(numbers: np.ndarray, names: tuple[str, ...], rows: np.ndarray) -> Tensor | None:
    """Numbers (N,) of these rows, None where the corpus does not name all of theirs."""
    some = numbers[rows]
    if names and any(not names[number] for number in np.unique(some) if number < len(names)):
        return None
    return torch.from_numpy(some.astype(np.int64))


def _middle(waveform: np.ndarray, longest: int) -> np.ndarray:
    start = max(0, (len(waveform) - longest) // 2)
    return waveform[start : start + longest]


@torch.no_grad()
def _raw_embeddings(embedder: Embedder, waveforms: list[np.ndarray]) -> Tensor:
    raw = torch.zeros(len(waveforms), embedder.embedding_dim)
    for batch, z in embedder.embed_batches(waveforms, batch_s=DEV_BATCH_S):
        raw[batch] = z.float()
    if lost := int((~torch.isfinite(raw).all(dim=1)).sum()):
        raise CheckpointError(
            f"{lost} of {len(raw)} recordings have embeddings that are not finite: the weights of the checkpoint are "
            "destroyed; take an earlier one"
        )
    return raw
