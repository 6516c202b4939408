"""Every kind of bad recording is refused by its own message, which names the file."""

import os

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.audio import check_waveform, read_audio, read_audio_info
from curvox.audio.reading.containers import ogg_checksum
from curvox.errors import AudioError

RATE_HZ = 16000
NOISE = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE_HZ)
CODINGS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "rf64.wav": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a whole recording in each coding."""
    folder = tmp_path_factory.mktemp("whole")
    contents = {}
    for suffix, (container, coding) in CODINGS.items():
        path = folder / f"whole.{suffix}"
        soundfile.write(path, NOISE, RATE_HZ, format=container, subtype=coding)
        contents[suffix] = path.read_bytes()
    return contents


def refusal(path, **segment):
    with pytest.raises(AudioError) as caught:
        read_audio(path, **segment)
    message = str(caught.value)
    assert str(path) in message
    return message


def written(path, samples, rate_hz=RATE_HZ, coding="FLOAT"):
    soundfile.write(path, samples, rate_hz, subtype=coding)
    return path


def test_missing_file__is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nobody.wav")


def test_folder__is_refused(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_pipe__is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe or a device" in refusal(tmp_path / "pipe.wav")


def test_file_that_cannot_be_opened__is_refused(tmp_path):
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    assert "cannot be opened" in refusal(tmp_path / "loop.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission__is_refused(tmp_path):
    path = written(tmp_path / "secret.wav", NOISE)
    path.chmod(0)
    assert "permissions" in refusal(path)


@pytest.mark.parametrize("suffix", CODINGS)
def test_zero_bytes__are_refused(tmp_path, suffix):
    path = tmp_path / f"empty.{suffix}"
    path.touch()
    assert "is empty (0 bytes)" in refusal(path)


def test_header_without_samples__is_refused(tmp_path, whole):
    assert "no samples" in refusal(written(tmp_path / "none.wav", NOISE[:0]))
    path = tmp_path / "cut.wav"
    path.write_bytes(whole["wav"][:44])
    message = refusal(path)
    assert "no samples" in message
    assert "promises 64000 bytes" in message


@pytest.mark.parametrize("suffix", CODINGS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_truncated_file__is_refused(tmp_path, whole, suffix, kept):
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[suffix][: int(kept * len(whole[suffix]))])
    message = refusal(path)
    assert "truncated" in message or "cut off" in message


@settings(max_examples=60, deadline=None)
@given(suffix=st.sampled_from(sorted(CODINGS)), kept=st.floats(0.0, 0.98))
def test_truncated_file__is_refused_wherever_it_is_cut(tmp_path_factory, whole, suffix, kept):
    path = tmp_path_factory.getbasetemp() / f"cut-anywhere.{suffix}"
    path.write_bytes(whole[suffix][: int(kept * len(whole[suffix]))])
    refusal(path)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_ogg_without_its_last_page__is_refused(tmp_path, whole, suffix):
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[suffix][: whole[suffix].rindex(b"OggS")])
    assert "does not carry the end-of-stream flag" in refusal(path)
    with pytest.raises(AudioError, match="end-of-stream"):
        read_audio_info(path)


def test_flac_of_unstated_length__is_refused(tmp_path, whole):
    content = bytearray(whole["flac"])
    content[21] &= 0xF0  # the 36 bits of the number of samples in STREAMINFO
    content[22:26] = bytes(4)
    path = tmp_path / "piped.flac"
    path.write_bytes(content)
    assert "does not state its length" in refusal(path)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_ogg_without_a_page_in_the_middle__is_refused(tmp_path, suffix):
    path = tmp_path / f"gap.{suffix}"
    soundfile.write(path, np.tile(NOISE, 3), RATE_HZ, CODINGS[suffix][1], format="OGG")
    pages = path.read_bytes().split(b"OggS")
    del pages[-3]
    path.write_bytes(b"OggS".join(pages))
    assert "an Ogg page is missing" in refusal(path)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus", "mp3"])
def test_damage_in_the_middle__is_refused(tmp_path, whole, suffix):
    content = bytearray(whole[suffix])
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3", "txt", "raw"])
def test_text_named_as_audio__is_refused(tmp_path, suffix):
    path = tmp_path / f"notes.{suffix}"
    path.write_text("Dear diary, today I recorded nobody.\n" * 100)
    message = refusal(path)
    assert "it is text that begins 'Dear diary" in message
    assert "expected WAV, FLAC" in message


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
def test_random_bytes__are_refused(tmp_path, suffix):
    path = tmp_path / f"random.{suffix}"
    path.write_bytes(np.random.default_rng(3).bytes(20000))
    assert "its first bytes are" in refusal(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypM4A ", "MP4 or M4A"),
        (b"\x1aE\xdf\xa3\x01", "WebM"),
        (b"#!AMR\n", "AMR"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\xff\xfb\x90\x00", "begins like an MP3 file"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "begins like a RIFF file"),
    ],
)
def test_foreign_file__is_named(tmp_path, head, name):
    path = tmp_path / "foreign.wav"
    path.write_bytes(head + b"\0" * 40)
    assert name in refusal(path)


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_constant_recording__is_refused_as_silent(tmp_path, level):
    assert "silent" in refusal(written(tmp_path / "silent.wav", np.full(RATE_HZ, level), coding="PCM_16"))


def test_silence_at_another_rate__is_refused_as_silent(tmp_path):
    assert "silent" in refusal(written(tmp_path / "silent.wav", np.zeros(44100), 44100))


def test_channels_that_cancel__are_named_as_the_reason(tmp_path):
    message = refusal(written(tmp_path / "antiphase.wav", np.stack([NOISE, -NOISE], axis=1)))
    assert "they cancel" in message
    assert "silent" in refusal(written(tmp_path / "silent.wav", np.zeros((RATE_HZ, 2))))
    assert "they cancel" not in refusal(tmp_path / "silent.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_samples_that_are_no_numbers__are_refused(tmp_path, value, rate_hz):
    samples = NOISE.copy()
    samples[[1234, 5000]] = value
    message = refusal(written(tmp_path / "nan.wav", samples, rate_hz))
    assert "2 samples that are NaN or infinite, the first at sample 1234" in message


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 48000])
def test_ten_milliseconds__are_refused_as_too_short(tmp_path, rate_hz):
    message = refusal(written(tmp_path / "short.wav", NOISE[: rate_hz // 100], rate_hz))
    assert "too short" in message
    assert "10.0 ms" in message


def test_one_frame__is_long_enough(tmp_path):
    assert read_audio(written(tmp_path / "frame.wav", NOISE[:400])).shape == (400,)
    assert "too short" in refusal(written(tmp_path / "less.wav", NOISE[:399]))


def test_samples_scaled_as_integers__are_refused(tmp_path):
    assert "scaled as integers" in refusal(written(tmp_path / "large.wav", NOISE * 32768))


@pytest.mark.parametrize("rate_hz", [1, 999])
def test_impossible_rate__is_refused(tmp_path, rate_hz):
    assert f"sampling rate of {rate_hz} Hz" in refusal(written(tmp_path / "slow.wav", NOISE, rate_hz))


@pytest.mark.parametrize(
    ("start_s", "duration_s", "expected"),
    [(2.0, None, "cannot start at 2 s"), (9.0, 0.5, "cannot start"), (1.5, 0.6, "cannot reach"), (0.0, 2.02, "2.02 s")],
)
def test_segment_outside_the_file__is_refused(tmp_path, start_s, duration_s, expected):
    path = written(tmp_path / "two-seconds.wav", NOISE)
    message = refusal(path, start_s=start_s, duration_s=duration_s)
    assert expected in message
    assert "lasts 2.000 s" in message


@pytest.mark.parametrize("segment", [{"start_s": -1.0}, {"start_s": float("nan")}, {"duration_s": 0.0}])
def test_segment_that_is_none__is_refused(tmp_path, segment):
    with pytest.raises(ValueError, match=next(iter(segment))):
        read_audio(written(tmp_path / "good.wav", NOISE), **segment)


def test_silent_segment__names_its_place(tmp_path):
    path = written(tmp_path / "pause.wav", np.concatenate([NOISE, np.zeros(RATE_HZ)]))
    assert "(from 2.2 s to 2.7 s) is silent" in refusal(path, start_s=2.2, duration_s=0.5)


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((2, 16000), np.float32), r"shape \(2, 16000\)"),
        (np.ones(16000, np.int16), "int16"),
        (np.full(16000, 0.5), "silent"),
        (NOISE[:100], "too short"),
        (np.where(np.arange(16000) == 7, np.nan, 0.1), "first at sample 7"),
    ],
)
def test_check_waveform__refuses_each_by_name(waveform, expected):
    with pytest.raises(AudioError, match=expected) as caught:
        check_waveform(waveform, RATE_HZ, "the waveform")
    assert str(caught.value).startswith("the waveform")


def test_check_waveform__accepts_speech_like_noise():
    check_waveform(NOISE, RATE_HZ, "noise")
    check_waveform(NOISE.astype(np.float32)[:400], RATE_HZ, "noise")


def test_ogg_checksum__matches_the_bitwise_definition():
    page = np.random.default_rng(5).bytes(300)
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder >> 31 else 0)) & 0xFFFFFFFF
    assert ogg_checksum(page) == remainder
