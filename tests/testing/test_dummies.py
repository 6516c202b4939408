"""Dummies of published corpora: the same each time, small, and readable as recordings of several voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curvox.audio import read_audio, read_audio_info
from curvox.testing.dummies import DUMMIES, speech_like

EVERY = pytest.mark.parametrize("name", DUMMIES)


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@EVERY
def test_dummy__is_the_same_each_time(name: str, tmp_path: Path) -> None:
    first, second = (DUMMIES.load(name)(tmp_path / place) for place in ("first", "second"))
    assert files_of(first) == files_of(second)


@EVERY
def test_dummy__is_a_few_seconds_of_recordings_that_pass_every_check_of_a_waveform(name: str, tmp_path: Path) -> None:
    folder = DUMMIES.load(name)(tmp_path / name)
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".wav", ".flac")]
    assert sum(read_audio_info(path).duration_s for path in paths) < 20
    for path in paths:
        assert np.abs(read_audio(path)).max() > 0.1


def test_speech_like__depends_on_speaker_and_take_alone() -> None:
    sound = speech_like("ada", "1")
    np.testing.assert_array_equal(sound, speech_like("ada", "1"))
    assert not np.array_equal(sound, speech_like("ada", "2"))
    assert not np.array_equal(sound, speech_like("bela", "1"))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_speech_like__has_the_length_and_range_asked_for(rate_hz: int) -> None:
    sound = speech_like("ada", "1", seconds=0.5, sampling_rate_hz=rate_hz)
    assert sound.shape == (rate_hz // 2,)
    assert 0.1 < np.abs(sound).max() <= 1
    # A voice, not a hiss: most of the energy lies below 4 kHz.
    power = np.abs(np.fft.rfft(sound)) ** 2
    assert power[: int(4000 * 0.5)].sum() > 0.8 * power.sum()
