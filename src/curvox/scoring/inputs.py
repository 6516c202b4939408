"""What scoring refuses: points of a wrong shape or place, and rows that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace


def check_points(points: Tensor | ArrayLike, name: str = "points") -> Tensor:
    """Return points (N, D) in float64, or refuse another shape, other numbers, and NaN or infinite rows by index."""
    tensor = points.detach() if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))
    if tensor.ndim != 2 or tensor.is_complex():
        raise InputError(
            f"{name} must be real numbers of shape (recordings, dimension), got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}"
        )
    tensor = tensor.to(torch.float64)
    if tensor.numel() and not torch.isfinite(torch.stack(tensor.aminmax())).all():
        wrong = torch.nonzero(~torch.isfinite(tensor).all(dim=1)).flatten()
        raise InputError(
            f"{name} must be finite, {len(wrong)} of {len(tensor)} are not, the first is {name}[{int(wrong[0])}]; "
            "the model diverged or the recording is broken"
        )
    return tensor


def check_inside(space: AbstractSpace, points: Tensor) -> None:
    """Refuse points (..., D) of a ball that lie outside; elsewhere there is no outside."""
    if space.ball is not None:
        space.ball.require_inside(points)


def check_index(index: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    """Return the rows (T,) that trials name, or refuse what is no row of ``count`` points."""
    array = np.asarray(index)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} must be a vector of whole numbers, one for each trial, got {array.dtype} of shape {array.shape}"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and (array.min() < 0 or array.max() >= count):
        trial = np.flatnonzero((array < 0) | (array >= count))[0]
        raise InputError(
            f"{name} must lie between 0 and {count - 1}, the rows of the points; trial {trial} names row {array[trial]}"
        )
    return array


def check_trials(
    enrolment_index: ArrayLike, test_index: ArrayLike, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both sides of all trials, or refuse sides of different lengths and rows that are not among ``count``."""
    enrolment = check_index(enrolment_index, count, "enrolment_index")
    test = check_index(test_index, count, "test_index")
    if len(enrolment) != len(test):
        raise InputError(f"a trial has two sides, got {len(enrolment)} enrolment and {len(test)} test indices")
    return enrolment, test


def check_speakers(speakers: ArrayLike, count: int) -> NDArray[Any]:
    """Return the speakers (C,) of ``count`` points, text or whole numbers, or refuse another length or a gap."""
    names = np.asarray(speakers)
    if names.shape != (count,):
        raise InputError(f"speakers must name one speaker for each of the {count} points, got shape {names.shape}")
    missing = [i for i, name in enumerate(names.tolist()) if name is None or name == ""]
    if missing:
        raise InputError(f"every point needs its speaker; that of point {missing[0]} is missing")
    if names.dtype.kind == "O" and all(isinstance(name, str) for name in names):
        names = names.astype(str)
    if names.dtype.kind not in "iuU":
        raise InputError(f"speakers must be all text or all whole numbers, got {names.dtype}")
    return names


def check_models(rows: Sequence[ArrayLike], count: int) -> list[NDArray[np.int64]]:
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
