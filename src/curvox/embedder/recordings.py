"""Recordings embedded and measured in one reading: what a calibrated decision needs of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.audio import RecordingQuality, measure_quality
from curvox.embedder.embedder import Embedder
from curvox.scoring import RecordingMeasures, hyperbolic_radius

LARGEST_SNR_DB = 40.0
"""Noise below this is not told apart by a calibration: what lies there depends on the codec more than on the room."""
LEAST_SPEECH_S = 0.1


@dataclass(frozen=True, eq=False)
class MeasuredRecordings:
    """N recordings: points (N, D) of the model's space, norms (N,) of the raw embeddings, and what was measured."""

    points: NDArray[np.float32]
    norms: NDArray[np.float64]
    qualities: tuple[RecordingQuality, ...]

    def __len__(self) -> int:
        return len(self.qualities)

    def rows(self, index: ArrayLike) -> MeasuredRecordings:
        """Return some of the recordings, by their rows."""
        chosen = np.asarray(index)
        return MeasuredRecordings(
            self.points[chosen], self.norms[chosen], tuple(self.qualities[i] for i in chosen.tolist())
        )


def embed_and_measure(
    model: Embedder,
    readers: Sequence[Callable[[], np.ndarray]],
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredRecordings:
    """Embed and measure what each reader returns, waveforms at the model's rate; each is read once.

    Raises:
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    points, norms, qualities = [np.zeros((0, model.embedding_dim), np.float32)], [np.zeros(0)], []
    for block in model.read_in_blocks(readers, progress):
        block_points, block_norms = model.embed_with_norms(block)
        points.append(block_points)
        norms.append(block_norms)
        qualities += [measure_quality(waveform, model.sampling_rate_hz) for waveform in block]
    return MeasuredRecordings(np.concatenate(points), np.concatenate(norms), tuple(qualities))


def measures_of(model: Embedder, recordings: MeasuredRecordings) -> RecordingMeasures:
    """Return what a quality-aware calibration is given of N recordings.

    Seconds of speech, of which 0.1 s is the least; the signal-to-noise ratio, of which 40 dB is the most; and how far
    out the embedding lies: the hyperbolic radius in a Poincaré ball, elsewhere the norm of the raw embedding.
    """
    in_ball = model.space.ball is not None
    return RecordingMeasures(
        duration_s=np.array([max(quality.speech_s, LEAST_SPEECH_S) for quality in recordings.qualities]),
        snr_db=np.array([min(quality.snr_db, LARGEST_SNR_DB) for quality in recordings.qualities]),
        magnitude=None if in_ball else recordings.norms,
        radius=hyperbolic_radius(model.space, recordings.points) if in_ball else None,
    )
