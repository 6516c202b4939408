"""Models of speakers: one point, and one set of measures, for each speaker's recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.embedder.embedder import Embedder
from curvox.embedder.recordings import MeasuredRecordings, measures_of
from curvox.geometry import AbstractSpace
from curvox.scoring import RecordingMeasures, enrol


@dataclass(frozen=True, eq=False)
class EnrolledModels:
    """M models: points (M, D) of the space, and measures (M,) for a quality-aware calibration."""

    points: NDArray[np.float64]
    measures: RecordingMeasures


def default_way(space: AbstractSpace) -> str:
    """Return the way of enrolment that belongs to a space: spherical mean, Einstein midpoint, else Fréchet mean."""
    return space.default_enrolment


def enrol_models(
    model: Embedder, recordings: MeasuredRecordings, rows: Sequence[ArrayLike], *, way: str | None = None
) -> EnrolledModels:
    """Return a point and measures for each of M models, from the rows of its recordings.

    The point is that of ``curvox.scoring.enrol``, by the way of the space if ``way`` is None. Seconds of speech are
    added up; of the other measures the mean is taken.

    Raises:
        InputError: what ``curvox.scoring.enrol`` refuses.
    """
    points = enrol(model.space, recordings.points, rows, way=way or default_way(model.space))
    single = measures_of(model, recordings)
    columns: dict[str, NDArray[np.float64] | None] = {}
    for field in fields(single):
        values, of_rows = getattr(single, field.name), np.sum if field.name == "duration_s" else np.mean
        columns[field.name] = None if values is None else np.array([of_rows(values[np.asarray(own)]) for own in rows])
    return EnrolledModels(points, RecordingMeasures(**columns))
