"""Batches of recordings that lie in shards: random, and yet few shards are needed at a time."""

from __future__ import annotations

import numpy as np

from curvox.corpora.sampling import EpochPlan, check_arrays, crops_held, require_at_least, whole_batches
from curvox.errors import InputError


def shard_epoch_plan(
    shards: np.ndarray,
    durations_samples: np.ndarray,
    *,
    crop_samples: int,
    batch_size: int,
    lanes: int,
    window: int,
    seed: int,
    epoch: int,
    max_crops_per_utterance: int = 1,
) -> EpochPlan:
    """Plan one epoch over shards; the same arguments give the same plan, so a resumed run goes on where it stopped.

    The shards come in random order, and that sequence is cut into ``lanes`` of equally many crops. In a lane the crops
    of the k-th shard are spread at random over the time from k to k + ``window``, so at any moment the crops that come
    are of at most ``window`` shards, and one shard leaves where another comes. Every batch has ``batch_size / lanes``
    crops of each lane, lane after lane. So a process that takes equal blocks of the batches (:func:`shard`) needs the
    shards of its own lanes alone when the number of processes divides that of the lanes, and the batches are the same
    on any such number. Where a lane ends within a shard, the next begins with the rest of it.

    A recording holds ``max(1, round(duration / crop))`` crops, at most ``max_crops_per_utterance``, and each comes once
    an epoch, but for less than a batch in all, chosen anew each epoch, which is counted in ``dropped``.

    Args:
        shards: whole numbers (utterances,), the shard of each recording.
        durations_samples: whole numbers (utterances,) of at least 1, at the rate of ``crop_samples``.

    Raises:
        InputError: an argument is out of range, ``lanes`` does not divide ``batch_size``, or there are fewer crops than
            one batch needs.
    """
    shards, durations = check_arrays(shards, durations_samples)
    require_at_least(1, crop_samples=crop_samples, batch_size=batch_size, lanes=lanes, window=window)
    require_at_least(1, max_crops_per_utterance=max_crops_per_utterance)
    require_at_least(0, seed=seed, epoch=epoch)
    if batch_size % lanes:
        raise InputError(f"batch_size must be a multiple of the {lanes} lanes, got {batch_size}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    crops = np.repeat(np.arange(len(shards)), crops_held(durations, crop_samples, max_crops_per_utterance))
    batches = whole_batches(len(crops), batch_size)
    place = _places_of_shards(shards, rng)[crops]
    # Within a shard in random order, so that a lane's end cuts it at random.
    order = np.lexsort((rng.random(len(crops)), place))[: batches * batch_size]
    lane = np.repeat(np.arange(lanes), batches * (batch_size // lanes))
    time = place[order] + window * rng.random(len(order))
    chosen = crops[order[np.lexsort((time, lane))]]
    per_lane = batch_size // lanes
    indices = chosen.reshape(lanes, batches, per_lane).swapaxes(0, 1).reshape(batches, batch_size)
    starts = rng.integers(0, np.maximum(durations[indices] - crop_samples, 0), endpoint=True)
    seeds = rng.integers(0, 2**63, size=indices.shape, dtype=np.int64)
    return EpochPlan(indices, starts, seeds, len(crops) - indices.size)


def default_lanes(batch_size: int, most: int = 8) -> int:
    """Return the largest divisor of ``batch_size`` that is at most ``most``."""
    return next(lanes for lanes in range(min(most, batch_size), 0, -1) if batch_size % lanes == 0)


def shards_by_first_use(plan: EpochPlan, shards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shards that a plan needs, in the order of their first use, and the batch of that use.

    Args:
        plan: of an epoch, or the part of one process.
        shards: whole numbers (utterances,), the shard of each recording.
    """
    needed, first = np.unique(shards[plan.indices].ravel(), return_index=True)
    order = np.argsort(first, kind="stable")
    return needed[order], first[order] // plan.indices.shape[1]


def _places_of_shards(shards: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each recording at which place in the random order its shard comes."""
    numbers = np.unique(shards, return_inverse=True)[1]
    return rng.permutation(int(numbers.max()) + 1)[numbers]
