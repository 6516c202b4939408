"""Breakdowns by what a corpus says of its recordings, against loops over the trials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance
from curvox.embedder import breakdowns_of, evaluate_trials, parse_by, speakers_of
from curvox.errors import InputError, UnknownNameError
from curvox.metrics import evaluate


def utterance(number: int) -> Utterance:
    speaker = number % 6
    return Utterance(
        utterance=f"u{number}",
        path=f"{number}.wav",
        speaker=f"s{speaker}",
        session=str(number // 12) if number % 5 else "",
        gender="fm"[speaker % 2],
        language=("de", "en", "")[speaker % 3],
        corpus=("one", "two")[speaker // 3],
        duration_s=0.7 * (number + 1),
        extra={"mood": "glad" if number % 2 else ""},
    )


CORPUS = Corpus(Path("nowhere"), tuple(utterance(i) for i in range(24)), "made up")
PAIRS = [(f"u{i}", f"u{j}") for i in range(24) for j in range(24) if i != j]


def listed(pairs):
    enrolments, tests = zip(*pairs, strict=True)
    labels = np.array([CORPUS[a].speaker == CORPUS[b].speaker for a, b in pairs])
    return TrialList(enrolments, tests, labels)


TRIALS = listed(PAIRS)
LABELS = np.array([CORPUS[a].speaker == CORPUS[b].speaker for a, b in PAIRS])


@given(st.lists(st.sampled_from(PAIRS), min_size=1, max_size=40))
def test_breakdown__by_a_column_puts_every_trial_into_the_group_of_its_values(pairs):
    masks = breakdowns_of(listed(pairs), CORPUS, ["gender"])["gender"]
    for i, (a, b) in enumerate(pairs):
        values = sorted({CORPUS[a].gender, CORPUS[b].gender})
        assert [name for name, mask in masks.items() if mask[i]] == [f"gender: {' + '.join(values)}"]


def test_breakdown__by_a_pair_is_the_meeting_of_both():
    made = breakdowns_of(TRIALS, CORPUS, ["gender", "language", ("gender", "language")])
    assert list(made) == ["gender", "language", "gender × language"]
    for name, mask in made["gender × language"].items():
        gender, language = name.split(" × ")
        np.testing.assert_array_equal(mask, made["gender"][gender] & made["language"][language])
        assert mask.any()
    assert sum(mask.sum() for mask in made["gender × language"].values()) == len(TRIALS)


def test_breakdown__by_corpus_holds_the_trials_inside_each():
    masks = breakdowns_of(TRIALS, CORPUS, ["corpus"])["corpus"]
    assert list(masks) == ["one", "two"]
    inside = [CORPUS[a].corpus == CORPUS[b].corpus == "one" for a, b in PAIRS]
    np.testing.assert_array_equal(masks["one"], inside)
    single = Corpus(CORPUS.root, tuple(replace(u, corpus="") for u in CORPUS.utterances), "one corpus")
    assert breakdowns_of(TRIALS, single, ["corpus"]) == {}


def test_breakdown__by_session_gap_parts_the_targets_and_shares_the_non_targets():
    masks = breakdowns_of(TRIALS, CORPUS, ["session gap"])["session gap"]
    assert set(masks) == {"session gap: same", "session gap: other", "session gap: unknown"}
    for i, (a, b) in enumerate(PAIRS):
        sessions = {CORPUS[a].session, CORPUS[b].session}
        if CORPUS[a].speaker != CORPUS[b].speaker:
            assert all(mask[i] for mask in masks.values())
            continue
        gap = "unknown" if "" in sessions else "same" if len(sessions) == 1 else "other"
        assert [name for name, mask in masks.items() if mask[i]] == [f"session gap: {gap}"]


def test_breakdown__by_duration_takes_the_shorter_side():
    masks = breakdowns_of(TRIALS, CORPUS, ["duration_s"])["duration in s"]
    for i, (a, b) in enumerate(PAIRS):
        shorter = min(CORPUS[a].duration_s or 0, CORPUS[b].duration_s or 0)
        (name,) = [name for name, mask in masks.items() if mask[i]]
        expected = "below 2" if shorter < 2 else "2 to 4" if shorter < 4 else "4 to 8" if shorter < 8 else None
        expected = expected or ("8 to 16" if shorter < 16 else "16 and above")
        assert name == f"duration in s: {expected}"


def test_breakdown__knows_extra_columns_and_refuses_others():
    assert "mood" in breakdowns_of(TRIALS, CORPUS, ["mood"])
    with pytest.raises(UnknownNameError, match="gender"):
        breakdowns_of(TRIALS, CORPUS, ["gendre"])
    with pytest.raises(InputError, match='two different columns, got "gender" twice'):
        breakdowns_of(TRIALS, CORPUS, [("gender", "gender")])
    with pytest.raises(InputError, match="needs labels"):
        breakdowns_of(replace(TRIALS, labels=None), CORPUS, ["session gap"])


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("gender", "gender"),
        ("language, channel", ("language", "channel")),
        ("session_gap", "session gap"),
        ("gender,session gap", ("gender", "session gap")),
        ("duration", "duration_s"),
    ],
)
def test_parse_by__reads_a_column_or_two(text, by):
    assert parse_by(text) == by


@pytest.mark.parametrize("text", ["", "a,", "a,b,c"])
def test_parse_by__refuses_none_and_three(text):
    with pytest.raises(InputError, match="a column, or two"):
        parse_by(text)


def test_speakers__of_models_are_those_of_their_recordings():
    trials = TrialList(("m",), ("u1",), np.array([False]))
    enrolment, test = speakers_of(trials, CORPUS, EnrolmentMap({"m": ("u2", "u8")}))
    assert (enrolment.tolist(), test.tolist()) == (["s2"], ["s1"])


def test_evaluate_trials__is_the_evaluation_of_the_metrics():
    scores = np.random.default_rng(0).standard_normal(len(TRIALS)) + LABELS
    breakdowns = breakdowns_of(TRIALS, CORPUS, ["gender"])
    found = evaluate_trials(TRIALS, scores, CORPUS, breakdowns=breakdowns, llrs=True, resamples=20, seed=3)
    expected = evaluate(
        scores,
        LABELS,
        enrolment_speakers=[CORPUS[a].speaker for a, _ in PAIRS],
        test_speakers=[CORPUS[b].speaker for _, b in PAIRS],
        groups=breakdowns["gender"],
        llrs=True,
        resamples=20,
        seed=3,
    )
    assert found.health is not None
    assert found.health.repeated == len(PAIRS) // 2
    assert found.figures == expected.figures
    assert found.groups["gender: f"].figures == expected.groups["gender: f"].figures
    assert (found.det, found.histogram, found.calibration) == (expected.det, expected.histogram, expected.calibration)


def test_evaluate_trials__sees_recordings_compared_with_themselves():
    twin = replace(CORPUS.utterances[0], utterance="twin")
    corpus = Corpus(CORPUS.root, (*CORPUS.utterances, twin), "twins")
    trials = TrialList(("u0", "u0", "u0"), ("twin", "u6", "u1"), np.array([True, True, False]))
    health = evaluate_trials(trials, [3.0, 2.0, 1.0], corpus, resamples=0).health
    assert health is not None
    assert health.same_recording == 1


def test_evaluate_trials__takes_no_mirrored_or_repeated_trial_for_a_tie():
    scores = {frozenset(pair): i for i, pair in enumerate(PAIRS)}
    mirrored = evaluate_trials(TRIALS, [scores[frozenset(pair)] for pair in PAIRS], CORPUS, resamples=0).health
    assert mirrored is not None
    assert (mirrored.tied_share, mirrored.repeated) == (0, len(PAIRS) // 2)
    assert not any("share their score" in warning for warning in mirrored.warnings)
    rounded = [scores[frozenset(pair)] // 200 for pair in PAIRS]
    sick = evaluate_trials(TRIALS, rounded, CORPUS, resamples=0).health
    assert sick is not None
    assert sick.tied_share == 1
    assert any("that repeat no other share their score" in warning for warning in sick.warnings)


def test_evaluate_trials__refuses_trials_without_labels():
    with pytest.raises(InputError, match="no labels"):
        evaluate_trials(replace(TRIALS, labels=None), np.zeros(len(TRIALS)), CORPUS)
