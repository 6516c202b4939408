"""Breakdowns by what a corpus says of its recordings, against loops over the trials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance, read_corpus, read_trials, speakers_of
from curvox.embedder import load
from curvox.errors import InputError, UnknownNameError
from curvox.evaluating import ScoredTrials, breakdowns_of, evaluate, evaluate_scored, parse_by
from curvox.metrics import evaluate as metrics_of


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


def figures(trials, scores, corpus=CORPUS):
    scored = ScoredTrials(trials, corpus, np.asarray(scores, dtype=np.float64))
    return evaluate_scored(scored, by=(), resamples=0).evaluation


def test_evaluate_scored__is_the_evaluation_of_the_metrics():
    scores = np.random.default_rng(0).standard_normal(len(TRIALS)) + LABELS
    breakdowns = breakdowns_of(TRIALS, CORPUS, ["gender"])
    scored = ScoredTrials(TRIALS, CORPUS, scores, llrs=scores)
    finished = evaluate_scored(scored, by=["gender"], resamples=20, seed=3)
    found = finished.evaluation
    assert [(part.title, set(part.groups)) for part in finished.report.breakdowns] == [
        ("gender", set(breakdowns["gender"]))
    ]
    expected = metrics_of(
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


def test_evaluate_scored__sees_recordings_compared_with_themselves():
    twin = replace(CORPUS.utterances[0], utterance="twin")
    corpus = Corpus(CORPUS.root, (*CORPUS.utterances, twin), "twins")
    trials = TrialList(("u0", "u0", "u0"), ("twin", "u6", "u1"), np.array([True, True, False]))
    health = figures(trials, [3.0, 2.0, 1.0], corpus).health
    assert health is not None
    assert health.same_recording == 1


def test_evaluate_scored__takes_no_mirrored_or_repeated_trial_for_a_tie():
    scores = {frozenset(pair): i for i, pair in enumerate(PAIRS)}
    mirrored = figures(TRIALS, [scores[frozenset(pair)] for pair in PAIRS]).health
    assert mirrored is not None
    assert (mirrored.tied_share, mirrored.repeated) == (0, len(PAIRS) // 2)
    assert not any("share their score" in warning for warning in mirrored.warnings)
    rounded = [scores[frozenset(pair)] // 200 for pair in PAIRS]
    sick = figures(TRIALS, rounded).health
    assert sick is not None
    assert sick.tied_share == 1
    assert any("that repeat no other share their score" in warning for warning in sick.warnings)


def test_evaluate_scored__refuses_trials_without_labels():
    with pytest.raises(InputError, match="no labels"):
        figures(replace(TRIALS, labels=None), np.zeros(len(TRIALS)))


def test_evaluate__of_a_run_in_one_line_is_every_step_of_it(tiny_run, voices):
    trials = voices / "trials" / "test.txt"
    told = []
    found = evaluate(tiny_run, trials, resamples=5, seed=2, progress=lambda *step: told.append(step))
    listed, corpus = read_trials(trials), read_corpus(voices)
    assert listed.labels is not None
    expected = metrics_of(
        found.scores,
        listed.labels,
        enrolment_speakers=[corpus[name].speaker for name in listed.enrolments],
        test_speakers=[corpus[name].speaker for name in listed.tests],
        resamples=5,
        seed=2,
    )
    assert found.evaluation.figures == expected.figures
    assert (found.enrolments, found.tests, found.llrs, found.folder) == (listed.enrolments, listed.tests, None, None)
    np.testing.assert_array_equal(found.labels, listed.labels)
    assert found.report.trials.name == "test.txt"
    assert len(found.report.worst) == 20
    whole = len(listed.utterances)
    assert told == [
        *(("embedding", i + 1, whole) for i in range(whole)),
        ("test.txt, plain: 5 resamples of the speakers", 0, 0),
    ]


def test_evaluate__takes_models_lists_and_corpora_as_objects(tiny_run, voices):
    trials = voices / "trials" / "test.txt"
    model, corpus, listed = load(tiny_run), read_corpus(voices), read_trials(trials)
    found = evaluate(model, listed, corpus, resamples=0)
    same = evaluate(tiny_run, trials, voices, resamples=0)
    np.testing.assert_array_equal(found.scores, same.scores)
    assert found.evaluation == same.evaluation
    assert (found.report.scoring.name, same.report.scoring.name) == ("HAM-Softmax", "tiny")
    with pytest.raises(InputError, match="names no corpus: give the corpus of the trials"):
        evaluate(model, listed)
    with pytest.raises(UnknownNameError, match="as_norm"):
        evaluate("nowhere", listed, back_end="asnorm")
