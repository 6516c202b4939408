"""Speeds drawn for the crops of an epoch: the plan stays, cuts lie inside their recordings, classes get names."""

import numpy as np
import pytest

from curvox.corpora import (
    EpochPlan,
    epoch_plan,
    names_at_speeds,
    plan_speeds,
    shard,
    speaker_epoch_plan,
    speaker_of_class,
)
from curvox.errors import InputError

RNG = np.random.default_rng(0)
SPEAKERS = RNG.integers(0, 20, 300)
DURATIONS = RNG.integers(50, 2000, 300)
CUTS = (200, 180, 220)


def planned(epoch: int, crops_per_epoch: int | None = None) -> EpochPlan:
    return epoch_plan(
        SPEAKERS, DURATIONS, crop_samples=200, batch_size=16, seed=5, epoch=epoch, crops_per_epoch=crops_per_epoch
    )


def test_speeds__change_nothing_of_the_plan_but_where_crops_begin() -> None:
    plan = planned(3)
    sped = plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=3)
    assert sped.speeds is not None
    for name in ("indices", "item_seeds"):
        np.testing.assert_array_equal(getattr(sped, name), getattr(plan, name))
    first = sped.speeds == 0
    np.testing.assert_array_equal(sped.starts_samples[first], plan.starts_samples[first])
    room = np.maximum(DURATIONS[plan.indices] - np.array(CUTS)[sped.speeds], 0)
    assert (sped.starts_samples >= 0).all()
    assert (sped.starts_samples <= room).all()
    late = sped.starts_samples[room > 0] / room[room > 0]
    assert 0.45 < late.mean() < 0.55


def test_speeds__come_equally_often_and_anew_in_every_epoch() -> None:
    drawn = []
    for epoch in (0, 1):
        plan = planned(epoch, 6000)
        sped = plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=epoch)
        again = plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=epoch)
        np.testing.assert_array_equal(sped.speeds, again.speeds)
        assert sped.speeds is not None
        drawn.append(sped.speeds)
        np.testing.assert_allclose(np.bincount(sped.speeds.ravel()) / sped.speeds.size, 1 / 3, atol=0.03)
    assert (drawn[0] != drawn[1]).mean() > 0.5


def test_speeds__are_one_for_the_recordings_of_a_speaker_in_a_batch() -> None:
    plan = speaker_epoch_plan(
        SPEAKERS, DURATIONS, crop_samples=200, batch_size=16, seed=5, recordings_per_speaker=4, epoch=0
    )
    sped = plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=0, together=4)
    assert sped.speeds is not None
    turns = sped.speeds.reshape(-1, 4)
    assert (turns == turns[:, :1]).all()
    assert len(np.unique(turns)) == 3
    with pytest.raises(InputError, match="multiple of the 3 crops"):
        plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=0, together=3)


def test_shards__side_by_side_have_the_speeds_of_the_whole() -> None:
    plan = planned(0)
    assert plan.crops(0)[0][3] == 0
    sped = plan_speeds(plan, DURATIONS, cuts_samples=CUTS, seed=5, epoch=0)
    parts = [shard(sped, rank, 2) for rank in range(2)]
    assert parts[0].crops(4) + parts[1].crops(4) == sped.crops(4)


def test_classes__are_the_speakers_first_then_those_at_the_next_speed() -> None:
    names = names_at_speeds(["b", "a@home"], [1.0, 0.9, 1.1])
    assert names == ("b", "a@home", "b@0.9", "a@home@0.9", "b@1.1", "a@home@1.1")
    assert [speaker_of_class(name) for name in names] == ["b", "a@home"] * 3
    with pytest.raises(InputError, match=r'"a@0\.9" is called like another'):
        names_at_speeds(["a", "a@0.9"], [1.0, 0.9])
