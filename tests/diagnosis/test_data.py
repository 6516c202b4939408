"""Faults of recordings are found by what is known of them without a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_embeddings import not_judged, severities

from curvox.audio import RecordingQuality
from curvox.diagnosis import RecordingFacts
from curvox.diagnosis.causes.data import OF_RECORDINGS, check_recordings

_SOUND = RecordingQuality(2.0, 1.6, 0.2, 25.0, 7000.0, 0.0, 16000)
_SILENT = replace(_SOUND, speech_s=0.0, silence_share=1.0)
_CLIPPED = replace(_SOUND, clipped_share=0.1)


def _facts(counts: list[int], *, dev: int = 20, sessions: int = 3) -> RecordingFacts:
    """Training speakers with these numbers of recordings, and ``dev`` recordings of five others."""
    speakers = [f"train-{s}" for s, count in enumerate(counts) for _ in range(count)]
    speakers += [f"dev-{i % 5}" for i in range(dev)]
    total = len(speakers)
    return RecordingFacts(
        names=tuple(f"recording-{row}" for row in range(total)),
        speakers=tuple(speakers),
        sessions=tuple(str(row % sessions) for row in range(total)),
        splits=tuple("train" if speaker.startswith("train") else "dev" for speaker in speakers),
        durations_s=np.full(total, 2.0),
        digests=tuple(f"digest-{row}" for row in range(total)),
        quality=(_SOUND,) * total,
    )


def _found(facts: RecordingFacts) -> dict[str, str]:
    return severities(check_recordings(facts))


def _replaced(facts: RecordingFacts, share: float, quality: RecordingQuality) -> RecordingFacts:
    bad = round(share * len(facts.names))
    return replace(facts, quality=(quality,) * bad + facts.quality[bad:])


def _copied(facts: RecordingFacts, pairs: list[tuple[int, int]]) -> RecordingFacts:
    digests = list(facts.digests)
    for source, copy in pairs:
        digests[copy] = digests[source]
    return replace(facts, digests=tuple(digests))


@pytest.mark.parametrize("counts", [[12] * 40, [8] * 16, [100] * 5, [4, 6, 8, 10] * 20])
def test_sound_recordings__have_no_finding(counts: list[int]) -> None:
    checked = check_recordings(_facts(counts))
    assert checked.findings == ()
    assert checked.causes == OF_RECORDINGS


@pytest.mark.parametrize(
    ("bad", "share", "severity"),
    [(_SILENT, 0.002, None), (_SILENT, 0.02, "note"), (_SILENT, 0.2, "warning"), (_SILENT, 0.6, "failure"),
     (_CLIPPED, 0.05, "note"), (_CLIPPED, 0.4, "warning"), (_CLIPPED, 1.0, "warning")],
)  # fmt: skip
def test_silence_and_clipping__weigh_by_their_share(bad: RecordingQuality, share: float, severity: str | None) -> None:
    cause = "silent_recordings" if bad is _SILENT else "clipped_recordings"
    assert _found(_replaced(_facts([12] * 40), share, bad)) == ({} if severity is None else {cause: severity})


def test_a_steady_sound_over_the_speech__is_not_silence() -> None:
    facts = _replaced(_facts([12] * 40), 0.4, _SILENT)
    loud, quiet = np.full(500, -20.0), np.full(500, -np.inf)
    assert _found(replace(facts, levels_db=loud)) == {}
    assert _found(replace(facts, levels_db=quiet)) == {"silent_recordings": "warning"}
    cut_off = replace(_SILENT, clipped_share=0.3)
    assert _found(_replaced(facts, 0.4, cut_off)) == {"clipped_recordings": "warning"}


def test_what_was_not_measured__is_not_judged() -> None:
    facts = _facts([12] * 40)
    count = len(facts.names)
    some = replace(facts, quality=(_SILENT, _SOUND) + (None,) * (count - 2))
    assert _found(some) == {"silent_recordings": "failure"}
    nothing = not_judged(check_recordings(replace(facts, quality=(None,) * count, digests=("",) * count)))
    assert nothing.keys() == {"silent_recordings", "clipped_recordings", "duplicate_recordings"}
    empty = RecordingFacts((), (), (), (), np.zeros(0), (), ())
    assert not_judged(check_recordings(empty)).keys() == set(OF_RECORDINGS)
    assert "speaker_imbalance" in not_judged(check_recordings(_facts([2, 2], dev=0)))


def test_copies__of_one_speaker_are_a_note_and_many_of_them_a_warning() -> None:
    many = [(12 * s, 12 * s + 1 + k) for s in range(40) for k in range(3)]
    for places, severity in (([(0, 1)], "note"), (many, "warning")):
        assert _found(_copied(_facts([12] * 40), places)) == {"duplicate_recordings": severity}


@pytest.mark.parametrize("places", [[(0, 100), (1, 200), (2, 300)], [(0, 485), (1, 486), (2, 487)]])
def test_copies__of_two_speakers_or_splits_are_a_warning_soon(places: list[tuple[int, int]]) -> None:
    checked = check_recordings(_copied(_facts([12] * 40), places))
    assert severities(checked) == {"duplicate_recordings": "warning"}
    assert checked.findings[0].evidence[0].value == pytest.approx(3 / 500)
    assert "recording-0 = recording-" in checked.findings[0].where


def test_copies__of_silence_are_silence() -> None:
    facts = _copied(_replaced(_facts([12] * 40), 0.2, _SILENT), [(0, row) for row in range(1, 100)])
    assert _found(facts) == {"silent_recordings": "warning"}


@pytest.mark.parametrize(("single", "severity"), [(0, None), (20, "note"), (38, "warning")])
def test_few_recordings__weigh_by_the_speakers_that_have_one(single: int, severity: str | None) -> None:
    found = _found(_facts([1] * single + [5] * (40 - single)))
    assert found.get("few_recordings") == severity


def test_one_session_each__is_to_be_known_where_sessions_have_names() -> None:
    facts = _facts([12] * 40, sessions=1)
    assert _found(facts) == {"few_recordings": "note"}
    assert _found(replace(facts, sessions=("",) * len(facts.names))) == {}


# One speaker has 60 %, five have nine tenths, and so on.
@pytest.mark.parametrize("counts", [[180] + [8] * 15, [90] * 5 + [2] * 27, [100] * 4 + [3] * 50, [12] * 4 + [2] * 36])
def test_speaker_imbalance__is_found_where_few_fill_the_batches(counts: list[int]) -> None:
    assert _found(_facts(counts))["speaker_imbalance"] == "warning"


def test_speaker_imbalance__of_a_large_corpus_is_a_note() -> None:
    # as the train split of openvoices: a tenth of the speakers has most, and there are 136 effective speakers
    found = _found(_facts([100] * 43 + [10] * 110 + [30] * 10 + [3] * 60 + [1] * 270))
    assert found == {"speaker_imbalance": "note", "few_recordings": "note"}


def test_numbers__are_those_of_the_training_split() -> None:
    facts = _facts([12] * 40, dev=5)  # five dev speakers with one recording each
    assert _found(facts) == {}
    renamed = replace(facts, splits=tuple({"train": "mine", "dev": "other"}[split] for split in facts.splits))
    assert _found(renamed) == {}
