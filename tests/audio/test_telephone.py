"""A telephone line passes its band, stops the rest, compands as G.711 does, and moves nothing."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from builders import draw_waveforms
from scipy.signal import welch

from curvox.audio import TelephoneOptions, through_telephone
from curvox.audio.augmentation.channel import mu_law
from curvox.errors import InputError

ANALOGUE = TelephoneOptions(probability=1.0, mu_law_probability=0.0)
DIGITAL = TelephoneOptions(probability=1.0, mu_law_probability=1.0)


def db(ratio: np.ndarray | float) -> np.ndarray:
    return 10 * np.log10(np.asarray(ratio))


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100])
def test_telephone__passes_its_band_and_stops_the_rest(rate_hz: int) -> None:
    batch = draw_waveforms(4, 2 * rate_hz)
    heard = through_telephone(batch, list(range(4)), sampling_rate_hz=rate_hz, options=ANALOGUE)
    assert heard.shape == batch.shape
    hz, before = welch(batch.numpy(), rate_hz, nperseg=2048, detrend=False)  # pyright: ignore[reportArgumentType]
    _, after = welch(heard.numpy(), rate_hz, nperseg=2048, detrend=False)  # pyright: ignore[reportArgumentType]
    gain_db = db(after.mean(0) / before.mean(0))
    np.testing.assert_allclose(gain_db[(hz > 330) & (hz < 3370)], 0, atol=0.2)
    assert gain_db[hz < 110].max() < -35
    if rate_hz > 8000:
        assert gain_db[hz > 4100].max() < -60


def test_telephone__digital_noise_stays_below_4000_hz() -> None:
    batch = draw_waveforms(4, 32000)
    noise = through_telephone(batch, list(range(4)), options=DIGITAL) - through_telephone(
        batch, list(range(4)), options=ANALOGUE
    )
    hz, density = welch(noise.numpy(), 16000, nperseg=1024)
    assert density.mean(0)[hz > 4200].max() < 1e-3 * density.mean(0)[hz < 3900].mean()


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_telephone__neither_delays_nor_scales_a_tone(rate_hz: int) -> None:
    tone = 0.3 * torch.sin(2 * torch.pi * 1000 * torch.arange(rate_hz) / rate_hz)[None]
    heard = through_telephone(tone, [0], sampling_rate_hz=rate_hz, options=ANALOGUE)
    torch.testing.assert_close(heard[:, 800:-800], tone[:, 800:-800], atol=1e-3, rtol=0)


def test_telephone__does_not_wrap_around() -> None:
    clicks = torch.zeros(2, 8000)
    clicks[:, -1] = 1.0
    heard = through_telephone(clicks, [0, 1], options=ANALOGUE)
    assert heard[:, :4000].abs().max() < 1e-3 * heard.abs().max()


def test_mu_law__is_that_of_g711() -> None:
    """Beside libsndfile's, which takes whole numbers of 14 bits, so that two of them may share a step otherwise."""
    samples = np.arange(-32768, 32768, 4) / 32768
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype="ULAW")
    file.seek(0)
    theirs, _ = soundfile.read(file)
    ours = mu_law(torch.from_numpy(samples)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("level", [0.3, 0.03])
def test_mu_law__is_equally_good_at_all_levels(level: float) -> None:
    tone = level * np.sin(2 * np.pi * 0.1234 * np.arange(40000))
    error = mu_law(torch.from_numpy(tone)).numpy() - tone
    assert 35 < db(float(np.mean(tone**2) / np.mean(error**2))) < 40


def test_mu_law__has_255_levels_and_keeps_order_sign_and_zero() -> None:
    ramp = torch.linspace(-1.2, 1.2, 100001, dtype=torch.float64)
    heard = mu_law(ramp)
    assert len(heard.unique()) == 255
    assert (heard.diff() >= 0).all()
    torch.testing.assert_close(heard, -heard.flip(0))
    assert mu_law(torch.zeros(3)).tolist() == [0, 0, 0]
    assert heard.abs().max() == pytest.approx(8031 / 8192)


def test_telephone__an_item_does_not_depend_on_its_batch() -> None:
    batch = draw_waveforms(12)
    options = replace(DIGITAL, probability=0.7, mu_law_probability=0.0)
    whole = through_telephone(batch, list(range(12)), options=options)
    for k in range(12):
        torch.testing.assert_close(
            through_telephone(batch[k : k + 1], [k], options=options)[0], whole[k], atol=1e-6, rtol=1e-5
        )


def test_telephone__repeats_with_its_seeds() -> None:
    batch = draw_waveforms(8)
    options = TelephoneOptions(probability=0.5)
    first, again = (through_telephone(batch, list(range(8)), options=options) for _ in range(2))
    assert torch.equal(first, again)


def test_telephone__happens_as_often_as_its_probabilities() -> None:
    batch, seeds = draw_waveforms(600, 400), list(range(600))
    assert torch.equal(through_telephone(batch, seeds, options=TelephoneOptions(probability=0.0)), batch)
    changed = (through_telephone(batch, seeds, options=TelephoneOptions(probability=0.3)) != batch).any(1)
    assert 140 < int(changed.sum()) < 220
    digital = through_telephone(batch, seeds, options=replace(DIGITAL, mu_law_probability=0.5))
    companded = (digital != through_telephone(batch, seeds, options=ANALOGUE)).any(1)
    assert 250 < int(companded.sum()) < 350


@pytest.mark.parametrize("options", [ANALOGUE, DIGITAL])
def test_telephone__silence_stays_silence(options: TelephoneOptions) -> None:
    assert not through_telephone(torch.zeros(2, 1600), [0, 1], options=options).any()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low_hz": 0.0}, "rise between 0 and 4000"),
        ({"high_hz": 5000.0}, "rise between 0 and 4000"),
        ({"low_hz": 3500.0}, "at most high_hz"),
        ({"mu_law_probability": 1.1}, "between 0 and 1"),
    ],
)
def test_telephone_options__refuse_values_that_do_not_fit(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        TelephoneOptions(**wrong)
