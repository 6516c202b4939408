"""What the metrics refuse: scores that are no scores, labels that are no labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError


def check_trials(
    scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64] | None]:
    """Return scores (N,) float64, labels (N,) bool and weights (N,) float64 or None, or refuse them.

    Raises:
        InputError: empty input, lengths that differ, a score that is NaN or infinite, a label that is not 0/1 or
            bool, a negative or non-finite weight, or one class only (also when the weights leave only one).
    """
    scores_ = _finite_vector(scores, "scores", "a model that diverged or a silent recording gives such scores")
    if scores_.size == 0:
        raise InputError("expected at least one target and one non-target trial, got no trials at all")
    labels_ = _check_labels(labels, scores_.size)
    weights_ = None if weights is None else _check_weights(weights, scores_.size)
    counted = labels_ if weights_ is None else labels_[weights_ > 0]
    for present, name in ((counted.any(), "target"), (not counted.all(), "non-target")):
        if not present:
            weighted = " of positive weight" if weights_ is not None else ""
            raise InputError(
                f"expected trials of both classes, got no {name} trial{weighted} among {scores_.size} trials; "
                "an error rate needs targets (label 1) and non-targets (label 0)"
            )
    return scores_, labels_, weights_


def check_speakers(
    labels: NDArray[np.bool_], enrolment_speakers: ArrayLike, test_speakers: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return the speakers of both sides as numbers 0 … S-1 (N,), (N,) and S; numbers follow the sorted names.

    Raises:
        InputError: lengths that differ, a missing speaker, a target trial of two speakers or a non-target trial of one.
    """
    sides = np.asarray(enrolment_speakers), np.asarray(test_speakers)
    for side, name in zip(sides, ("enrolment_speakers", "test_speakers"), strict=True):
        _require_length(side, labels.size, name)
    number = number_speakers if _are_close_numbers(*sides) else _number_names
    enrolment, test, speakers = number(*sides)
    wrong = np.flatnonzero((enrolment == test) != labels)
    if wrong.size:
        i = int(wrong[0])
        kind = "target" if labels[i] else "non-target"
        names = [side[i : i + 1].tolist()[0] for side in sides]
        raise InputError(
            f"labels and speakers contradict in {wrong.size} of {labels.size} trials: trial {i} is labelled {kind} "
            f"but its speakers are {names[0]!r} and {names[1]!r}; correct the trial list or the manifest"
        )
    return enrolment, test, speakers


def number_speakers(
    enrolment: NDArray[np.integer], test: NDArray[np.integer]
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return both sides renumbered 0 … S-1 in rising order, and S; time and memory go with the range of the numbers."""
    if not enrolment.size:
        return enrolment.astype(np.intp), test.astype(np.intp), 0
    lowest, highest = _range(enrolment, test)
    shifted = [(side - np.asarray(lowest, dtype=side.dtype)).astype(np.intp) for side in (enrolment, test)]
    there = np.zeros(highest - lowest + 1, dtype=bool)
    for side in shifted:
        there[side] = True
    number = np.cumsum(there) - 1
    return number[shifted[0]], number[shifted[1]], int(number[-1]) + 1


def _range(enrolment: NDArray[np.integer], test: NDArray[np.integer]) -> tuple[int, int]:
    return min(int(enrolment.min()), int(test.min())), max(int(enrolment.max()), int(test.max()))


def _are_close_numbers(enrolment: NDArray[Any], test: NDArray[Any]) -> bool:
    """Return whether both sides are whole numbers of one type, close together compared with how many there are."""
    if enrolment.dtype.kind not in "iu" or enrolment.dtype != test.dtype:
        return False
    lowest, highest = _range(enrolment, test)
    return highest - lowest <= 4 * enrolment.size + 1000


def _number_names(enrolment: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    sides = _speaker_names(enrolment, "enrolment_speakers"), _speaker_names(test, "test_speakers")
    try:
        names = sorted(set(sides[0]) | set(sides[1]))
    except TypeError as error:
        raise InputError("expected speakers that are all text or all whole numbers, got a mixture") from error
    number = {name: i for i, name in enumerate(names)}
    first, second = (np.fromiter(map(number.__getitem__, side), np.intp, len(side)) for side in sides)
    return first, second, len(names)


def check_rate(rate: float, name: str) -> float:
    """Return an error rate in [0, 1) as a float, or refuse it."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise InputError(f"{name} must be a rate of at least 0 and below 1, got {rate!r}; 0.01 is one per cent")
    return float(rate)


def check_level(level: float) -> float:
    """Return the level of an interval, strictly between 0 and 1, or refuse it."""
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level}; 0.95 is usual")
    return float(level)


def check_mask(mask: ArrayLike, count: int, name: str) -> NDArray[np.bool_]:
    """Return ``mask`` as a (count,) bool array, or refuse it."""
    mask_ = np.asarray(mask)
    if mask_.shape != (count,) or mask_.dtype != np.bool_:
        raise InputError(
            f'the mask of group "{name}" must be {count} booleans, one for each trial, '
            f"got {mask_.dtype} of shape {mask_.shape}"
        )
    return mask_


def _finite_vector(values: ArrayLike, name: str, hint: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name} must be a vector with one number for each trial, got shape {array.shape}")
    if array.size and array.dtype.kind not in "fiub":
        raise InputError(f"{name} must be real numbers, got values of type {array.dtype}")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        wrong = np.flatnonzero(~np.isfinite(array))
        raise InputError(
            f"{name} must be finite, got {np.isnan(array).sum()} NaN and {np.isinf(array).sum()} infinite values among "
            f"{array.size}, the first at index {wrong[0]} ({array[wrong[0]]}); {hint}"
        )
    return array


def _check_labels(labels: ArrayLike, count: int) -> NDArray[np.bool_]:
    array = np.asarray(labels)
    _require_length(array, count, "labels")
    if array.dtype == np.bool_:
        return array
    valid = (array == 0) | (array == 1) if array.dtype.kind in "fiu" else [_is_zero_or_one(v) for v in array.tolist()]
    wrong = np.flatnonzero(~np.asarray(valid))
    if wrong.size:
        raise InputError(
            f"labels must be 1 (target) or 0 (non-target), or booleans; {wrong.size} of {count} are neither, "
            f"the first at index {wrong[0]} ({array.tolist()[wrong[0]]!r}); label every trial or leave it out"
        )
    return array.astype(np.bool_)


def _is_zero_or_one(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.number)) and bool(value in (0, 1))


def _check_weights(weights: ArrayLike, count: int) -> NDArray[np.float64]:
    array = _finite_vector(weights, "weights", "give every trial a finite weight of at least 0")
    _require_length(array, count, "weights")
    if (array < 0).any():
        i = int(np.argmax(array < 0))
        raise InputError(f"weights must be at least 0, got {array[i]} at index {i}")
    return array


def _require_length(array: NDArray[Any], count: int, name: str) -> None:
    if array.shape != (count,):
        raise InputError(
            f"{name} must be a vector as long as the scores ({count} trials), got shape {array.shape}; "
            "give one for each trial, in the order of the scores"
        )


def _speaker_names(array: NDArray[Any], name: str) -> list[Any]:
    names = array.tolist()
    if array.dtype.kind not in "UTiu":
        for i, value in enumerate(names):
            if not isinstance(value, (str, int)):
                raise InputError(f"{name} must be text or whole numbers, got {value!r} at index {i}")
    return names
