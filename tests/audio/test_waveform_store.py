"""The store gives back what the reader reads, survives whatever interrupts it, and is shared safely."""

import os
import pickle
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from curvox.audio import WaveformStore, read_audio
from curvox.errors import AudioError, CurvoxError, InputError

RATE_HZ = 16000


@pytest.fixture
def recordings(tmp_path):
    """Five recordings of several formats, rates and lengths."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "recordings"
    folder.mkdir()
    paths = []
    for k, (suffix, rate_hz) in enumerate(
        [("wav", 16000), ("flac", 16000), ("ogg", 44100), ("opus", 8000), ("wav", 11025)]
    ):
        path = folder / f"{k}.{suffix}"
        container = {"opus": "OGG"}.get(suffix, suffix.upper())
        coding = {"opus": "OPUS", "ogg": "VORBIS"}.get(suffix, "PCM_16")
        soundfile.write(path, 0.2 * rng.standard_normal((k + 1) * rate_hz // 2), rate_hz, coding, format=container)
        paths.append(path)
    return paths


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def stores_in(cache):
    return sorted(cache.glob("*.waves"))


def partials_in(cache):
    return sorted(cache.glob(".*.writing"))


def run_builder(body, paths, cache):
    code = (
        "import os, signal, sys\nfrom curvox.audio import WaveformStore\n"
        f"cache, paths = sys.argv[1], sys.argv[2:]\n{body}"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(cache), *map(str, paths)])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rate_hz", [16000, 8000])
def test_store__equals_reading_each_recording(recordings, cache, threads, rate_hz):
    store = WaveformStore.build(recordings, sampling_rate_hz=rate_hz, cache=cache, threads=threads)
    assert len(store) == len(recordings)
    assert store.failures == ()
    for index, path in enumerate(recordings):
        expected = read_audio(path, sampling_rate_hz=rate_hz)
        assert store[index].dtype == np.int16
        assert store.samples(index) == store.lengths_samples[index] == len(expected)
        np.testing.assert_allclose(store[index] / 32768, np.clip(expected, -1, 1), atol=1 / 32768)
    for from_end, from_start in zip((store[-1], *store), (store[4], *(store[k] for k in range(5))), strict=True):
        np.testing.assert_array_equal(from_end, from_start)


def test_store__keeps_16_bit_samples_exactly(tmp_path, cache):
    samples = np.random.default_rng(1).integers(-32768, 32768, 8000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="PCM_16")
    store = WaveformStore.build([tmp_path / "a.wav"], cache=cache)
    np.testing.assert_array_equal(store[0], samples)


def test_store__saturates_what_a_float_file_overshoots(tmp_path, cache):
    samples = np.tile([1.5, -1.5, 0.5, 0.0], 200)
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    store = WaveformStore.build([tmp_path / "a.wav"], cache=cache)
    np.testing.assert_array_equal(store[0][:4], [32767, -32768, 16384, 0])


def test_store__holds_segments(recordings, cache):
    segments = [(0.0, None), (0.25, 0.5), (1.0, None), (0.1, 0.2), (0.0, 2.0)]
    store = WaveformStore.build(recordings, cache=cache, segments=segments)
    for index, (start_s, duration_s) in enumerate(segments):
        expected = read_audio(recordings[index], start_s=start_s, duration_s=duration_s)
        np.testing.assert_allclose(store[index] / 32768, np.clip(expected, -1, 1), atol=1 / 32768)
    assert store.path != WaveformStore.build(recordings, cache=cache).path


def test_crop__is_a_read_only_slice_without_a_copy(recordings, cache):
    store = WaveformStore.build(recordings, cache=cache)
    crop = store.crop(2, 1000, 500)
    np.testing.assert_array_equal(crop, store[2][1000:1500])
    assert not crop.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        crop[0] = 1
    assert len(store.crop(2, 0, store.samples(2))) == store.samples(2)


def test_build__reports_progress_and_reuses_the_second_time(recordings, cache):
    calls = []
    first = WaveformStore.build(recordings, cache=cache, progress=lambda *call: calls.append(call))
    assert calls == [(k, 5) for k in range(1, 6)]
    written = first.path.stat().st_mtime_ns
    second = WaveformStore.build(recordings, cache=cache, progress=lambda *call: calls.append(call))
    assert len(calls) == 5
    assert second.path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(second[3], first[3])


def test_build__decodes_anew_when_a_recording_changed(recordings, cache):
    first = WaveformStore.build(recordings, cache=cache)
    before = first[0].copy()
    soundfile.write(recordings[0], 0.5 * np.sin(np.arange(12000)), RATE_HZ, "PCM_16")
    second = WaveformStore.build(recordings, cache=cache)
    assert second.samples(0) == 12000
    np.testing.assert_array_equal(first[0], before)


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "longer"])
def test_build__replaces_a_damaged_store_and_opening_refuses_it(recordings, cache, damage):
    path = WaveformStore.build(recordings, cache=cache).path
    content = path.read_bytes()
    path.write_bytes(
        {"cut": content[:-100], "empty": b"", "foreign": b"x" * len(content), "longer": b"y" + content}[damage]
    )
    with pytest.raises(CurvoxError, match="not a whole waveform store"):
        WaveformStore(path)
    assert len(WaveformStore.build(recordings, cache=cache)) == 5
    assert path.read_bytes() == content


def test_store__that_is_missing_is_refused(cache):
    with pytest.raises(CurvoxError, match="does not exist"):
        WaveformStore(cache / "none.waves")


def test_store__pickles_by_its_path(recordings, cache):
    store = WaveformStore.build(recordings, cache=cache)
    pickled = pickle.dumps(store)
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    assert copy.failures == store.failures
    assert copy.sampling_rate_hz == store.sampling_rate_hz
    for ours, theirs in zip(store, copy, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_build__stops_at_the_first_bad_recording_and_leaves_nothing(recordings, cache):
    recordings[2].write_bytes(b"")
    with pytest.raises(AudioError, match=r"2\.ogg.*is empty"):
        WaveformStore.build(recordings, cache=cache)
    assert stores_in(cache) == partials_in(cache) == []


def test_build__skips_bad_recordings_and_says_which(recordings, cache):
    recordings[1].unlink()
    recordings[3].write_text("no sound at all, only words")
    store = WaveformStore.build(recordings, cache=cache, on_error="skip")
    assert [(failure.index, failure.path) for failure in store.failures] == [(1, recordings[1]), (3, recordings[3])]
    assert "does not exist" in store.failures[0].message
    assert "it is text" in store.failures[1].message
    assert [store.samples(k) > 0 for k in range(5)] == [True, False, True, False, True]
    assert len(store[1]) == 0
    np.testing.assert_allclose(store[4] / 32768, read_audio(recordings[4]).clip(-1, 1), atol=1 / 32768)
    assert WaveformStore.build(recordings, cache=cache, on_error="skip").failures == store.failures
    with pytest.raises(AudioError, match="does not exist"):
        WaveformStore.build(recordings, cache=cache, on_error="raise")


def test_build__tries_a_stored_failure_again(recordings, cache):
    """Mended in a way that leaves size and time as they were, as when a disk comes back."""
    target = recordings[0]
    content = target.read_bytes()
    target.write_bytes(b"\0" * len(content))
    state = target.stat()
    assert len(WaveformStore.build(recordings, cache=cache, on_error="skip").failures) == 1
    target.write_bytes(content)
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
    store = WaveformStore.build(recordings, cache=cache, on_error="skip")
    assert store.failures == ()
    assert store.samples(0) == 8000


def test_build__refuses_when_no_recording_can_be_read(recordings, cache):
    for path in recordings:
        path.write_bytes(b"")
    with pytest.raises(AudioError, match="none of the 5 recordings"):
        WaveformStore.build(recordings, cache=cache, on_error="skip")
    assert stores_in(cache) == partials_in(cache) == []


def test_build__interrupted_leaves_the_previous_store_and_no_half_one(recordings, cache):
    previous = WaveformStore.build(recordings[:2], cache=cache)
    content = previous.path.read_bytes()

    def interrupt(done, _):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WaveformStore.build(recordings, cache=cache, progress=interrupt)
    assert stores_in(cache) == [previous.path]
    assert partials_in(cache) == []
    assert previous.path.read_bytes() == content


def test_build__killed_half_way_is_cleared_by_the_next(recordings, cache):
    body = "WaveformStore.build(paths, cache=cache, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))"
    assert run_builder(body, recordings, cache).wait(timeout=60) == -signal.SIGKILL
    assert stores_in(cache) == []
    assert len(partials_in(cache)) == 1
    assert len(WaveformStore.build(recordings, cache=cache)) == 5
    assert partials_in(cache) == []


def test_build__full_disk_is_named_and_leaves_what_was_there(recordings, cache):
    previous = WaveformStore.build(recordings[:1], cache=cache)
    content = previous.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # stands for a disk with no more room
    try:
        with pytest.raises(CurvoxError, match="cannot be written") as caught:
            WaveformStore.build(recordings, cache=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(cache) in str(caught.value)
    assert stores_in(cache) == [previous.path]
    assert partials_in(cache) == []
    assert previous.path.read_bytes() == content


def test_build__cache_below_a_file_is_refused(recordings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CurvoxError, match="cannot be written"):
        WaveformStore.build(recordings, cache=tmp_path / "file" / "cache")


def test_build__several_processes_at_once_agree(recordings, cache):
    body = "store = WaveformStore.build(paths, cache=cache)\nassert [len(w) > 0 for w in store] == [True] * 5"
    builders = [run_builder(body, recordings, cache) for _ in range(3)]
    assert [builder.wait(timeout=60) for builder in builders] == [0, 0, 0]
    assert len(stores_in(cache)) == 1
    assert partials_in(cache) == []
    store = WaveformStore.build(recordings, cache=cache)
    np.testing.assert_allclose(store[0] / 32768, read_audio(recordings[0]).clip(-1, 1), atol=1 / 32768)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"paths": []}, "empty list"),
        ({"segments": [(0.0, None)]}, "1 segments for 5 paths"),
        ({"on_error": "ignore"}, '"raise" or "skip"'),
        ({"threads": 0}, "threads"),
        ({"sampling_rate_hz": 0}, "sampling_rate_hz"),
    ],
)
def test_build__refuses_arguments_that_do_not_fit(recordings, cache, arguments, expected):
    with pytest.raises(InputError, match=expected):
        WaveformStore.build(**{"paths": recordings, "cache": cache} | arguments)
