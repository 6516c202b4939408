"""Good recordings, written by soundfile in every format, come back as the samples that went in."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.audio import AUDIO_SUFFIXES, AudioInfo, read_audio, read_audio_info
from curvox.errors import AudioError, InputError

# suffix, container, coding, sampling rates it can hold, largest error of a coded sine
CODINGS = [
    ("wav", "WAV", "PCM_16", (8000, 11025, 16000, 44100, 48000), 1e-4),
    ("wav", "WAV", "PCM_24", (16000, 44100), 1e-6),
    ("wav", "WAV", "FLOAT", (16000, 44100), 1e-7),
    ("wav", "WAVEX", "PCM_16", (16000,), 1e-4),
    ("wav", "WAV", "ULAW", (8000,), 0.02),
    ("flac", "FLAC", "PCM_16", (8000, 11025, 44100, 48000), 1e-4),
    ("ogg", "OGG", "VORBIS", (8000, 11025, 44100, 48000), 0.06),
    ("opus", "OGG", "OPUS", (8000, 48000), 0.06),
    ("mp3", "MP3", "MPEG_LAYER_III", (8000, 11025, 44100, 48000), 0.06),
]
CASES = [
    pytest.param(suffix, container, coding, rate, error, id=f"{container}-{coding}-{rate}")
    for suffix, container, coding, rates, error in CODINGS
    for rate in rates
]


def sine(rate_hz, duration_s=1.0, frequency_hz=440.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate_hz * duration_s)) / rate_hz)


@pytest.fixture
def write(tmp_path):
    def write(samples, rate_hz, suffix="wav", container="WAV", coding="FLOAT"):
        path = tmp_path / f"recording.{suffix}"
        soundfile.write(path, samples, rate_hz, format=container, subtype=coding)
        return path

    return write


@pytest.mark.parametrize(("suffix", "container", "coding", "rate", "error"), CASES)
def test_read_audio__returns_what_was_written(write, suffix, container, coding, rate, error):
    path = write(sine(rate), rate, suffix, container, coding)
    read = read_audio(path, sampling_rate_hz=rate)
    assert read.dtype == np.float32
    assert read.shape == (rate,)
    middle = slice(rate // 8, -rate // 8)  # lossy codecs fade in and out
    np.testing.assert_allclose(read[middle], sine(rate)[middle], atol=error)


@pytest.mark.parametrize(("suffix", "container", "coding", "rate", "error"), CASES)
def test_read_audio__resamples_to_the_sine_sampled_anew(write, suffix, container, coding, rate, error):
    path = write(sine(rate), rate, suffix, container, coding)
    read = read_audio(path)
    assert abs(len(read) - 16000) <= 1
    np.testing.assert_allclose(read[2000:14000], sine(16000)[2000:14000], atol=error + 2e-4)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(("suffix", "container", "coding"), [("wav", "WAV", "FLOAT"), ("flac", "FLAC", "PCM_24")])
def test_read_audio__averages_the_channels(write, channels, suffix, container, coding):
    samples = np.stack([sine(16000, frequency_hz=200 * (k + 1)) / (k + 1) for k in range(channels)], axis=1)
    read = read_audio(write(samples, 16000, suffix, container, coding))
    np.testing.assert_allclose(read, sum(samples[:, k] for k in range(channels)) / channels, atol=1e-6)


def test_read_audio__removes_what_the_lower_rate_cannot_hold(write):
    path = write(sine(48000) + sine(48000, frequency_hz=11000), 48000)
    np.testing.assert_allclose(read_audio(path)[2000:14000], sine(16000)[2000:14000], atol=1e-3)


@pytest.mark.parametrize(
    ("suffix", "container", "coding", "error"),
    [
        ("wav", "WAV", "PCM_16", 0),
        ("flac", "FLAC", "PCM_16", 0),
        ("ogg", "OGG", "VORBIS", 1e-5),
        ("opus", "OGG", "OPUS", 1e-5),
        ("mp3", "MP3", "MPEG_LAYER_III", 1e-5),
    ],
)
def test_read_audio__segment_is_a_slice_of_the_whole(write, suffix, container, coding, error):
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * 16000)
    path = write(noise, 16000, suffix, container, coding)
    whole = read_audio(path)
    segment = read_audio(path, start_s=1.25, duration_s=0.5)
    np.testing.assert_allclose(segment, whole[20000:28000], atol=error)
    np.testing.assert_allclose(read_audio(path, start_s=2.0), whole[32000:], atol=error)


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 31000), length=st.integers(400, 32000))
def test_read_audio__any_segment_is_a_slice_or_refused(tmp_path_factory, start, length):
    path = tmp_path_factory.getbasetemp() / "segments.wav"
    whole = 0.1 * np.random.default_rng(1).standard_normal(32000)
    soundfile.write(path, whole, 16000, subtype="FLOAT")
    if start + length > 32000 + 160:
        with pytest.raises(AudioError, match="cannot reach"):
            read_audio(path, start_s=start / 16000, duration_s=length / 16000)
    else:
        segment = read_audio(path, start_s=start / 16000, duration_s=length / 16000)
        np.testing.assert_array_equal(segment, whole[start : start + length].astype(np.float32))


def test_read_audio__accepts_wav_written_to_a_pipe(write):
    path = write(sine(16000), 16000, coding="PCM_16")
    content = bytearray(path.read_bytes())
    for unknown in (0xFFFFFFFF, 0x7FFFF000):
        content[4:8] = content[40:44] = unknown.to_bytes(4, "little")
        path.write_bytes(content)
        assert read_audio(path).shape == (16000,)


def test_read_audio__content_decides_not_the_suffix(write):
    path = write(sine(16000), 16000, "mp3", "FLAC", "PCM_16")
    assert read_audio(path).shape == (16000,)


@pytest.mark.parametrize("rate", [0, -16000, True])
def test_read_audio__refuses_a_rate_that_is_none(write, rate):
    with pytest.raises(InputError, match="sampling_rate_hz"):
        read_audio(write(sine(16000), 16000), sampling_rate_hz=rate)


@pytest.mark.parametrize(("suffix", "container", "coding", "rate", "error"), CASES)
def test_read_audio_info__states_the_header(write, suffix, container, coding, rate, error):
    samples = np.stack([sine(rate, 0.4)] * 2, axis=1)
    info = read_audio_info(write(samples, rate, suffix, container, coding))
    assert info == AudioInfo(0.4, rate, 2, f"{container}/{coding}")


def test_audio_suffixes__are_lower_case_with_a_dot():
    assert {".wav", ".flac", ".ogg", ".opus", ".mp3"} <= AUDIO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)


def test_audio__is_read_without_importing_torch():
    code = "import sys, curvox.audio as a; a.read_audio, a.WaveformStore; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_audio__offers_everything_it_lists():
    import curvox.audio

    for name in curvox.audio.__all__:
        assert getattr(curvox.audio, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = curvox.audio.nothing_like_it
