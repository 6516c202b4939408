from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.corpora import (
    COLUMNS,
    Corpus,
    EnrolmentMap,
    TrialList,
    Utterance,
    repeated_trials,
    same_recordings,
    trial_columns,
)
from curvox.errors import UnknownNameError


def spoken(name: str, session: str = "1", **labels: object) -> Utterance:
    base = Utterance(utterance=name, path=f"{name}.wav", speaker=name[0], session=session, duration_s=2.0, gender="f")
    return replace(base, **labels)


CORPUS = Corpus(
    Path("."),
    (
        spoken("a1"),
        spoken("a2", duration_s=3.5),
        spoken("a3", "2", channel="radio", path="a1.wav", start_s=4.0),
        spoken("a4", "", duration_s=None),
        spoken("b1", gender="m", sampling_rate_hz=8000, extra={"age": "30"}),
    ),
    "tiny",
)
TRIALS = TrialList(
    ("a1", "a1", "a1", "a1", "a4"), ("a2", "a3", "a4", "b1", "a1"), None, columns={"topic": tuple("vwxyz")}
)
MODELS = EnrolmentMap({"m": ("a1", "a2"), "n": ("a1", "a3"), "o": ("a1", "a4")})


def test_trial_columns__hold_the_labels_of_both_sides() -> None:
    found = trial_columns(CORPUS, TRIALS, [*COLUMNS, "age"])
    assert list(found) == [*COLUMNS, "age"]
    for name in COLUMNS:
        for side, ids in zip(found[name], (TRIALS.enrolments, TRIALS.tests), strict=True):
            expected = [getattr(CORPUS[i], name) for i in ids]
            if isinstance(side, np.ndarray):
                assert side.dtype == np.float64
                assert np.array_equal(side, np.array(expected, dtype=np.float64), equal_nan=True)
            else:
                assert side == ["" if value is None else str(value) for value in expected]
    assert found["age"] == ([""] * 5, ["", "", "", "30", ""])


def test_trial_columns__seconds_are_numbers_and_unknown_ones_are_nan() -> None:
    left, right = trial_columns(CORPUS, TRIALS, ["duration_s"])["duration_s"]
    assert np.array_equal(left, [2, 2, 2, 2, np.nan], equal_nan=True)
    assert np.array_equal(right, [3.5, 2, np.nan, 2, 2], equal_nan=True)


def test_trial_columns__session_gap_knows_same_other_and_unknown() -> None:
    left, right = trial_columns(CORPUS, TRIALS, ["session gap"])["session gap"]
    assert left == right == ["same", "other", "unknown", "other", "unknown"]


def test_trial_columns__a_column_of_the_list_is_of_the_whole_trial() -> None:
    assert trial_columns(CORPUS, TRIALS, ["topic"])["topic"] == (list("vwxyz"), list("vwxyz"))


def test_trial_columns__the_label_of_the_corpus_goes_before_that_of_the_list() -> None:
    trials = replace(TRIALS, columns={"gender": ("male",) * 5})
    assert trial_columns(CORPUS, trials, ["gender"])["gender"] == (["f"] * 5, ["f", "f", "f", "m", "f"])


def test_trial_columns__a_model_sums_durations_and_joins_what_differs() -> None:
    trials = TrialList(("m", "n", "o"), ("a4", "a2", "a2"), None)
    found = trial_columns(CORPUS, trials, ["duration_s", "channel", "start_s", "session gap"], MODELS)
    assert np.array_equal(found["duration_s"][0], [5.5, 4.0, np.nan], equal_nan=True)
    assert found["channel"][0] == ["", "unknown + radio", ""]
    assert np.array_equal(found["start_s"][0], [0, np.nan, 0], equal_nan=True)
    assert found["session gap"][0] == ["unknown", "same", "same"]
    lone = TrialList(("o",), ("a3",), None)
    assert trial_columns(CORPUS, lone, ["session gap"], MODELS)["session gap"][0] == ["unknown"]


@pytest.mark.parametrize(
    ("name", "near"), [("duration", "duration_s"), ("session_gap", "session gap"), ("topics", "topic"), ("ages", "age")]
)
def test_trial_columns__an_unknown_column_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f'unknown column of a trial "{name}": did you mean .*"{near}"'):
        trial_columns(CORPUS, TRIALS, [name])


def test_same_recordings__compares_files_and_not_ids() -> None:
    assert same_recordings(CORPUS, TRIALS).tolist() == [False, True, False, False, False]
    trials = TrialList(("m", "m"), ("a3", "b1"), None)
    assert same_recordings(CORPUS, trials, MODELS).tolist() == [True, False]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=20))
def test_repeated_trials__are_those_an_earlier_one_had_on_either_side(pairs: list[tuple[str, str]]) -> None:
    trials = TrialList(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), None)
    expected = [any(set(pair) == set(earlier) for earlier in pairs[:i]) for i, pair in enumerate(pairs)]
    assert repeated_trials(trials).tolist() == expected


def test_repeated_trials__of_models_go_by_their_utterances() -> None:
    models = EnrolmentMap({"m": ("a1", "a2"), "n": ("a2", "a1"), "o": ("a1",), "p": ("b1",)})
    trials = TrialList(("m", "n", "o", "p", "m", "o"), ("b1", "b1", "b1", "a1", "a1", "a1"), None)
    assert repeated_trials(trials, models).tolist() == [False, True, False, True, False, False]
