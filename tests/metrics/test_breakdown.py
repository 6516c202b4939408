"""Laws of the parts of trials."""

import math

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.metrics import breakdown_masks, evaluate

GENDER = (["f", "f", "m", "m", "f"], ["f", "m", "m", "f", "f"])


def test_breakdown_masks__put_differing_sides_into_a_group_of_both():
    masks = breakdown_masks("gender", *GENDER)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "gender: f": [True, False, False, False, True],
        "gender: f + m": [False, True, False, True, False],
        "gender: m": [False, False, True, False, False],
    }


def test_breakdown_masks__every_trial_is_in_one_group():
    rng = np.random.default_rng(0)
    languages, durations = rng.choice(["de", "en", "", "fr"], (2, 300)), rng.exponential(6, (2, 300))
    for sides in (languages, durations):
        masks = breakdown_masks("fact", *sides)
        assert (np.sum(list(masks.values()), axis=0) == 1).all()


def test_breakdown_masks__bin_numbers_with_the_lower_edge_inside():
    sides = [1.9, 2.0, 5.0, math.nan, 100.0], [1.0, 3.9, 9.0, 3.0, 16.0]
    masks = breakdown_masks("duration", *sides, edges=(2, 4, 8, 16))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()} == {
        "duration: below 2": [0],
        "duration: 2 to 4": [1],
        "duration: 2 to 4 + unknown": [3],
        "duration: 4 to 8 + 8 to 16": [2],
        "duration: 16 and above": [4],
    }


def test_breakdown_masks__take_given_edges_or_quartiles():
    sides = (np.arange(8.0), np.arange(8.0))
    given = breakdown_masks("age", *sides, edges=[4])
    assert list(given) == ["age: below 4", "age: 4 and above"]
    quartiles = breakdown_masks("age", *sides)
    assert list(quartiles) == ["age: below 1.8", "age: 1.8 to 3.5", "age: 3.5 to 5.2", "age: 5.2 and above"]


def test_breakdown_masks__name_what_is_missing_unknown():
    channels = np.array(["", None, "phone"], dtype=object)
    masks = breakdown_masks("channel", channels, channels)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "channel: phone": [False, False, True],
        "channel: unknown": [True, True, False],
    }
    nothing = np.full(2, math.nan)
    assert list(breakdown_masks("snr", nothing, nothing)) == ["snr: unknown"]


def test_breakdown_masks__are_groups_of_an_evaluation():
    masks = breakdown_masks("gender", *GENDER)
    found = evaluate(
        [0.9, 0.1, 0.3, 0.2, 0.8],
        [1, 0, 0, 0, 0],
        enrolment_speakers=list("aabbc"),
        test_speakers=list("abcaa"),
        groups=masks,
        resamples=0,
    )
    assert list(found.groups) == list(masks)
    assert found.groups["gender: m"].why_no_figures == "no target trials"


@pytest.mark.parametrize(
    ("sides", "edges", "message"),
    [
        ((["f"], ["f", "m"]), None, "on both sides"),
        (([1.0], [2.0]), [3, 3], "must be finite and rise"),
        (([1.0], [2.0]), [math.nan], "must be finite and rise"),
        (([str(i) for i in range(999)],) * 2, None, "has 999 groups"),
    ],
)
def test_breakdown_masks__refuse_what_makes_no_groups(sides, edges, message):
    with pytest.raises(InputError, match=message):
        breakdown_masks("fact", *sides, edges=edges)
