"""Wrong labels and the channel are found by embeddings, and right labels are left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from made_up_embeddings import SPACES, gaussian_speakers, relabelled, with_raw, with_sessions

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.causes.labels import OF_LABELS
from curvox.diagnosis.diagnosing import label_checks
from curvox.diagnosis.findings import Checked


def _found(checked: Checked) -> dict[str, str]:
    return {finding.cause: finding.severity for finding in checked.findings}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("speakers", "recordings", "dim", "within"),
    [(24, 8, 32, 0.4), (12, 20, 16, 0.6), (60, 6, 64, 0.7), (40, 3, 16, 0.5), (30, 8, 8, 0.2)],
)
def test_right_labels__have_no_finding(name: str, speakers: int, recordings: int, dim: int, within: float) -> None:
    for seed in range(2):
        items = gaussian_speakers(
            seed=seed, speakers=speakers, recordings=recordings, dim=dim, within=within, space=SPACES[name]
        )
        for version in (items, with_sessions(items, shift=0.1)):
            assert not [s for s in _found(label_checks(version, version)).values() if s != "note"]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("sessions", [0, 2])
def test_split_speakers__are_found_and_named(name: str, sessions: int) -> None:
    for seed in range(2):
        items = gaussian_speakers(seed=seed, space=SPACES[name])
        if sessions:
            items = with_sessions(items, sessions=sessions, shift=0.2)
        number = items.speakers.clone()
        for first in (0, 4, 8):
            number[number == first + 1] = first
        found = label_checks(relabelled(items, number))
        assert _found(found) == {"split_speakers": "warning"}
        assert set(found.findings[0].where.split(", ")) == {"speaker 0", "speaker 4", "speaker 8"}


def test_split_speakers__one_of_very_many_is_a_note() -> None:
    items = gaussian_speakers(speakers=60)
    number = items.speakers.clone()
    number[number == 1] = 0
    assert _found(label_checks(relabelled(items, number))) == {"split_speakers": "note"}


def test_split_speakers__whose_voices_have_sessions_of_their_own_are_found_where_they_are_few() -> None:
    items = gaussian_speakers()
    number, session = items.speakers.clone(), items.speakers % 2
    number[number == 1] = 0
    number[number == 5] = 4
    number[number == 9] = 8
    checked = label_checks(replace(relabelled(items, number), sessions=session))
    assert _found(checked) == {"split_speakers": "warning"}


def test_sessions_that_lie_apart_for_everybody__are_the_channel_and_no_split() -> None:
    items = with_sessions(gaussian_speakers(within=0.3, recordings=12), sessions=6, shift=1.3)
    found = _found(label_checks(items))
    assert "split_speakers" not in found


@pytest.mark.parametrize("name", SPACES)
def test_merged_speakers__are_found_and_named(name: str) -> None:
    for seed in range(2):
        items = gaussian_speakers(seed=seed, recordings=10, space=SPACES[name])
        number = items.speakers.clone()
        for speaker, new in ((2, 24), (7, 25), (11, 26)):
            rows = torch.nonzero(number == speaker)[:, 0]
            number[rows[::2]] = new
        found = label_checks(relabelled(items, number))
        assert _found(found) == {"merged_speakers": "warning"}
        named = set(found.findings[0].where.split(", "))
        wanted = {f"speaker {number}" for number in (2, 24, 7, 25, 11, 26)}
        assert len(named & wanted) >= 4
        assert named <= wanted


@pytest.mark.parametrize("name", SPACES)
def test_channel_shortcut__is_found_where_sessions_lie_farther_apart_than_speakers(name: str) -> None:
    for seed in range(2):
        trained = gaussian_speakers(seed=seed, space=SPACES[name])
        raw = gaussian_speakers(seed=50 + seed, within=0.3, space=SPACES[name])
        dev = with_sessions(with_raw(raw, 0.5 * raw.raw), sessions=2, shift=1.5, seed=seed)
        checked = label_checks(trained, dev)
        assert _found(checked) == {"channel_shortcut": "warning"}
        # Of the training recordings nothing is known about sessions.
        assert "channel_shortcut" in label_checks(trained).not_checked[0].cause


def test_channel_shortcut__names_the_rate_within_one_channel() -> None:
    trained, dev = gaussian_speakers(), gaussian_speakers(seed=1, within=0.3)
    dev = with_sessions(with_raw(dev, 0.5 * dev.raw), shift=1.5)
    checked = label_checks(trained, replace(dev, channels=dev.sessions))
    assert any("one channel" in evidence.measure for evidence in checked.findings[0].evidence)


def test_channel_shortcut__needs_speakers_with_two_sessions() -> None:
    items = gaussian_speakers()
    one_each = replace(items, sessions=torch.zeros(len(items.raw), dtype=torch.int64))
    assert "channel_shortcut" in {gap.cause for gap in label_checks(one_each, items).not_checked}


def test_embeddings_that_know_no_speakers__judge_no_labels() -> None:
    items = gaussian_speakers(within=4.0)
    checked = label_checks(items, items)
    assert not checked.causes
    assert {gap.cause for gap in checked.not_checked} == set(OF_LABELS)
    assert all("do not tell speakers apart yet" in gap.why for gap in checked.not_checked)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (gaussian_speakers(speakers=2, recordings=1), "at least 8 recordings"),
        (gaussian_speakers(speakers=40, recordings=1), "two recordings of a speaker"),
        (gaussian_speakers(speakers=1, recordings=40), "2 speakers"),
        (with_raw(gaussian_speakers(), torch.full((192, 32), float("inf"))), "not finite"),
    ],
)
def test_what_cannot_be_judged__is_said_with_the_reason(items: EmbeddedSet, why: str) -> None:
    checked = label_checks(items, items)
    assert not checked.causes
    assert all(why in gap.why for gap in checked.not_checked)


def test_two_speakers_and_one_dimension__are_judged_without_error() -> None:
    tiny: list[dict[str, Any]] = [{"speakers": 2, "recordings": 4}, {"dim": 1}, {"speakers": 5, "recordings": 2}]
    for sizes in tiny:
        checked = label_checks(gaussian_speakers(within=0.01, **sizes))
        assert len(checked.causes) + len(checked.not_checked) == len(OF_LABELS)
