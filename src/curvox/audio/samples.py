"""Samples as 16-bit integers: what a model is trained on is what it is asked about later."""

from __future__ import annotations

import numpy as np

_FULL_SCALE = 32768


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round samples in [-1, 1] to little-endian 16-bit integers; what overshoots saturates, as in any 16-bit file."""
    return np.clip(np.rint(waveform * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Return 16-bit samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) * np.float32(1 / _FULL_SCALE)
