"""Measures of a recording, on synthetic sounds whose measures are known."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.audio import RecordingQuality, from_int16, measure_quality, read_audio, to_int16
from curvox.audio.quality import LARGEST_SNR_DB, SMALLEST_SNR_DB, find_speech
from curvox.corpora import read_corpus
from curvox.errors import AudioError, InputError

RATE = 16000


class OpenVoices:
    """Recordings of the real corpus."""

    def __init__(self) -> None:
        folder = Path(__file__).parents[3] / "shared" / "data" / "openvoices"
        if not (folder / "manifest.tsv").is_file():
            pytest.skip(f"the real recordings of openvoices are not in {folder}")
        self.corpus = read_corpus(folder, check_files=False)

    def of_channel(self, *channels: str, count: int) -> list[str]:
        names = [u.utterance for u in self.corpus.utterances if u.channel in channels]
        return names[:: len(names) // count][:count]

    def waveform(self, utterance: str) -> np.ndarray:
        return read_audio(self.corpus.path_of(utterance), sampling_rate_hz=RATE)

    def quality(self, utterance: str) -> RecordingQuality:
        return measure_quality(self.waveform(utterance), RATE)


@pytest.fixture(scope="module")
def openvoices() -> OpenVoices:
    return OpenVoices()


def speech_like(seconds: float = 6.0, *, rate_hz: int = RATE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return syllables of a buzz with formants and hiss between pauses (samples,), and where they are (samples,)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * k * t + rng.uniform(0, 6)) / k for k in range(1, int(0.48 * rate_hz / 120)))
    hiss = 0.3 * rng.normal(size=t.size)
    active = np.zeros(t.size)
    start = 0.4
    while start < seconds - 0.8:
        length = rng.uniform(0.25, 0.5)
        inside = (t >= start) & (t < start + length)
        active[inside] = np.sin(np.pi * (t[inside] - start) / length) ** 0.5
        start += length + rng.uniform(0.3, 0.6)
    wave = (buzz + hiss) * active
    return (0.1 * wave / wave.std()).astype(np.float32), active > 0


@pytest.mark.parametrize("snr_db", [5, 10, 20, 30, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_snr__of_speech_in_steady_noise_is_within_3_db(snr_db: float, seed: int) -> None:
    speech, active = speech_like(seed=seed)
    power = float(np.square(speech[active]).mean())
    noise = np.random.default_rng(seed + 9).normal(size=speech.size) * np.sqrt(power / 10 ** (snr_db / 10))
    quality = measure_quality((speech + noise).astype(np.float32), RATE)
    assert quality.snr_db == pytest.approx(snr_db, abs=3)


def test_snr__does_not_depend_on_the_level_and_rises_as_noise_falls() -> None:
    speech, _ = speech_like()
    noise = np.random.default_rng(3).normal(size=speech.size).astype(np.float32)
    found = [measure_quality(speech + np.float32(scale) * noise, RATE).snr_db for scale in (0.1, 0.03, 0.01, 0.003)]
    assert found == sorted(found)
    noisy = speech + np.float32(0.01) * noise
    assert measure_quality(0.3 * noisy, RATE).snr_db == pytest.approx(measure_quality(noisy, RATE).snr_db, abs=0.1)


def test_speech__is_where_the_syllables_are() -> None:
    speech, active = speech_like(10.0)
    noisy = speech + 0.001 * np.random.default_rng(0).normal(size=speech.size).astype(np.float32)
    quality = measure_quality(noisy, RATE)
    assert quality.duration_s == 10.0
    assert quality.speech_s == pytest.approx(active.mean() * 10, rel=0.1)
    assert quality.speech_s + quality.silence_share * quality.duration_s == pytest.approx(10.0)
    longer = np.concatenate((noisy, noisy[-4000:], noisy[-4000:], noisy[-4000:], noisy[-4000:]))
    assert measure_quality(longer, RATE).speech_s == pytest.approx(quality.speech_s, abs=0.03)


def test_steady_noise__holds_no_speech() -> None:
    noise = 0.05 * np.random.default_rng(0).normal(size=3 * RATE).astype(np.float32)
    quality = measure_quality(noise, RATE)
    assert quality.speech_s == 0
    assert quality.silence_share == 1
    assert quality.snr_db == SMALLEST_SNR_DB


@pytest.mark.parametrize(("gap", "frames"), [(20, 70), (21, 50)])
def test_find_speech__closes_short_gaps_alone(gap: int, frames: int) -> None:
    powers = np.full(200, 1e-8)
    powers[50:75] = powers[75 + gap : 100 + gap] = 1e-2
    assert find_speech(powers).sum() == frames


@pytest.mark.parametrize(("length", "found"), [(3, 0), (4, 4)])
def test_find_speech__leaves_out_clicks(length: int, found: int) -> None:
    powers = np.full(100, 1e-8)
    powers[20 : 20 + length] = 1e-2
    powers[-30:] = 1e-2
    assert find_speech(powers)[:70].sum() == found


@pytest.mark.parametrize("rate_hz", [6000, 8000, 12000, 16000])
def test_bandwidth__stays_that_of_the_source_after_resampling(rate_hz: int) -> None:
    speech, _ = speech_like(rate_hz=rate_hz)
    upsampled = soxr.resample(speech, rate_hz, RATE, quality="HQ").astype(np.float32)
    stored = from_int16(to_int16(upsampled))
    for waveform in (upsampled, stored):
        assert measure_quality(waveform, RATE).bandwidth_hz == pytest.approx(rate_hz / 2, rel=0.06)


def test_bandwidth__of_a_quiet_recording_is_not_its_rounding_noise() -> None:
    speech, _ = speech_like(rate_hz=8000)
    quiet = from_int16(to_int16(0.02 * soxr.resample(speech, 8000, RATE, quality="HQ").astype(np.float32)))
    assert measure_quality(quiet, RATE).bandwidth_hz == pytest.approx(4000, rel=0.06)


def flat_samples(waveform: np.ndarray, limit: float) -> int:
    """Count the samples in runs of three or more at plus or minus the limit, one by one."""
    counted = run = 0
    for before, here in zip([0.0, *waveform.tolist()], [*waveform.tolist(), 0.0], strict=True):
        if run and before != here:
            counted += run if run >= 3 else 0
            run = 0
        run += abs(here) == limit
    return counted


def test_clipped_share__counts_flat_runs_below_full_scale() -> None:
    cut = np.clip(speech_like()[0], np.float32(-0.2), np.float32(0.2))
    expected = flat_samples(cut, float(np.float32(0.2)))
    assert 0.01 < expected / cut.size < 0.2
    assert measure_quality(cut, RATE).clipped_share == pytest.approx(expected / cut.size)
    assert measure_quality(2 * cut, RATE).clipped_share == pytest.approx(expected / cut.size)


def test_clipped_share__counts_what_reaches_full_scale() -> None:
    speech, _ = speech_like()
    stored = from_int16(to_int16(8 * speech))
    assert measure_quality(stored, RATE).clipped_share == pytest.approx(np.mean(np.abs(8 * speech) >= 0.99))
    assert measure_quality(speech, RATE).clipped_share == 0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    size=st.integers(400, 5000),
    rate_hz=st.sampled_from([8000, 16000]),
    kind=st.sampled_from(["noise", "click", "square", "tone", "offset"]),
)
def test_measures__are_in_their_ranges_for_any_sound(seed: int, size: int, rate_hz: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    noise, t = rng.normal(size=size), np.arange(size)
    waveform = {
        "noise": 0.1 * noise,
        "click": (t == size // 2).astype(float),
        "square": np.sign(np.sin(t / 20) + 1e-9),
        "tone": 0.5 * np.sin(t / 7),
        "offset": 0.9 + 1e-3 * noise,
    }[kind].astype(np.float32)
    quality = measure_quality(waveform, rate_hz)
    assert quality.duration_s == size / rate_hz
    assert 0 <= quality.speech_s <= quality.duration_s
    assert 0 <= quality.silence_share <= 1
    assert SMALLEST_SNR_DB <= quality.snr_db <= LARGEST_SNR_DB
    assert 0 < quality.bandwidth_hz <= rate_hz / 2
    assert 0 <= quality.clipped_share <= 1


def test_measures__of_a_long_recording_are_those_of_its_repeated_part() -> None:
    speech, _ = speech_like(4.0)
    once, often = measure_quality(speech, RATE), measure_quality(np.tile(speech, 40), RATE)
    assert often.snr_db == pytest.approx(once.snr_db, abs=1)
    assert often.bandwidth_hz == pytest.approx(once.bandwidth_hz, rel=0.01)
    assert often.silence_share == pytest.approx(once.silence_share, abs=0.03)


@pytest.mark.parametrize(
    ("waveform", "rate_hz", "error", "said"),
    [
        (np.zeros(RATE, np.float32), RATE, AudioError, "silent"),
        (np.full(RATE, np.nan, np.float32), RATE, AudioError, "NaN"),
        (np.ones(10, np.float32), RATE, AudioError, "too short"),
        (np.ones(RATE, np.float32), 500, InputError, "at least 1000"),
    ],
)
def test_measure_quality__refuses_what_no_speaker_is_heard_in(
    waveform: np.ndarray, rate_hz: int, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        measure_quality(waveform, rate_hz)


def test_measures__of_real_recordings_tell_telephone_from_microphone(openvoices: OpenVoices) -> None:
    telephone = [openvoices.quality(u) for u in openvoices.of_channel("cellphone", "landlinephone", count=6)]
    books = [openvoices.quality(u) for u in openvoices.of_channel("audiobook", count=6)]
    assert all(3400 <= quality.bandwidth_hz <= 4000 for quality in telephone)
    assert all(6500 <= quality.bandwidth_hz <= 8000 for quality in books)
    for quality in (*telephone, *books):
        assert 0.2 < quality.speech_s <= quality.duration_s
        assert 5 < quality.snr_db < 90
        assert quality.clipped_share < 0.01


def test_clipping__of_a_real_recording_is_found(openvoices: OpenVoices) -> None:
    waveform = openvoices.waveform(openvoices.of_channel("audiobook", count=1)[0])
    loud = np.clip(20 * waveform, -1, 1)
    assert measure_quality(waveform, RATE).clipped_share < 0.001
    assert measure_quality(loud, RATE).clipped_share > 0.01
