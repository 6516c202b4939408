"""Enrolment from several recordings: one point for each model, or one score from the scores of its recordings.

A *model* is what a trial's enrolment side names: a speaker, enrolled with one recording or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox import geometry
from curvox.errors import InputError
from curvox.geometry import AbstractSpace, NoMiddleError
from curvox.scoring.pairs import Points, check_index, check_inside, check_points
from curvox.tables import Entry, Table

_HERE = "curvox.scoring.enrolment"

ENROLMENTS = Table(
    "way of enrolment",
    {
        "spherical_mean": Entry(_HERE, "spherical_mean", "mean direction, at the mean length"),
        "einstein_midpoint": Entry(
            _HERE,
            "einstein_midpoint",
            "Einstein's midpoint of the Poincaré ball, the Lorentz centroid",
            "law2019lorentz",
        ),
        "frechet_mean": Entry(
            _HERE, "frechet_mean", "the point of the least sum of squared distances", "karcher1977mean"
        ),
    },
)
# The recordings of the models that are taken together are about this many numbers (float64: 8 MiB).
_BLOCK_NUMBERS = 1 << 20

SCORE_MEAN = "score_mean"
"""The way that makes no point: the mean of the scores of the model's recordings, see `recording_trials`."""


def enrol(space: AbstractSpace, points: Points, rows: Sequence[ArrayLike], *, way: str) -> NDArray[np.float64]:
    """Return one point for each model, in the middle of its recordings.

    Each way gives a point back when a model has one recording, or copies of one. A middle depends on the model's own
    recordings alone, not on their order beyond rounding.

    Args:
        space: the space the points live in.
        points: (N, D) finite, one row a recording.
        rows: for each of M models, the rows of its recordings, at least one.
        way: a name in `ENROLMENTS`.

    Returns:
        (M, D) points of the space, in float64. Append them to the points to score them against tests.

    Raises:
        UnknownNameError: no such way.
        InputError: a way that does not fit the space, a model without recordings, rows that are not there, recordings
            that have no middle.
    """
    middle = ENROLMENTS.load(way)
    points_ = check_points(points)
    models = _check_models(rows, len(points_))
    enrolled = points_.new_empty(len(models), points_.shape[1])
    with torch.no_grad():
        for which in _alike(models, points_.shape[1]):
            recordings = torch.from_numpy(np.stack([models[i] for i in which])).to(points_.device)
            try:
                enrolled[torch.from_numpy(which).to(points_.device)] = middle(space, points_[recordings])
            except NoMiddleError as error:
                raise InputError(f"model {which[error.group]} cannot be enrolled: {error}") from error
    return enrolled.cpu().numpy()


def spherical_mean(space: AbstractSpace, points: Tensor) -> Tensor:
    """Return the points (M, D) in the mean direction of K points each (M, K, D), at their mean length.

    It serves cosine scores, in any space; on the sphere the length is 1. See `curvox.geometry.spherical_mean`.
    """
    return geometry.spherical_mean(points)


def einstein_midpoint(space: AbstractSpace, points: Tensor) -> Tensor:
    """Return Einstein's midpoints (M, D) of K points of a Poincaré ball each (M, K, D): `geometry.centroid`.

    Each point weighs as its Lorentz factor, so that points near the rim, the sure ones, count for more.

    Raises:
        InputError: another space, or a point outside the ball.
    """
    if space.ball is None:
        raise InputError(
            f"einstein_midpoint needs points of a PoincareBall, these live in {type(space).__name__}; take "
            "spherical_mean or frechet_mean"
        )
    space.ball.require_inside(points)
    return space.ball.mean(points)


def frechet_mean(space: AbstractSpace, points: Tensor) -> Tensor:
    """Return the Fréchet means (M, D) of K points each (M, K, D); see `curvox.geometry.frechet_mean`."""
    check_inside(space, points)
    return geometry.frechet_mean(space, points)


@dataclass(frozen=True, eq=False)
class RecordingTrials:
    """Trials of models, taken apart into trials of their recordings.

    ``enrolment_index`` and ``test_index`` (R,) are rows of points; ``starts`` (T,) says where the recordings of each
    model trial begin among them.
    """

    enrolment_index: NDArray[np.int64]
    test_index: NDArray[np.int64]
    starts: NDArray[np.int64]


def recording_trials(rows: Sequence[ArrayLike], model_index: ArrayLike, test_index: ArrayLike) -> RecordingTrials:
    """Return the trials of all recordings of each trial's model: score these, then `average_scores` them.

    Args:
        rows: for each of M models, the rows of its recordings, at least one.
        model_index: (T,) the model of every trial, 0 … M-1.
        test_index: (T,) the row of the test recording of every trial.

    Raises:
        InputError: a model without recordings, a model that is not there, sides of different lengths.
    """
    most = np.iinfo(np.int64).max
    models = _check_models(rows, most)
    model = check_index(model_index, len(models), "model_index")
    test = check_index(test_index, most, "test_index")
    if len(model) != len(test):
        raise InputError(f"a trial has two sides, got {len(model)} model and {len(test)} test indices")
    counts = np.array([len(of_model) for of_model in models], dtype=np.int64)[model]
    starts = np.cumsum(counts) - counts
    enrolment = np.concatenate([models[i] for i in model]) if len(model) else np.empty(0, dtype=np.int64)
    return RecordingTrials(enrolment, np.repeat(test, counts), starts)


def average_scores(scores: ArrayLike, trials: RecordingTrials) -> NDArray[np.float64]:
    """Return the mean score (T,) of each model trial from the scores (R,) of its recordings' trials.

    Raises:
        InputError: scores of another number of trials.
    """
    scores_ = np.asarray(scores, dtype=np.float64)
    if scores_.shape != trials.enrolment_index.shape:
        raise InputError(
            f"expected one score for each of the {len(trials.enrolment_index)} trials of recordings, got shape "
            f"{scores_.shape}"
        )
    if not len(trials.starts):
        return np.empty(0)
    counts = np.diff(trials.starts, append=len(scores_))
    return np.add.reduceat(scores_, trials.starts) / counts


def _alike(models: list[NDArray[np.int64]], dim: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of models with equally many recordings, no more of them than a block takes."""
    counts = np.array([len(of_model) for of_model in models], dtype=np.int64)
    for count in np.unique(counts):
        which = np.flatnonzero(counts == count)
        size = max(1, _BLOCK_NUMBERS // max(1, count * dim))
        yield from (which[first : first + size] for first in range(0, len(which), size))


def _check_models(rows: Sequence[ArrayLike], count: int) -> list[NDArray[np.int64]]:
    """Return the rows of every model, or refuse a model without recordings and rows that are not among ``count``."""
    models = [np.asarray(of_model) for of_model in rows]
    for i, of_model in enumerate(models):
        if of_model.ndim != 1 or of_model.size == 0 or of_model.dtype.kind not in "iu":
            raise InputError(
                f"every model needs the rows of at least one recording, as a vector of whole numbers; rows[{i}] is "
                f"{of_model.dtype} of shape {of_model.shape}"
            )
        if of_model.min() < 0 or of_model.max() >= count:
            wrong = of_model[(of_model < 0) | (of_model >= count)][0]
            raise InputError(f"rows[{i}] names row {wrong}, but the points have the rows 0 to {count - 1}")
    return [of_model.astype(np.int64, copy=False) for of_model in models]
