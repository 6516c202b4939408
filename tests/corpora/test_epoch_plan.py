from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.corpora import EpochPlan, epoch_plan, shard
from curvox.errors import InputError, UnknownNameError

RNG = np.random.default_rng(0)
SPEAKERS = np.sort(RNG.integers(0, 9, 50))
DURATIONS = RNG.integers(50, 900, 50)


def plan(
    *,
    speakers: np.ndarray = SPEAKERS,
    durations: np.ndarray = DURATIONS,
    crop_samples: int = 100,
    batch_size: int = 4,
    seed: int = 0,
    epoch: int = 0,
    balance: str = "utterance",
    crops_per_epoch: int | None = None,
    max_crops_per_utterance: int = 8,
) -> EpochPlan:
    return epoch_plan(
        speakers,
        durations,
        crop_samples=crop_samples,
        batch_size=batch_size,
        seed=seed,
        epoch=epoch,
        balance=balance,
        crops_per_epoch=crops_per_epoch,
        max_crops_per_utterance=max_crops_per_utterance,
    )


def same(a: EpochPlan, b: EpochPlan) -> bool:
    pairs = [(a.indices, b.indices), (a.starts_samples, b.starts_samples), (a.item_seeds, b.item_seeds)]
    return all(np.array_equal(left, right) for left, right in pairs)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 40), st.integers(1, 3000)), min_size=1, max_size=40),
    st.integers(1, 500),
    st.integers(1, 9),
    st.sampled_from(["utterance", "speaker", "sqrt"]),
    st.integers(1, 300) | st.none(),
    st.integers(0, 2**40),
)
def test_epoch_plan__batches_are_full_and_crops_lie_inside(
    rows: list, crop: int, batch_size: int, balance: str, crops: int | None, seed: int
) -> None:
    speakers, durations = (np.array(column) for column in zip(*rows, strict=True))
    options = {"speakers": speakers, "durations": durations, "crop_samples": crop, "batch_size": batch_size}
    try:
        found = plan(**options, balance=balance, crops_per_epoch=crops, seed=seed)
    except InputError:
        total = crops or sum(min(8, max(1, round(d / crop))) for d in durations.tolist())
        assert total < batch_size
        return
    assert found.indices.shape == found.starts_samples.shape == found.item_seeds.shape == (len(found), batch_size)
    assert found.indices.dtype == found.starts_samples.dtype == found.item_seeds.dtype == np.int64
    assert 0 <= found.dropped < batch_size
    if crops is not None:
        assert found.indices.size + found.dropped == crops
    assert ((found.indices >= 0) & (found.indices < len(rows))).all()
    lengths = durations[found.indices]
    assert (found.starts_samples >= 0).all()
    assert (found.starts_samples[lengths <= crop] == 0).all()
    assert (found.starts_samples + crop <= lengths)[lengths > crop].all()
    assert (found.item_seeds >= 0).all()


@pytest.mark.parametrize("balance", ["utterance", "speaker", "sqrt"])
def test_epoch_plan__is_a_function_of_seed_and_epoch(balance: str) -> None:
    first = plan(seed=3, epoch=5, balance=balance)
    assert same(first, plan(seed=3, epoch=5, balance=balance))
    assert not same(first, plan(seed=3, epoch=6, balance=balance))
    assert not same(first, plan(seed=4, epoch=5, balance=balance))
    assert not same(first, plan(seed=5, epoch=3, balance=balance))


def test_epoch_plan__leaves_the_global_generator_alone() -> None:
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    plan()
    assert np.random.random() == expected


@pytest.mark.parametrize("most", [1, 3, 8])
def test_epoch_plan__each_recording_comes_as_often_as_it_holds_crops(most: int) -> None:
    found = plan(batch_size=1, max_crops_per_utterance=most)
    counts = Counter(found.indices.ravel().tolist())
    assert found.dropped == 0
    assert counts == {i: min(most, max(1, round(d / 100))) for i, d in enumerate(DURATIONS.tolist())}


def shares(balance: str, crops: int) -> list[np.ndarray]:
    plans = [plan(batch_size=1, balance=balance, crops_per_epoch=crops, epoch=epoch) for epoch in range(40)]
    return [np.bincount(SPEAKERS[found.indices.ravel()], minlength=9) for found in plans]


@pytest.mark.parametrize("balance", ["utterance", "speaker", "sqrt"])
@pytest.mark.parametrize("crops", [7, 100, 1234])
def test_epoch_plan__shares_of_speakers_are_next_to_the_exact_ones(balance: str, crops: int) -> None:
    held = np.clip(np.rint(DURATIONS / 100), 1, 8)
    sizes = np.array([held[s == SPEAKERS].sum() for s in range(9)])
    weights = sizes ** {"utterance": 1.0, "speaker": 0.0, "sqrt": 0.5}[balance]
    exact = crops * weights / weights.sum()
    found = shares(balance, crops)
    for counts in found:
        assert counts.sum() == crops
        assert (np.abs(counts - exact) < 1 + 1e-9).all()
    # Over many epochs the rounding evens out: its standard deviation is at most 1/2 an epoch.
    assert (np.abs(np.mean(found, axis=0) - exact) < 5 * 0.5 / np.sqrt(len(found))).all()


def test_epoch_plan__a_speakers_share_goes_evenly_over_its_recordings() -> None:
    speakers, durations = np.zeros(5, int), np.full(5, 100)
    for crops in (3, 5, 12):
        counts = np.bincount(
            plan(speakers=speakers, durations=durations, batch_size=1, crops_per_epoch=crops).indices.ravel(),
            minlength=5,
        )
        assert counts.max() - counts.min() <= 1


def test_epoch_plan__starts_are_uniform_over_the_recording() -> None:
    found = plan(
        speakers=np.zeros(1, int), durations=np.array([109]), batch_size=1, crops_per_epoch=20_000, balance="speaker"
    )
    counts = np.bincount(found.starts_samples.ravel(), minlength=10)
    assert len(counts) == 10
    # Chi-square with 9 degrees of freedom exceeds 33.7 in one of ten thousand draws; the seed is fixed.
    assert ((counts - 2000) ** 2 / 2000).sum() < 33.7


def test_epoch_plan__names_of_speakers_do_not_matter() -> None:
    assert same(plan(balance="speaker"), plan(balance="speaker", speakers=SPEAKERS * 7 - 30))


def test_epoch_plan__item_seeds_differ() -> None:
    found = plan()
    assert len(np.unique(found.item_seeds)) == found.item_seeds.size


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_shard__parts_are_disjoint_equal_and_complete(world_size: int) -> None:
    whole = plan(batch_size=6)
    parts = [shard(whole, rank, world_size) for rank in range(world_size)]
    assert {part.indices.shape for part in parts} == {(len(whole), 6 // world_size)}
    for batch in range(len(whole)):
        expected = sorted(zip(whole.item_seeds[batch], whole.indices[batch], whole.starts_samples[batch], strict=True))
        found = [
            item
            for part in parts
            for item in zip(part.item_seeds[batch], part.indices[batch], part.starts_samples[batch], strict=True)
        ]
        assert sorted(found) == expected


def test_shard__refuses_what_does_not_divide() -> None:
    with pytest.raises(InputError, match="multiple of the 4 processes"):
        shard(plan(batch_size=6), 0, 4)
    with pytest.raises(InputError, match="rank must be below world_size"):
        shard(plan(batch_size=6), 2, 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"speakers": SPEAKERS[:-1]}, "arrays .* of one length"),
        ({"speakers": SPEAKERS.astype(float)}, "whole numbers"),
        ({"durations": DURATIONS * 0}, "at least 1, got 0 at place 0"),
        ({"crop_samples": 0}, "crop_samples"),
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"epoch": -1}, "epoch"),
        ({"crops_per_epoch": 0}, "crops_per_epoch"),
        ({"max_crops_per_utterance": 0}, "max_crops_per_utterance"),
        ({"batch_size": 10_000}, "fills no batch of 10000"),
    ],
)
def test_epoch_plan__refuses_arguments_out_of_range(changes: dict, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        plan(**changes)


def test_epoch_plan__refuses_an_unknown_balance() -> None:
    with pytest.raises(UnknownNameError, match='did you mean "speaker"'):
        plan(balance="speakers")
