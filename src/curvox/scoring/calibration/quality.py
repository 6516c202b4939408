"""What is known of the recordings of a trial beside their embeddings, as columns for a calibration.

Short, noisy and weakly embedded recordings give scores that mean less. Mandasari et al., "Quality measure functions for
calibration of speaker recognition systems in various duration conditions" (IEEE TASLP 21, 2013) let such measures into
the calibration; Thienpondt, Desplanques & Demuynck, "The IDLab VoxSRC-20 submission" (ICASSP 2021) do so for speaker
embeddings. Here every measure is symmetric in the two sides: the worse one, for it sets the limit, or their difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace
from curvox.scoring.pairs import check_index, check_points


@dataclass(frozen=True, eq=False)
class RecordingMeasures:
    """Measures of N recordings, or of one side of N trials; what nobody measured is None.

    Attributes:
        duration_s: (N,) seconds of the recording, or of speech in it, above 0.
        snr_db: (N,) signal-to-noise ratio in decibels.
        magnitude: (N,) Euclidean norm of the raw embedding, above 0 (``embedding_magnitude``).
        radius: (N,) distance of the point from the origin of its Poincaré ball, at least 0 (``hyperbolic_radius``).
        cohort_mean: (N,) mean score against a cohort, the "impostor mean" of Thienpondt et al.
    """

    duration_s: NDArray[np.float64] | None = None
    snr_db: NDArray[np.float64] | None = None
    magnitude: NDArray[np.float64] | None = None
    radius: NDArray[np.float64] | None = None
    cohort_mean: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Take vectors of any real numbers; refuse what is not finite, of another length, or out of range."""
        lengths: dict[str, int] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            if values is not None:
                object.__setattr__(self, field.name, array := _check_measure(values, field.name))
                lengths[field.name] = array.size
        if len(set(lengths.values())) > 1:
            raise InputError(f"every measure must have a value for each recording, got as many as {lengths}")

    def rows(self, index: ArrayLike) -> RecordingMeasures:
        """Return the measures of recordings by their rows (T,), such as one side of T trials."""
        taken: dict[str, NDArray[np.float64]] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            if values is not None:
                taken[field.name] = values[check_index(index, values.size, "index")]
        return RecordingMeasures(**taken)


@dataclass(frozen=True)
class TrialMeasure:
    """One line of ``TRIAL_MEASURES``.

    Attributes:
        measure: the field of ``RecordingMeasures`` it is made from.
        of_sides: from the values of both sides (T,) and (T,) to that of the trial (T,).
        summary: one line about it.
    """

    measure: str
    of_sides: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    summary: str


def _difference(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(x - y)


def _smaller_log(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.minimum(x, y))


def _difference_of_logs(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(np.log(x) - np.log(y))


TRIAL_MEASURES = MappingProxyType(
    {
        "log_duration_min": TrialMeasure("duration_s", _smaller_log, "log of the shorter duration in seconds"),
        "log_duration_difference": TrialMeasure("duration_s", _difference_of_logs, "log of longer over shorter"),
        "snr_db_min": TrialMeasure("snr_db", np.minimum, "lower signal-to-noise ratio in dB"),
        "snr_db_difference": TrialMeasure("snr_db", _difference, "difference of the ratios in dB"),
        "log_magnitude_min": TrialMeasure("magnitude", _smaller_log, "log of the smaller embedding norm"),
        "log_magnitude_difference": TrialMeasure("magnitude", _difference_of_logs, "log of larger over smaller norm"),
        "radius_min": TrialMeasure("radius", np.minimum, "smaller hyperbolic radius"),
        "radius_difference": TrialMeasure("radius", _difference, "difference of the hyperbolic radii"),
        "cohort_mean_min": TrialMeasure("cohort_mean", np.minimum, "lower mean score against the cohort"),
        "cohort_mean_difference": TrialMeasure("cohort_mean", _difference, "difference of the mean scores"),
    }
)


@dataclass(frozen=True, eq=False)
class TrialQuality:
    """Columns for a calibration.

    Attributes:
        names: of the Q columns, from ``TRIAL_MEASURES``.
        columns: (T, Q) a row for each trial.
    """

    names: tuple[str, ...]
    columns: NDArray[np.float64]


def trial_quality(
    enrolment: RecordingMeasures, test: RecordingMeasures, *, names: Sequence[str] | None = None
) -> TrialQuality:
    """Return the quality of trials from the measures of their two sides; swapping the sides changes nothing.

    Args:
        enrolment: measures of the enrolment side of T trials (``measures.rows(enrolment_index)``).
        test: of the test side.
        names: which columns, in which order, such as a calibration's ``quality_names``; if None all those of
            ``TRIAL_MEASURES`` whose measure is there.

    Raises:
        UnknownNameError: no measure of that name.
        InputError: a measure that one side or both lack, or sides of different lengths.
    """
    if names is None:
        measured = [name for name, entry in TRIAL_MEASURES.items() if getattr(enrolment, entry.measure) is not None]
    else:
        measured = list(names)
    columns = []
    for name in measured:
        require_name(name, TRIAL_MEASURES, "measure of trials")
        entry = TRIAL_MEASURES[name]
        x, y = getattr(enrolment, entry.measure), getattr(test, entry.measure)
        if x is None or y is None:
            side = "enrolment" if x is None else "test"
            raise InputError(f'"{name}" needs {entry.measure} of both sides, it is missing on the {side} side')
        if x.size != y.size:
            raise InputError(f"a trial has two sides, got measures of {x.size} enrolment and {y.size} test sides")
        columns.append(entry.of_sides(x, y))
    if not columns:
        raise InputError("nothing was measured of these trials; give duration_s, snr_db, magnitude or radius")
    return TrialQuality(names=tuple(measured), columns=np.column_stack(columns))


def embedding_magnitude(embeddings: Tensor | ArrayLike) -> NDArray[np.float64]:
    """Return the Euclidean norms (N,) of raw embeddings (N, D), before a space projects them onto a sphere or a ball.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    return torch.linalg.vector_norm(check_points(embeddings, "embeddings"), dim=-1).cpu().numpy()


def hyperbolic_radius(space: AbstractSpace, points: Tensor | ArrayLike) -> NDArray[np.float64]:
    """Return the distances (N,) of points (N, D) from the origin of their space, in its own unit.

    Meant for a Poincaré ball, where the radius tells how sure the model is. On the sphere it says nothing and is
    refused; use ``embedding_magnitude`` of the raw embeddings there.

    Raises:
        InputError: a space without an origin, another shape, or values that are not finite.
    """
    points_ = check_points(points)
    if space.origin is None:
        name = space.describe()["name"]
        raise InputError(f"points of the {name} have no radius; take embedding_magnitude of the raw embeddings")
    with torch.no_grad():
        return space.origin.depths(points_).cpu().numpy()


def _check_measure(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"{name} must be a vector of real numbers, got {array.dtype} of shape {array.shape}")
    array = array.astype(np.float64)
    wrong = ~np.isfinite(array)
    if name in ("duration_s", "magnitude"):
        wrong |= array <= 0
    elif name == "radius":
        wrong |= array < 0
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InputError(
            f"{name} is not finite or out of range for {int(wrong.sum())} of {array.size} recordings, the first at "
            f"index {first} ({array[first]}); leave the measure out or the recording"
        )
    return array
