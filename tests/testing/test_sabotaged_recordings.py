"""Each sabotage of recordings does what it is called."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sabotage.recordings import (
    Preparation,
    at_most,
    clipped,
    copies,
    divided_labels,
    joined_labels,
    on_some,
    sessions_by_channel,
    silence,
)

from curvox.audio import WaveformStore
from curvox.training.prepared import PreparedData, Recordings


class Waves:
    """A store of noise, 24 recordings of 0.5 s."""

    sampling_rate_hz, failures = 16000, ()

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.waves = [rng.integers(-3000, 3000, 8000).astype(np.int16) for _ in range(24)]

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> np.ndarray:
        return self.waves[index]

    def samples(self, index: int) -> int:
        return len(self.waves[index])


@pytest.fixture
def data() -> PreparedData:
    """Four training speakers and two dev speakers with two sessions of two recordings each."""
    store: WaveformStore = Waves()  # pyright: ignore[reportAssignmentType]

    def items(first: int, speakers: int) -> Recordings:
        rows = np.arange(4 * speakers)
        names = tuple(f"s{first}-{i}" for i in range(speakers))
        return Recordings(store, first + rows, tuple(f"u{first + r}" for r in rows), rows // 4, names, rows // 2 % 2)

    pairs = np.array([0, 1, 2])
    return PreparedData(items(0, 4), items(16, 2), pairs, pairs + 3, np.array([True, False, False]), 0, ())


def waves(items: Recordings) -> list[np.ndarray]:
    return [items.waveform(item) for item in range(len(items.utterances))]


def test_silence__is_put_into_its_share_of_the_training_recordings_only(data: PreparedData) -> None:
    changed = on_some(silence, 0.25)(data)
    assert [bool(w.any()) for w in waves(changed.train)].count(False) == 4
    assert all(w.any() for w in waves(changed.dev))


def test_clipping__flattens_at_full_scale(data: PreparedData) -> None:
    loud = clipped(20.0)(data.train.store[0])
    assert np.mean(np.abs(loud.astype(int)) >= 32767) > 0.5


def test_copies__repeat_the_samples_of_other_recordings(data: PreparedData) -> None:
    digests = Counter(w.tobytes() for w in waves(copies(0.5, across=True)(data).train))
    assert len(digests) == 8


def test_at_most__leaves_so_many_of_each_speaker(data: PreparedData) -> None:
    counts = np.bincount(at_most(1, spared=1)(data).train.speakers)
    assert sorted(counts.tolist()) == [1, 1, 1, 4]
    assert len(at_most(2, speakers=3)(data).train.speaker_names) == 3


@pytest.mark.parametrize(("prepare", "speakers"), [(joined_labels(1), 3), (divided_labels(2), 6)])
def test_labels__are_joined_and_divided_and_the_recordings_stay(
    data: PreparedData, prepare: Preparation, speakers: int
) -> None:
    changed = prepare(data).train
    assert len(changed.speaker_names) == speakers == len(np.unique(changed.speakers))
    assert changed.utterances == data.train.utterances


def test_channels__differ_between_sessions_and_are_alike_within(data: PreparedData) -> None:
    changed = sessions_by_channel(depth_db=30.0, tone_db=0.0)(data)
    spectra = [np.abs(np.fft.rfft(w)) for w in waves(changed.train)]
    peaks = np.array([int(s.argmax()) for s in spectra])
    sessions = changed.train.speakers * 2 + changed.train.sessions
    assert all(len(set(peaks[sessions == session])) == 1 for session in range(8))
    assert len(set(peaks)) == 8
