"""A crop read where the recording lies has the same samples as the recording decoded whole."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curvox.audio import RecordingFiles, UnreachableError, WaveformStore, read_audio, to_int16
from curvox.audio.sources import remote
from curvox.audio.sources.crop_decoding import crop_of_bytes, crop_of_file
from curvox.errors import AudioError, InputError

RATE_HZ = 16000
KINDS = [
    ("a.wav", "WAV", "PCM_16", 16000),
    ("a.flac", "FLAC", "PCM_16", 16000),
    ("b.flac", "FLAC", "PCM_24", 16000),
    ("a.ogg", "OGG", "VORBIS", 16000),
    ("a.opus", "OGG", "OPUS", 16000),
    ("a.mp3", "MP3", "MPEG_LAYER_III", 16000),
    ("c.wav", "WAV", "FLOAT", 44100),
    ("c.opus", "OGG", "OPUS", 48000),
]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone that glides, in noise, 2 s in each format; the last in two channels."""
    folder = tmp_path_factory.mktemp("recordings")
    for number, (name, container, coding, rate_hz) in enumerate(KINDS):
        time_s = np.arange(2 * rate_hz + 77) / rate_hz
        noise = np.random.default_rng(number).standard_normal(len(time_s))
        sound = 0.3 * np.sin(2 * np.pi * (200 + 300 * time_s) * time_s) + 0.05 * noise
        soundfile.write(folder / name, np.stack([sound, 0.5 * sound], 1), rate_hz, coding, format=container)
    return folder


@pytest.mark.parametrize("name", [kind[0] for kind in KINDS])
def test_crop__equals_that_of_the_whole_recording(recordings: Path, name: str) -> None:
    path = recordings / name
    whole = to_int16(read_audio(path, sampling_rate_hz=RATE_HZ))
    content = path.read_bytes()
    for start, length in [(0, 1), (0, len(whole)), (12345, 8000), (20001, 3), (len(whole) - 5, 5)]:
        expected = whole[start : start + length]
        np.testing.assert_array_equal(crop_of_file(path, start, length, sampling_rate_hz=RATE_HZ), expected)
        found = crop_of_bytes(content, start, length, sampling_rate_hz=RATE_HZ, what=name)
        if name != "a.mp3":  # whose decoder gives other last bits in one piece than in another
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.opus", "c.wav"])
def test_crop__of_a_segment_begins_there(recordings: Path, name: str) -> None:
    whole = to_int16(read_audio(recordings / name, sampling_rate_hz=RATE_HZ, start_s=0.5, duration_s=1.0))
    found = crop_of_file(recordings / name, 100, 900, sampling_rate_hz=RATE_HZ, segment=(0.5, 1.0))
    np.testing.assert_array_equal(found, whole[100:1000])


@pytest.mark.parametrize("name", ["a.flac", "a.opus", "a.wav"])
def test_crop__beyond_the_end_of_a_cut_recording_is_refused(recordings: Path, name: str, tmp_path: Path) -> None:
    content = (recordings / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"truncated|damaged|shorter"):
        crop_of_file(tmp_path / name, 20000, 8000, sampling_rate_hz=RATE_HZ)
    with pytest.raises(AudioError, match=r"truncated|decoded"):
        crop_of_bytes(content[: len(content) // 2], 20000, 8000, sampling_rate_hz=RATE_HZ, what="it")


def test_files__equal_the_decoded_store(recordings: Path, tmp_path: Path) -> None:
    names = [kind[0] for kind in KINDS]
    files = RecordingFiles.open(recordings, names, sampling_rate_hz=RATE_HZ)
    store = WaveformStore.build([recordings / name for name in names], sampling_rate_hz=RATE_HZ, cache=tmp_path)
    assert len(files) == len(store)
    assert [files.name(place) for place in range(len(names))] == names
    for place in range(len(names)):
        assert 0 <= store.samples(place) - files.samples(place) <= 1  # another rate may round a last sample away
        np.testing.assert_array_equal(files[place], store[place][: files.samples(place)])
        np.testing.assert_array_equal(files.crop(place, 777, 4000), store.crop(place, 777, 4000))
    copy = pickle.loads(pickle.dumps(files))
    np.testing.assert_array_equal(copy.crop(-1, 5, 50), store.crop(-1, 5, 50))
    with pytest.raises(InputError, match="outside recording 0"):
        files.crop(0, files.samples(0), 1)
    with pytest.raises(IndexError, match="store of 8"):
        files.samples(8)


def test_files__count_on_less_than_a_manifest_states(recordings: Path) -> None:
    files = RecordingFiles.open(recordings, ["a.wav"] * 2, segments=[(0, None), (0.5, 1.0)], durations_s=[2.0, None])
    assert files.lengths_samples.tolist() == [31840, 15840]
    overstated = RecordingFiles.open(recordings, ["a.wav"], durations_s=[9.0])
    with pytest.raises(AudioError, match=r"shorter than stated: expected at least 104000 samples, 32077"):
        overstated.crop(0, 100000, 4000)


def test_files__name_headers_that_cannot_be_read(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "good.wav").write_bytes((recordings / "a.wav").read_bytes())
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("only words")
    names = ["empty.wav", "good.wav", "text.wav", "none.wav"]
    with pytest.raises(AudioError, match=r"empty\.wav.*is empty"):
        RecordingFiles.open(tmp_path, names)
    files = RecordingFiles.open(tmp_path, names, on_error="skip")
    assert [failure.index for failure in files.failures] == [0, 2, 3]
    assert files.lengths_samples.tolist() == [0, 32077, 0, 0]
    with pytest.raises(AudioError, match="none of the 2 recordings"):
        RecordingFiles.open(tmp_path, ["empty.wav", "text.wav"], on_error="skip")


def test_files__a_lost_mount_is_no_bad_recording(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0))
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "a.wav").write_bytes((recordings / "a.wav").read_bytes())
    files = RecordingFiles.open(mount, ["a.wav"])
    (mount / "a.wav").rename(tmp_path / "a.wav")
    with pytest.raises(UnreachableError, match=r"after 3 tries: the folder is empty or gone .*--resume"):
        files.crop(0, 0, 100)
    assert capsys.readouterr().err.count("trying again") == 2
    (mount / "other").write_text("another file, so the mount is there")
    with pytest.raises(AudioError, match="does not exist"):
        files.crop(0, 0, 100)
