"""Vital signs of a run as plain arrays: where they were logged, smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curvox.diagnosis.observation import VitalHistory

Numbers = NDArray[np.float64]


def sign(history: VitalHistory, name: str) -> tuple[NDArray[np.int64], Numbers]:
    """Steps and values of a vital sign where it was logged and finite."""
    values = history.signs.get(name)
    if values is None:
        return history.steps[:0], np.zeros(0)
    kept = np.isfinite(values)
    return history.steps[kept], values[kept]


def signs_together(history: VitalHistory, first: str, second: str) -> tuple[Numbers, Numbers]:
    """Values of two vital signs where both were logged."""
    none = np.full(len(history.steps), np.nan)
    one, other = history.signs.get(first, none), history.signs.get(second, none)
    kept = np.isfinite(one) & np.isfinite(other)
    return one[kept], other[kept]


def running_medians(values: Numbers, width: int) -> Numbers:
    """Medians of ``width`` values about each, of fewer at both ends."""
    half = width // 2
    return np.array([np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))])
