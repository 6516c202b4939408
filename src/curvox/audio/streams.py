"""One random stream for each item of a batch, so that an item's draws depend on its own seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curvox.errors import InputError

Seed = int | tuple[int, ...]
"""Non-negative integers that name a stream, for example (seed of the run, step, position in the batch)."""


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


def uniform(streams: Sequence[np.random.Generator], low: float, high: float) -> np.ndarray:
    """Draw one number in [low, high) from each stream; float32 (items,)."""
    return np.array([stream.uniform(low, high) for stream in streams], dtype=np.float32)


def chosen(streams: Sequence[np.random.Generator], probability: float) -> np.ndarray:
    """Draw from each stream whether something happens; bool (items,). Takes one draw whatever the answer."""
    return np.array([stream.random() < probability for stream in streams], dtype=bool)
