"""Laws of the parts of trials."""

import math

import numpy as np
import pytest

from curvox.errors import InputError, UnknownNameError
from curvox.metrics import breakdown_masks, evaluate

GENDER = (["f", "f", "m", "m", "f"], ["f", "m", "m", "f", "f"])
GAPS = ["same", "other", "other", "same", "other"]


def test_breakdown_masks__put_differing_sides_into_a_group_of_both():
    masks = breakdown_masks({"gender": GENDER}, ["gender"])
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "gender: f": [True, False, False, False, True],
        "gender: f + m": [False, True, False, True, False],
        "gender: m": [False, False, True, False, False],
    }


def test_breakdown_masks__cross_a_pair_of_columns_and_leave_out_empty_cells():
    masks = breakdown_masks({"gender": GENDER, "session gap": (GAPS, GAPS)}, ["session gap", ("gender", "session gap")])
    assert list(masks) == [
        "session gap: other",
        "session gap: same",
        "gender: f × session gap: other",
        "gender: f × session gap: same",
        "gender: f + m × session gap: other",
        "gender: f + m × session gap: same",
        "gender: m × session gap: other",
    ]
    assert masks["gender: f × session gap: other"].tolist() == [False, False, False, False, True]


def test_breakdown_masks__every_trial_is_in_one_group_of_each_entry():
    rng = np.random.default_rng(0)
    languages, durations = rng.choice(["de", "en", "", "fr"], (2, 300)), rng.exponential(6, (2, 300))
    columns = {"language": (languages[0], languages[1]), "duration": (durations[0], durations[1])}
    for by in ("language", "duration", ("language", "duration")):
        masks = breakdown_masks(columns, [by])
        assert (np.sum(list(masks.values()), axis=0) == 1).all()


def test_breakdown_masks__bin_numbers_with_the_lower_edge_inside():
    columns = {"duration": ([1.9, 2.0, 5.0, math.nan, 100.0], [1.0, 3.9, 9.0, 3.0, 16.0])}
    masks = breakdown_masks(columns, ["duration"])
    assert {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()} == {
        "duration: below 2": [0],
        "duration: 2 to 4": [1],
        "duration: 2 to 4 + unknown": [3],
        "duration: 4 to 8 + 8 to 16": [2],
        "duration: 16 and above": [4],
    }


def test_breakdown_masks__take_given_edges_or_quartiles():
    sides = (np.arange(8.0), np.arange(8.0))
    given = breakdown_masks({"age": sides}, ["age"], bins={"age": [4]})
    assert list(given) == ["age: below 4", "age: 4 and above"]
    quartiles = breakdown_masks({"age": sides}, ["age"])
    assert list(quartiles) == ["age: below 1.8", "age: 1.8 to 3.5", "age: 3.5 to 5.2", "age: 5.2 and above"]


def test_breakdown_masks__name_what_is_missing_unknown():
    channels = np.array(["", None, "phone"], dtype=object)
    masks = breakdown_masks({"channel": (channels, channels)}, ["channel"])
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "channel: phone": [False, False, True],
        "channel: unknown": [True, True, False],
    }
    nothing = np.full(2, math.nan)
    assert list(breakdown_masks({"snr": (nothing, nothing)}, ["snr"])) == ["snr: unknown"]


def test_breakdown_masks__are_groups_of_an_evaluation():
    masks = breakdown_masks({"gender": GENDER}, ["gender"])
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
    ("columns", "by", "bins", "message"),
    [
        ({"gender": GENDER, "age": ([1.0], [2.0])}, ["gender", "age"], {}, "one value for each trial"),
        ({"gender": (["f"], ["f", "m"])}, ["gender"], {}, "on both sides"),
        ({"gender": GENDER}, [("gender", "gender")], {}, "two different ones"),
        ({"age": ([1.0], [2.0])}, ["age"], {"age": [3, 3]}, "must be finite and rise"),
        ({"age": ([1.0], [2.0])}, ["age"], {"age": [math.nan]}, "must be finite and rise"),
        ({"name": ([str(i) for i in range(999)],) * 2}, ["name"], {}, "has 999 groups"),
    ],
)
def test_breakdown_masks__refuse_what_makes_no_groups(columns, by, bins, message):
    with pytest.raises(InputError, match=message):
        breakdown_masks(columns, by, bins=bins)


def test_breakdown_masks__refuse_an_unknown_column_with_the_nearest():
    with pytest.raises(UnknownNameError, match='did you mean "gender"'):
        breakdown_masks({"gender": GENDER}, ["gendre"])
