"""The plan of an epoch over shards: all crops once, few shards at a time, alike on any number of processes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from curvox.corpora import EpochPlan, default_lanes, shard, shard_epoch_plan, shards_by_first_use
from curvox.errors import InputError

SIZES = [40, 37, 40, 5, 40, 41, 40, 23, 40, 38, 40, 40]
SHARDS = np.repeat(np.arange(len(SIZES)), SIZES)
DURATIONS = np.random.default_rng(0).integers(50, 700, len(SHARDS))


def plan(**changes) -> EpochPlan:
    arguments = {"crop_samples": 200, "batch_size": 16, "lanes": 4, "window": 2, "seed": 3, "epoch": 5}
    return shard_epoch_plan(SHARDS, DURATIONS, **{**arguments, **changes})


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize(("batch_size", "lanes", "window"), [(16, 4, 2), (6, 3, 1), (5, 1, 4), (8, 8, 12), (2, 2, 99)])
def test_shard_plan__each_crop_comes_once_but_for_less_than_a_batch(batch_size, lanes, window, most) -> None:
    found = plan(batch_size=batch_size, lanes=lanes, window=window, max_crops_per_utterance=most)
    held = np.clip(np.rint(DURATIONS / 200), 1, most)
    times = np.bincount(found.indices.ravel(), minlength=len(SHARDS))
    assert (times <= held).all()
    assert found.dropped == held.sum() - times.sum() < batch_size
    assert found.indices.shape == (len(found), batch_size)
    assert (found.starts_samples >= 0).all()
    assert (found.starts_samples <= np.maximum(DURATIONS[found.indices] - 200, 0)).all()
    assert len(np.unique(found.item_seeds)) == found.item_seeds.size


@pytest.mark.parametrize("window", [1, 2, 5])
def test_shard_plan__a_lane_has_at_most_a_window_of_shards_open(window: int) -> None:
    found = plan(window=window, max_crops_per_utterance=2)
    for lane in range(4):
        shards = SHARDS[found.indices[:, 4 * lane : 4 * (lane + 1)].ravel()]
        first = {number: int(np.flatnonzero(shards == number)[0]) for number in set(shards.tolist())}
        last = {number: int(np.flatnonzero(shards == number)[-1]) for number in first}
        most = max(sum(first[n] <= moment <= last[n] for n in first) for moment in range(len(shards)))
        assert most <= window


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_shard_plan__a_process_needs_the_shards_of_its_lanes_alone(processes: int) -> None:
    whole = plan()
    readers: Counter[int] = Counter()
    for rank in range(processes):
        part = shard(whole, rank, processes)
        size = 16 // processes
        np.testing.assert_array_equal(part.indices, whole.indices[:, rank * size : (rank + 1) * size])
        readers.update(set(SHARDS[part.indices].ravel().tolist()))
    # Only a shard in which a lane ends is read by two.
    assert sum(count > 1 for count in readers.values()) <= processes - 1
    assert max(readers.values()) <= 2


def test_shard_plan__is_a_function_of_seed_and_epoch() -> None:
    for name in ("indices", "starts_samples", "item_seeds"):
        assert np.array_equal(getattr(plan(), name), getattr(plan(), name))
        assert not np.array_equal(getattr(plan(seed=3), name), getattr(plan(seed=4), name))
        assert not np.array_equal(getattr(plan(epoch=5), name), getattr(plan(epoch=6), name))


def test_shard_plan__neighbours_rarely_share_a_batch() -> None:
    """Neighbours of a shard meet about as often as any two of a window would: (crops of a lane) / (its window)."""
    found = plan(batch_size=16, lanes=4, window=4)
    batch = np.full(len(SHARDS), -1)
    batch[found.indices] = np.arange(len(found))[:, None]
    together = np.mean(batch[:-1] == batch[1:])
    # 4 crops of a lane out of the 40 of a shard, which are spread over 4 shards' time: 1 of 40 expected.
    assert together < 0.06


def test_shard_plan__a_batch_holds_many_shards() -> None:
    found = plan(batch_size=16, lanes=8, window=4)
    shards = [len(set(row)) for row in SHARDS[found.indices].tolist()]
    assert np.median(shards) >= 7


def test_first_use__is_where_each_shard_comes_first() -> None:
    found = plan()
    needed, batches = shards_by_first_use(found, SHARDS)
    assert sorted(needed) == sorted(set(SHARDS[found.indices].ravel().tolist()))
    for number, batch in zip(needed, batches, strict=True):
        rows = np.flatnonzero((SHARDS[found.indices] == number).any(axis=1))
        assert rows[0] == batch
    assert (np.diff(batches) >= 0).all()


@pytest.mark.parametrize(("batch_size", "lanes"), [(64, 8), (30, 6), (7, 7), (13, 1), (2, 2)])
def test_default_lanes__divide_the_batch(batch_size: int, lanes: int) -> None:
    assert default_lanes(batch_size) == lanes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lanes": 3}, "multiple of the 3 lanes, got 16"),
        ({"lanes": 0}, "lanes"),
        ({"window": 0}, "window"),
        ({"batch_size": 4096, "lanes": 4}, "fills no batch of 4096"),
        ({"seed": -1}, "seed"),
    ],
)
def test_shard_plan__refuses_arguments_out_of_range(changes: dict, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        plan(**changes)
