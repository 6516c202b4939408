"""Speakers drawn with replacement, and the intervals that their draws give."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.metrics import Interval, logarithmic_interval, reflected_interval

_MOST_REDRAWS = 20


def speaker_draws(speakers: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each speaker (S,) is drawn when as many as there are are drawn with replacement.

    Args:
        speakers: S, at least 1.
        resamples: how many draws.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    fair = np.full(speakers, 1 / speakers)
    for _ in range(resamples):
        yield rng.multinomial(speakers, fair).astype(np.float64)


def pair_multiplicities(drawn: NDArray[np.float64], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much pairs (P,) of items of the speakers a and b weigh in a draw.

    A pair of two speakers weighs the product of their multiplicities, a pair of one speaker its multiplicity: a speaker
    drawn twice stands for two people. That is how `curvox.metrics.bootstrap_speakers` weighs trials.
    """
    return np.where(a == b, drawn[a], drawn[a] * drawn[b])


def resampled(
    measure: Callable[[NDArray[np.float64]], float], *, speakers: int, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return a measure of each draw of speakers (R,).

    A draw without what the measure needs, for which it is NaN, is thrown away and the next takes its place; after
    twenty times as many draws as wanted the rest is left out.

    Args:
        measure: from multiplicities (S,) to a number.
        speakers: S.
        resamples: R.
        seed: of the draws.
    """
    values: list[float] = []
    for drawn in speaker_draws(speakers, _MOST_REDRAWS * resamples, seed):
        if len(values) == resamples:
            break
        value = measure(drawn)
        if np.isfinite(value):
            values.append(value)
    return np.array(values)


def rate_like(estimate: float, values: NDArray[np.float64]) -> Interval | None:
    """Return the interval of a measure in [0, 1], None with fewer than 2 replicates."""
    return reflected_interval(estimate, values) if len(values) > 1 else None


def correlation_like(estimate: float, values: NDArray[np.float64]) -> Interval | None:
    """Return the interval of a measure in [-1, 1], None with fewer than 2 replicates."""
    if len(values) < 2:
        return None
    shifted = reflected_interval((1 + estimate) / 2, (1 + values) / 2)
    return Interval(low=2 * shifted.low - 1, high=2 * shifted.high - 1, level=shifted.level)


def ratio_like(estimate: float, values: NDArray[np.float64], speakers: int) -> Interval | None:
    """Return the interval of a measure of at least 0, None with fewer than 2 replicates or speakers."""
    if len(values) < 2 or speakers < 2:
        return None
    return logarithmic_interval(estimate, values, speakers=speakers)


def checked_weights(weights: NDArray[np.float64] | None, count: int) -> NDArray[np.float64]:
    """Return weights (count,), all 1 for None.

    Raises:
        InputError: another shape, values below 0 or not finite, or none above 0.
    """
    if weights is None:
        return np.ones(count)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise InputError(f"expected {count} weights of at least 0, one of them above 0; got shape {array.shape}")
    return array


def checked_points(points: NDArray[np.float64], items: int | None = None) -> NDArray[np.float64]:
    """Return points (n, D) in float64.

    Raises:
        InputError: another shape, another number of them, or values that are not finite.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or not array.size or (items is not None and len(array) != items):
        expected = "(n, D)" if items is None else f"({items}, D)"
        raise InputError(f"points must be {expected}, got {array.shape}")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(f"points must be finite, the one of item {row} is not")
    return array
