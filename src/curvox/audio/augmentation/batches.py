"""Check batches and options of every augmentation, draw chance by item, and change a few items at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from curvox.errors import InputError

# Few items at a time stay in the cache of a CPU: half the time of all at once.
_ITEMS_AT_A_TIME = 8
_LEAST_LEVEL = 1e-8

Seed = int | tuple[int, ...]
"""Non-negative integers that name a stream, for example (seed of the run, step, position in the batch)."""


def require_batch(waveforms: Tensor) -> None:
    """Refuse what is not a floating batch (B, S)."""
    if waveforms.ndim != 2 or not waveforms.is_floating_point():
        raise InputError(
            f"waveforms must be floating-point of shape (batch, samples), got {tuple(waveforms.shape)} of "
            f"{waveforms.dtype}; divide 16-bit integers by 32768"
        )


def item_streams(seeds: Sequence[Seed], n_items: int, purpose: int) -> list[np.random.Generator]:
    """Return one generator an item; equal seeds give equal draws, another ``purpose`` gives other ones.

    Raises:
        InputError: the number of seeds is not ``n_items``, or a seed is negative.
    """
    if len(seeds) != n_items:
        raise InputError(f"expected one seed an item, got {len(seeds)} seeds for {n_items} items")
    entropies = [seed if isinstance(seed, tuple) else (seed,) for seed in seeds]
    if any(part < 0 for entropy in entropies for part in entropy):
        raise InputError("seeds must be non-negative integers or tuples of them")
    return [np.random.default_rng((purpose, *entropy)) for entropy in entropies]


def streams_of(waveforms: Tensor, seeds: Sequence[Seed], purpose: int) -> list[np.random.Generator]:
    """Check a batch of waveforms and return the generator of each item."""
    require_batch(waveforms)
    return item_streams(seeds, len(waveforms), purpose)


def uniform(streams: Sequence[np.random.Generator], low: float, high: float) -> np.ndarray:
    """Draw one number in [low, high) from each stream; float32 (items,)."""
    return np.array([stream.uniform(low, high) for stream in streams], dtype=np.float32)


def chosen(streams: Sequence[np.random.Generator], probability: float) -> np.ndarray:
    """Draw from each stream whether something happens; bool (items,). Takes one draw whatever the answer."""
    return np.array([stream.random() < probability for stream in streams], dtype=bool)


def picked(streams: Sequence[np.random.Generator], rows: np.ndarray) -> list[np.random.Generator]:
    """Return the streams of some rows."""
    return [streams[row] for row in rows.tolist()]


def few_at_a_time(rows: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Cut row numbers into runs that suit ``device``: at most eight on a CPU, all together elsewhere; no empty run."""
    at_a_time = _ITEMS_AT_A_TIME if device.type == "cpu" else max(1, len(rows))
    for start in range(0, len(rows), at_a_time):
        yield rows[start : start + at_a_time]


def change_rows(
    waveforms: Tensor, change: Callable[[np.ndarray, Tensor], Tensor], *groups: np.ndarray
) -> Float[Tensor, "B S"]:
    """Return a copy of a batch in which some rows are as ``change`` makes them.

    Args:
        waveforms: floating (B, S).
        change: takes a few row numbers of one group and their waveforms, float32 (N, S), and returns (N, S).
        groups: row numbers; no row comes twice.
    """
    changed = waveforms.clone()
    for some in (some for rows in groups for some in few_at_a_time(rows, waveforms.device)):
        at = torch.from_numpy(some).to(waveforms.device)
        changed[at] = change(some, waveforms[at].float()).to(waveforms.dtype)
    return changed


def levels(waveforms: Float[Tensor, "N S"]) -> Float[Tensor, "N 1"]:
    """Return the root mean square of each waveform, at least 1e-8, so that a silent one can be divided by."""
    return waveforms.square().mean(1, keepdim=True).sqrt().clamp_min(_LEAST_LEVEL)


def as_loud_as(waveforms: Float[Tensor, "N S"], others: Float[Tensor, "N S"]) -> Float[Tensor, "N S"]:
    """Scale each waveform to the level of the other one in its place."""
    return waveforms * (levels(others) / levels(waveforms))


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


def check_ranges(options: Any) -> None:
    """Check the fields of a dataclass of options by their names and defaults.

    Numbers are finite; one whose name ends in ``probability`` or holds ``share`` lies between 0 and 1; one whose
    default is a whole number is at least 1; one with ``low`` in its name is at most the one with ``high`` in that
    place. A name with ``low`` twice means the last.
    """
    for field in fields(options):
        name, value = field.name, getattr(options, field.name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not np.isfinite(value):
            raise InputError(f"{name} must be finite, got {value!r}")
        if (name.endswith("probability") or "share" in name) and not 0 <= value <= 1:
            raise InputError(f"{name} must be between 0 and 1, got {value!r}")
        if type(field.default) is int and value < 1:
            raise InputError(f"{name} must be at least 1, got {value!r}")
        before, low, after = f"_{name}_".rpartition("_low_")
        high = f"{before}_high_{after}".strip("_")
        if low and hasattr(options, high) and value > getattr(options, high):
            raise InputError(f"{name} must be at most {high}, got {value!r} and {getattr(options, high)!r}")
