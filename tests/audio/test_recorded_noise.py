"""Recorded noise: what is added comes from the folder, at the ratio asked for, and the seeds alone decide."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from builders import draw_waveforms
from scipy.signal import correlate

from curvox.audio import NoiseRecordings, RecordedNoiseOptions, add_recorded_noise, noise_files, read_audio
from curvox.errors import InputError, UnknownNameError
from curvox.testing.dummies import write_musan

OFF = RecordedNoiseOptions(path="", noise_probability=0.0, music_probability=0.0, babble_probability=0.0)
KINDS = {kind: replace(OFF, **{f"{kind}_probability": 1.0}) for kind in ("noise", "music", "babble")}
ALL = RecordedNoiseOptions(path="")


@pytest.fixture(scope="module")
def musan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_musan(tmp_path_factory.mktemp("noise") / "musan")


@pytest.fixture(scope="module")
def recordings(musan: Path, tmp_path_factory: pytest.TempPathFactory) -> NoiseRecordings:
    cache = tmp_path_factory.mktemp("cache")
    return NoiseRecordings(noise_files(musan, ALL.kinds()), sampling_rate_hz=16000, cache=cache)


def ratios_db(batch: torch.Tensor, changed: torch.Tensor) -> np.ndarray:
    """Of the powers of what came and what was added, in float64."""
    speech, noise = batch.double().numpy(), (changed.double() - batch.double()).numpy()
    return 10 * np.log10((speech**2).mean(1) / (noise**2).mean(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 17.5])
@pytest.mark.parametrize("n_samples", [4001, 60000])
def test_recorded_noise__stands_at_the_ratio_asked_for(
    kind: str, snr_db: float, n_samples: int, recordings: NoiseRecordings
) -> None:
    batch = draw_waveforms(6, n_samples) * torch.logspace(-2, 0, 6)[:, None]
    at = {f"{kind}_snr_low_db": snr_db, f"{kind}_snr_high_db": snr_db}
    changed = add_recorded_noise(batch, list(range(6)), recordings=recordings, options=replace(KINDS[kind], **at))
    assert changed.shape == batch.shape
    np.testing.assert_allclose(ratios_db(batch, changed), snr_db, atol=0.01)


@pytest.mark.parametrize(("kind", "low_db", "high_db"), [("noise", 0, 15), ("music", 5, 15), ("babble", 13, 20)])
def test_recorded_noise__ratios_fill_the_ranges_of_the_usual_recipe(
    kind: str, low_db: float, high_db: float, recordings: NoiseRecordings
) -> None:
    batch = draw_waveforms(200, 800)
    found = ratios_db(batch, add_recorded_noise(batch, list(range(200)), recordings=recordings, options=KINDS[kind]))
    assert found.min() == pytest.approx(low_db, abs=0.5)
    assert found.max() == pytest.approx(high_db, abs=0.5)
    assert found.mean() == pytest.approx((low_db + high_db) / 2, abs=1)


@pytest.mark.parametrize("kind", ["noise", "music"])
def test_recorded_noise__is_a_stretch_of_a_recording_of_its_kind(
    kind: str, musan: Path, recordings: NoiseRecordings
) -> None:
    batch = draw_waveforms(6, 4000)
    added = (add_recorded_noise(batch, list(range(6)), recordings=recordings, options=KINDS[kind]) - batch).numpy()
    sources = [read_audio(path) for path in noise_files(musan, [kind])[kind]]
    for noise in added:
        best = 0.0
        for source in sources:
            products = correlate(source, noise, mode="valid")
            powers = np.convolve(source**2, np.ones(len(noise)), mode="valid")
            best = max(best, float((products / np.sqrt(powers * (noise**2).sum())).max()))
        assert best > 0.999


def test_babble__is_of_as_many_voices_as_asked(musan: Path, tmp_path: Path) -> None:
    """Each voice is a tone of its own here, so that they can be counted."""
    place = tmp_path / "speech" / "tones"
    place.mkdir(parents=True)
    for number in range(40):
        tone = 0.5 * np.sin(2 * np.pi * 100 * (number + 1) * np.arange(16000) / 16000) / 4 ** (number % 4)
        soundfile.write(place / f"{number}.wav", tone, 16000)
    voices = NoiseRecordings(noise_files(tmp_path, ["speech"]), sampling_rate_hz=16000, cache=tmp_path / "cache")
    batch = draw_waveforms(100, 1600)
    added = add_recorded_noise(batch, list(range(100)), recordings=voices, options=KINDS["babble"]) - batch
    powers = np.abs(np.fft.rfft(added.numpy()))[:, 10:410:10] ** 2
    heard = (powers > 0.02 * powers.sum(1, keepdims=True)).sum(1)
    # A voice may be drawn twice, and then two are heard as one.
    assert heard.max() == 7
    assert 4.0 < heard.mean() < 5.2


def test_recorded_noise__an_item_does_not_depend_on_its_batch(recordings: NoiseRecordings) -> None:
    batch = draw_waveforms(20, 8000)
    whole = add_recorded_noise(batch, list(range(20)), recordings=recordings, options=ALL)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1)).tolist()
    turned = add_recorded_noise(batch[order], order, recordings=recordings, options=ALL)
    torch.testing.assert_close(turned, whole[order], atol=1e-7, rtol=1e-6)
    for k in range(20):
        alone = add_recorded_noise(batch[k : k + 1], [k], recordings=recordings, options=ALL)[0]
        torch.testing.assert_close(alone, whole[k], atol=1e-7, rtol=1e-6)


def test_recorded_noise__comes_as_often_as_its_probabilities(recordings: NoiseRecordings) -> None:
    batch, seeds = draw_waveforms(600, 200), list(range(600))
    assert torch.equal(add_recorded_noise(batch, seeds, recordings=recordings, options=OFF), batch)
    changed = (add_recorded_noise(batch, seeds, recordings=recordings, options=ALL) != batch).any(1)
    assert 400 < int(changed.sum()) < 500


def test_recorded_noise__silence_stays_silence(recordings: NoiseRecordings) -> None:
    for options in KINDS.values():
        assert not add_recorded_noise(torch.zeros(2, 800), [0, 1], recordings=recordings, options=options).any()


def test_recordings__that_are_all_but_silent_are_drawn_where_they_sound(tmp_path: Path) -> None:
    (tmp_path / "noise").mkdir()
    samples = np.zeros(16000)
    samples[4000:12000] = 0.1
    soundfile.write(tmp_path / "noise" / "a.wav", samples, 16000)
    recordings = NoiseRecordings(noise_files(tmp_path, ["noise"]), sampling_rate_hz=16000, cache=tmp_path / "cache")
    for seed in range(50):
        assert recordings.draw(np.random.default_rng(seed), "noise", 100).any()


def test_recordings__of_another_kind_are_not_there(recordings: NoiseRecordings) -> None:
    with pytest.raises(UnknownNameError, match="kind of noise"):
        recordings.draw(np.random.default_rng(0), "nose", 100)


def test_noise_files__that_are_missing_are_named(musan: Path, tmp_path: Path) -> None:
    assert set(noise_files(musan, ["noise", "speech"])) == {"noise", "speech"}
    (tmp_path / "noise").mkdir()
    with pytest.raises(InputError, match=r"laid out as MUSAN.*no recordings under noise, music/.*openslr"):
        noise_files(tmp_path, ["noise", "music"])
    with pytest.raises(InputError, match="no such folder"):
        noise_files(tmp_path / "gone", ["noise"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"noise_probability": 0.6}, "at most 1 together"),
        ({"music_probability": -0.1}, "between 0 and 1"),
        ({"babble_voices_low": 0}, "at least 1"),
        ({"babble_voices_low": 9}, "at most babble_voices_high"),
        ({"noise_snr_low_db": 20.0}, "at most noise_snr_high_db"),
        ({"music_snr_low_db": float("nan")}, "finite"),
    ],
)
def test_recorded_noise_options__refuse_values_that_do_not_fit(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        RecordedNoiseOptions(path="musan", **wrong)
