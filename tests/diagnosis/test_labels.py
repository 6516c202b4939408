"""Wrong labels and the channel are found by embeddings, and right labels are left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from made_up_embeddings import SPACES, gaussian_speakers, not_judged, relabelled, severities, with_raw, with_sessions

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.causes.labels import OF_LABELS
from curvox.diagnosis.diagnosing import label_checks


def _merged(items: EmbeddedSet, *labels: int) -> EmbeddedSet:
    """The same recordings, where each of these labels stands for the next speaker too."""
    number = items.speakers.clone()
    for label in labels:
        number[number == label + 1] = label
    return relabelled(items, number)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("speakers", "recordings", "dim", "within"),
    [(24, 8, 32, 0.4), (12, 20, 16, 0.6), (60, 6, 64, 0.7), (40, 3, 16, 0.5), (30, 8, 8, 0.2)],
)
def test_right_labels__have_no_finding(name: str, speakers: int, recordings: int, dim: int, within: float) -> None:
    space = SPACES[name]
    items = gaussian_speakers(seed=dim, speakers=speakers, recordings=recordings, dim=dim, within=within, space=space)
    for version in (items, with_sessions(items, shift=0.1)):
        assert set(severities(label_checks(version)).values()) <= {"note"}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("sessions", [0, 2])
def test_split_speakers__are_found_and_named(name: str, sessions: int) -> None:
    items = gaussian_speakers(seed=1, space=SPACES[name])
    if sessions:
        items = with_sessions(items, sessions=sessions, shift=0.2)
    found = label_checks(_merged(items, 0, 4, 8))
    assert severities(found) == {"split_speakers": "warning"}
    assert set(found.findings[0].where.split(", ")) == {"speaker 0", "speaker 4", "speaker 8"}


def test_split_speakers__one_of_very_many_is_a_note() -> None:
    assert severities(label_checks(_merged(gaussian_speakers(speakers=60), 0))) == {"split_speakers": "note"}


def test_split_speakers__whose_voices_have_sessions_of_their_own_are_found_where_they_are_few() -> None:
    items = gaussian_speakers()
    checked = label_checks(replace(_merged(items, 0, 4, 8), sessions=items.speakers % 2))
    assert severities(checked) == {"split_speakers": "warning"}


def test_sessions_that_lie_apart_for_everybody__are_the_channel_and_no_split() -> None:
    items = with_sessions(gaussian_speakers(within=0.3, recordings=12), sessions=6, shift=1.3)
    assert "split_speakers" not in severities(label_checks(items))


@pytest.mark.parametrize("name", SPACES)
def test_merged_speakers__are_found_and_named(name: str) -> None:
    items = gaussian_speakers(seed=1, recordings=10, space=SPACES[name])
    number = items.speakers.clone()
    for speaker, new in ((2, 24), (7, 25), (11, 26)):
        rows = torch.nonzero(number == speaker)[:, 0]
        number[rows[::2]] = new
    found = label_checks(relabelled(items, number))
    assert severities(found) == {"merged_speakers": "warning"}
    named = set(found.findings[0].where.split(", "))
    assert len(named) >= 4
    assert named <= {f"speaker {number}" for number in (2, 24, 7, 25, 11, 26)}


@pytest.mark.parametrize("name", SPACES)
def test_channel_shortcut__is_found_where_sessions_lie_farther_apart_than_speakers(name: str) -> None:
    trained, raw = (gaussian_speakers(seed=seed, within=w, space=SPACES[name]) for seed, w in ((1, 0.4), (51, 0.3)))
    dev = with_sessions(with_raw(raw, 0.5 * raw.raw), sessions=2, shift=1.5, seed=1)
    assert severities(label_checks(trained, dev)) == {"channel_shortcut": "warning"}
    # Of the training recordings nothing is known about sessions.
    assert "two sessions" in not_judged(label_checks(trained))["channel_shortcut"]
    (finding,) = label_checks(trained, replace(dev, channels=dev.sessions)).findings
    assert any("one channel" in evidence.measure for evidence in finding.evidence)


def test_channel_shortcut__needs_speakers_with_two_sessions() -> None:
    items = gaussian_speakers()
    one_each = replace(items, sessions=torch.zeros(len(items.raw), dtype=torch.int64))
    assert "channel_shortcut" in not_judged(label_checks(one_each, items))


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (gaussian_speakers(within=4.0), "do not tell speakers apart yet"),
        (gaussian_speakers(speakers=40, recordings=1), "two recordings of a speaker"),
    ],
)
def test_embeddings_that_know_no_speakers__judge_no_labels(items: EmbeddedSet, why: str) -> None:
    checked = label_checks(items, items)
    assert not checked.causes
    assert not_judged(checked).keys() == set(OF_LABELS)
    assert all(why in told for told in not_judged(checked).values())


def test_two_speakers_and_one_dimension__are_judged_without_error() -> None:
    tiny: list[dict[str, Any]] = [{"speakers": 2, "recordings": 4}, {"dim": 1}, {"speakers": 5, "recordings": 2}]
    for sizes in tiny:
        checked = label_checks(gaussian_speakers(within=0.01, **sizes))
        assert len(checked.causes) + len(checked.not_checked) == len(OF_LABELS)
