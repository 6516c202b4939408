"""Which trials are the worst, against plain loops."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance
from curvox.errors import InputError
from curvox.evaluating.trial_parts import worst_trials

NAMES = ("a1", "a2", "a3", "b1", "b2", "c1")
CORPUS = Corpus(
    Path("nowhere"),
    tuple(
        Utterance(utterance=name, path=f"{name}.wav", speaker=name[0], gender="f", channel="cell", duration_s=2.04)
        for name in NAMES
    ),
    "letters",
)
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=30)


def listed(pairs):
    enrolments, tests = zip(*pairs, strict=True)
    return TrialList(enrolments, tests, np.array([a[0] == b[0] for a, b in pairs]))


@given(PAIRS, st.data(), st.integers(1, 4))
def test_worst_trials__are_those_a_plain_loop_finds(pairs, data, count):
    scores = data.draw(st.lists(st.integers(-3, 3), min_size=len(pairs), max_size=len(pairs)))
    expected = []
    for target in (False, True):
        rows = [i for i, (a, b) in enumerate(pairs) if (a[0] == b[0]) == target]
        seen = []
        for i in sorted(rows, key=lambda i: scores[i] if target else -scores[i]):
            if len(seen) < count and set(pairs[i]) not in seen:
                seen.append(set(pairs[i]))
                expected.append((*pairs[i], target, float(scores[i]), target != (scores[i] >= 0)))
    found = worst_trials(listed(pairs), scores, CORPUS, threshold=0, count=count)
    assert [(w.enrolment.utterance, w.test.utterance, w.target, w.score, w.wrong) for w in found] == expected


def test_worst_trials__name_speakers_and_what_the_manifest_knows():
    (worst,) = worst_trials(listed([("a1", "b1")]), [1.5], CORPUS, threshold=2.0)
    assert worst.enrolment.speaker == "a"
    assert worst.test.facts == {"gender": "f", "channel": "cell", "duration": "2.0 s"}
    assert not worst.wrong


def test_worst_trials__show_a_model_by_its_first_recording():
    trials = TrialList(("model",), ("b1",), np.array([False]))
    models = EnrolmentMap({"model": ("a2", "a1")})
    (worst,) = worst_trials(trials, [1.0], CORPUS, threshold=0.0, enrolments=models)
    assert worst.enrolment.utterance == "a2"


def test_worst_trials__refuse_trials_without_labels_and_missing_scores():
    trials = listed([("a1", "b1"), ("a1", "a2")])
    with pytest.raises(InputError, match="expected 2 labelled trials"):
        worst_trials(trials, [1.0], CORPUS, threshold=0)
    with pytest.raises(InputError, match="labelled"):
        worst_trials(replace(trials, labels=None), [1.0, 2.0], CORPUS, threshold=0)
