"""What every change of a batch of waveforms needs: its door, levels in decibels, a few items at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from curvox.errors import InputError

# Few items at a time stay in the cache of a CPU: half the time of all at once.
_ITEMS_AT_A_TIME = 8
_LEAST_LEVEL = 1e-8


def require_batch(waveforms: Tensor) -> None:
    """Refuse what is not a floating batch (B, S).

    Raises:
        InputError: another number of dimensions, or integers.
    """
    if waveforms.ndim != 2 or not waveforms.is_floating_point():
        raise InputError(
            f"waveforms must be floating-point of shape (batch, samples), got {tuple(waveforms.shape)} of "
            f"{waveforms.dtype}; divide 16-bit integers by 32768"
        )


def few_at_a_time(rows: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Cut row numbers into runs that ``device`` likes: at most eight on a CPU, all together elsewhere.

    Nothing comes where there are none.
    """
    at_a_time = _ITEMS_AT_A_TIME if device.type == "cpu" else max(1, len(rows))
    for start in range(0, len(rows), at_a_time):
        yield rows[start : start + at_a_time]


def picked(streams: Sequence[np.random.Generator], rows: np.ndarray) -> list[np.random.Generator]:
    """Return the streams of some rows."""
    return [streams[row] for row in rows.tolist()]


def levels(waveforms: Float[Tensor, "N S"]) -> Float[Tensor, "N 1"]:
    """Root mean square of each waveform, at least 1e-8, so that a silent one can be divided by."""
    return waveforms.square().mean(1, keepdim=True).sqrt().clamp_min(_LEAST_LEVEL)


def amplitude(level_db: np.ndarray) -> np.ndarray:
    """Return the factor of samples for a change of level in decibels, float32."""
    return (10.0 ** (np.asarray(level_db, dtype=np.float64) / 20)).astype(np.float32)


def column(values: np.ndarray, like: Tensor) -> Tensor:
    """Return numbers, one an item, as (N, 1) of the type and device of ``like``."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(like)[:, None]


def fast_length(n: int) -> int:
    """Return the smallest length of at least ``n`` that has no prime factor above 5, which transforms fast."""
    while True:
        rest = n
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1
