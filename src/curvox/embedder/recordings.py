"""Embedded recordings with what was measured of them, and the models of speakers that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.audio import RecordingQuality
from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.scoring import RecordingMeasures, enrol, hyperbolic_radius

LARGEST_SNR_DB = 40.0
"""Noise below this is not told apart by a calibration: what lies there depends on the codec more than on the room."""
LEAST_SPEECH_S = 0.1


@dataclass(frozen=True, eq=False)
class EmbeddedRecordings:
    """N recordings: points (N, D) of the model's space, norms (N,) of the raw embeddings, and N measured qualities.

    ``qualities`` is empty where nobody asked for them.
    """

    points: NDArray[np.float32]
    norms: NDArray[np.float64]
    qualities: tuple[RecordingQuality, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, index: ArrayLike) -> EmbeddedRecordings:
        """Return some of the recordings, by their rows."""
        chosen = np.asarray(index)
        qualities = tuple(self.qualities[i] for i in chosen.tolist()) if self.qualities else ()
        return EmbeddedRecordings(self.points[chosen], self.norms[chosen], qualities)


@dataclass(frozen=True, eq=False)
class EnrolledModels:
    """M models: points (M, D) of the space, and measures (M,) for a quality-aware calibration."""

    points: NDArray[np.float64]
    measures: RecordingMeasures


def measures_of(space: AbstractSpace, recordings: EmbeddedRecordings) -> RecordingMeasures:
    """Return what a quality-aware calibration is given of N recordings.

    Seconds of speech, of which 0.1 s is the least; the signal-to-noise ratio, of which 40 dB is the most; and how far
    out the embedding lies: the hyperbolic radius in a Poincaré ball, elsewhere the norm of the raw embedding.

    Raises:
        InputError: the recordings were embedded without being measured.
    """
    if len(recordings.qualities) != len(recordings):
        raise InputError(
            f"{len(recordings)} recordings were embedded and {len(recordings.qualities)} of them measured; "
            "embed them with measure=True"
        )
    in_ball = space.ball is not None
    return RecordingMeasures(
        duration_s=np.array([max(quality.speech_s, LEAST_SPEECH_S) for quality in recordings.qualities]),
        snr_db=np.array([min(quality.snr_db, LARGEST_SNR_DB) for quality in recordings.qualities]),
        magnitude=None if in_ball else recordings.norms,
        radius=hyperbolic_radius(space, recordings.points) if in_ball else None,
    )


def enrol_models(
    space: AbstractSpace, recordings: EmbeddedRecordings, rows: Sequence[ArrayLike], *, way: str | None = None
) -> EnrolledModels:
    """Return a point and measures for each of M models, from the rows of its measured recordings.

    The point is that of ``curvox.scoring.enrol``, by the way of the space if ``way`` is None. Seconds of speech are
    added up; of the other measures the mean is taken.

    Raises:
        InputError: recordings without measures, and what ``curvox.scoring.enrol`` refuses.
    """
    points = enrol(space, recordings.points, rows, way=way or space.default_enrolment)
    single = measures_of(space, recordings)
    columns: dict[str, NDArray[np.float64] | None] = {}
    for field in fields(single):
        values, of_rows = getattr(single, field.name), np.sum if field.name == "duration_s" else np.mean
        columns[field.name] = None if values is None else np.array([of_rows(values[np.asarray(own)]) for own in rows])
    return EnrolledModels(points, RecordingMeasures(**columns))
