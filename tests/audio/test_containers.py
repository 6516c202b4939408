"""What PyAV decodes has the samples, the length and the beginning of what was encoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream

from curvox.audio import read_audio, read_audio_info
from curvox.errors import AudioError
from curvox.testing.dummies import speech_like

RATE_HZ = 16000
SAMPLES = 20_011
SOUND = speech_like("ada", "take", seconds=2, sampling_rate_hz=RATE_HZ)[:SAMPLES]


def encoded(path: Path, coding: str, samples: np.ndarray = SOUND, rate_hz: int = RATE_HZ, **options: str) -> Path:
    """Write samples, (n,) or (n, 2), by FFmpeg's encoder of this name, in the container of the file's ending."""
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(str(path), "w", options=options) as file:
        stream = cast(AudioStream, file.add_stream(coding, rate=rate_hz, layout=layout))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.atleast_2d(samples.T), np.float32), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        size = stream.codec_context.frame_size or None
        to_format = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate_hz, frame_size=size)
        for piece in (*to_format.resample(frame), *to_format.resample(None)):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def shift_samples(original: np.ndarray, decoded: np.ndarray) -> int:
    """By how much the decoded sound is late, from the best correlation of the middle."""
    reach, middle = 1100, original[4000:12000]
    return max(range(-reach, reach), key=lambda k: float(middle @ decoded[4000 + k : 12000 + k]))


def test_m4a__the_delay_of_the_encoder_is_taken_off(tmp_path: Path) -> None:
    sound = read_audio(encoded(tmp_path / "a.m4a", "aac"))
    assert shift_samples(SOUND, sound) == 0
    assert 0 <= len(sound) - SAMPLES < RATE_HZ / 1000
    assert np.abs(sound[:18000] - SOUND[:18000]).max() < 0.05
    info = read_audio_info(tmp_path / "a.m4a")
    assert (info.sampling_rate_hz, info.channels, info.format) == (RATE_HZ, 1, "MP4/AAC")
    assert info.duration_s == len(sound) / RATE_HZ


@pytest.mark.parametrize(("name", "coding"), [("a.m4a", "alac"), ("a.webm", "libopus")])
def test_containers__that_state_the_delay_have_the_exact_length(tmp_path: Path, name: str, coding: str) -> None:
    sound = read_audio(encoded(tmp_path / name, coding))
    assert (len(sound), shift_samples(SOUND, sound)) == (SAMPLES, 0)


def test_aac__without_container_is_late_by_a_frame(tmp_path: Path) -> None:
    sound = read_audio(encoded(tmp_path / "a.aac", "aac"))
    assert shift_samples(SOUND, sound) == 1024
    assert SAMPLES + 1024 <= len(sound) <= SAMPLES + 1024 + 2048


def test_segment__is_cut_from_the_decoded_samples(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.m4a", "aac")
    part = read_audio(path, start_s=0.25, duration_s=0.5)
    np.testing.assert_array_equal(part, read_audio(path)[4000:12000])
    with pytest.raises(AudioError, match="cannot reach"):
        read_audio(path, start_s=1.0, duration_s=1.0)


def test_channels_and_rate__are_those_asked_for(tmp_path: Path) -> None:
    both = np.stack([SOUND, np.zeros_like(SOUND)], axis=1)
    path = encoded(tmp_path / "a.m4a", "alac", both)
    np.testing.assert_allclose(read_audio(path), SOUND / 2, atol=1e-4)
    assert abs(len(read_audio(path, sampling_rate_hz=8000)) - SAMPLES / 2) <= 1


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.8])
def test_truncated_container__is_refused(tmp_path: Path, kept: float) -> None:
    path = encoded(tmp_path / "a.m4a", "aac", movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: max(40, round(kept * len(data)))])
    with pytest.raises(AudioError, match="truncated or damaged"):
        read_audio(path)


def test_container__without_the_extra_is_refused_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encoded(tmp_path / "a.m4a", "aac")
    monkeypatch.setattr("curvox.audio.reading.files.can_decode", lambda: False)
    with pytest.raises(AudioError, match=r'it is an MP4 or M4A file .* with `pip install "curvox\[codecs\]"` it can'):
        read_audio(path)


def test_playlist__leads_to_no_other_file(tmp_path: Path) -> None:
    encoded(tmp_path / "a.m4a", "aac")
    (tmp_path / "b.m4a").write_text("ffconcat version 1.0\nfile a.m4a\n")
    with pytest.raises(AudioError, match="it is text"):
        read_audio(tmp_path / "b.m4a")
