"""Augmentation does what its options say, measured on the result, and depends on the seeds alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import draw_waveforms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import welch

from curvox.audio import AugmentationOptions, augment
from curvox.audio.augmentation.batches import fast_length, item_streams
from curvox.audio.augmentation.synthesised import channel_responses
from curvox.errors import InputError

OFF = AugmentationOptions(noise_probability=0.0, babble_probability=0.0, channel_probability=0.0, gain_probability=0.0)
NOISE = replace(OFF, noise_probability=1.0)
BABBLE = replace(OFF, babble_probability=1.0)
CHANNEL = replace(OFF, channel_probability=1.0)
GAIN = replace(OFF, gain_probability=1.0)
ALL = replace(OFF, noise_probability=1.0, babble_probability=1.0, channel_probability=1.0, gain_probability=1.0)


def db(ratio):
    return 10 * np.log10(np.asarray(ratio))


@pytest.mark.parametrize("options", [AugmentationOptions(), NOISE, BABBLE, CHANNEL, GAIN, ALL])
def test_augment__equal_seeds_give_equal_results(options):
    batch = draw_waveforms()
    before = batch.clone()
    seeds = [(7, 3, k) for k in range(4)]
    first, second = augment(batch, seeds, options=options), augment(batch, seeds, options=options)
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    torch.testing.assert_close(batch, before, atol=0, rtol=0)
    assert first.shape == batch.shape
    assert first.isfinite().all()


@pytest.mark.parametrize("options", [NOISE, BABBLE, CHANNEL, GAIN])
def test_augment__other_seeds_give_other_results(options):
    batch = draw_waveforms()
    results = [augment(batch, [(run, k) for k in range(4)], options=options) for run in range(3)]
    assert not torch.allclose(results[0], results[1])
    assert not torch.allclose(results[1], results[2])
    same = augment(batch[:1].repeat(2, 1), [1, 2], options=options)
    assert options is BABBLE or not torch.allclose(same[0], same[1])


@pytest.mark.parametrize("options", [NOISE, CHANNEL, GAIN, replace(ALL, babble_probability=0.0)])
def test_augment__an_item_does_not_depend_on_its_batch(options):
    batch = draw_waveforms(12)
    whole = augment(batch, list(range(12)), options=options)
    for k in (0, 5, 11):
        torch.testing.assert_close(whole[k], augment(batch[k : k + 1], [k], options=options)[0], atol=1e-6, rtol=1e-5)


def test_augment__with_no_chance_changes_nothing():
    batch = draw_waveforms()
    torch.testing.assert_close(augment(batch, [0, 1, 2, 3], options=OFF), batch, atol=0, rtol=0)


def test_augment__happens_as_often_as_its_probability():
    batch = draw_waveforms(1000, 400)
    changed = augment(batch, list(range(1000)), options=replace(GAIN, gain_probability=0.3)) != batch
    assert 250 < int(changed.any(1).sum()) < 350


@settings(max_examples=25, deadline=None)
@given(snr_db=st.floats(-10, 40), seed=st.integers(0, 10**6), n_samples=st.sampled_from([8000, 16000, 16001, 12347]))
def test_noise__stands_at_the_ratio_asked_for(snr_db, seed, n_samples):
    batch = draw_waveforms(2, n_samples) * torch.tensor([[1.0], [0.01]])
    options = replace(NOISE, snr_low_db=snr_db, snr_high_db=snr_db)
    noise = augment(batch, [seed, seed + 1], options=options) - batch
    ratio = db(batch.square().mean(1) / noise.square().mean(1))
    np.testing.assert_allclose(ratio, snr_db, atol=0.5 if n_samples % 10 else 0.01)


def test_noise__ratios_fill_their_range():
    batch = draw_waveforms(300, 1600)
    noise = augment(batch, list(range(300)), options=replace(NOISE, snr_low_db=5.0, snr_high_db=20.0)) - batch
    ratio = db(batch.square().mean(1) / noise.square().mean(1))
    assert ratio.min() == pytest.approx(5, abs=0.5)
    assert ratio.max() == pytest.approx(20, abs=0.5)
    assert ratio.mean() == pytest.approx(12.5, abs=0.8)


@pytest.mark.parametrize("slope", [-6.0, -3.0, 0.0, 3.0])
def test_noise__has_the_slope_asked_for(slope):
    options = replace(NOISE, noise_slope_low_db_per_octave=slope, noise_slope_high_db_per_octave=slope)
    batch = draw_waveforms(8, 32000)
    noise = (augment(batch, list(range(8)), options=options) - batch).double().numpy()
    hz, density = welch(noise, 16000, nperseg=2048)
    band = (hz > 200) & (hz < 6000)
    measured = np.polyfit(np.log2(hz[band]), db(density.mean(0)[band]), 1)[0]
    assert measured == pytest.approx(slope, abs=0.2)


def test_noise__is_gaussian_and_without_offset():
    batch = draw_waveforms(4, 64000)
    options = replace(NOISE, noise_slope_low_db_per_octave=0.0, noise_slope_high_db_per_octave=0.0)
    noise = (augment(batch, [1, 2, 3, 4], options=options) - batch).double()
    standard = noise / noise.std(1, keepdim=True)
    np.testing.assert_allclose((standard**4).mean(1), 3, atol=0.15)
    np.testing.assert_allclose((standard**3).mean(1), 0, atol=0.1)
    np.testing.assert_allclose(standard.mean(1), 0, atol=1e-3)


def test_babble__is_a_sum_of_others_at_the_ratio_asked_for():
    batch = draw_waveforms(6, 8000) * torch.logspace(-2, 0, 6)[:, None]
    options = replace(BABBLE, babble_voices=3, babble_snr_low_db=10.0, babble_snr_high_db=10.0)
    babble = (augment(batch, list(range(6)), options=options) - batch).double()
    ratio = db(batch.square().mean(1) / babble.square().mean(1))
    np.testing.assert_allclose(ratio, 10, atol=0.01)
    levelled = (batch / batch.square().mean(1, keepdim=True).sqrt()).double()
    for k in range(6):
        weights = np.linalg.lstsq(levelled.numpy().T, babble[k].numpy(), rcond=None)[0]
        heard = np.flatnonzero(weights > 1e-3 * weights.max())
        assert len(heard) == 3
        assert k not in heard
        np.testing.assert_allclose(weights[heard], weights[heard].mean(), rtol=1e-2)


def test_babble__alone_in_a_batch_has_nobody_to_hear():
    batch = draw_waveforms(1)
    torch.testing.assert_close(augment(batch, [0], options=BABBLE), batch, atol=0, rtol=0)


def test_babble__of_two_items_is_the_other_one():
    batch = draw_waveforms(2)
    babble = augment(batch, [0, 1], options=BABBLE) - batch
    assert torch.cosine_similarity(babble[0], batch[1], dim=0) > 0.999


def test_babble__is_never_of_the_speaker_whom_it_is_put_behind():
    batch, speakers = draw_waveforms(8, 8000), [0, 0, 1, 1, 2, 2, 2, 2]
    for seed in range(20):
        seeds = [(seed, k) for k in range(8)]
        babble = (augment(batch, seeds, options=replace(BABBLE, babble_voices=3), speakers=speakers) - batch).double()
        for k in range(8):
            weights = np.linalg.lstsq(batch.double().numpy().T, babble[k].numpy(), rcond=None)[0]
            heard = np.flatnonzero(weights > 1e-3 * weights.max())
            assert len(heard) == 3
            assert speakers[k] not in {speakers[voice] for voice in heard}


def test_babble__of_a_batch_of_one_speaker_has_nobody_to_hear():
    batch = draw_waveforms(3)
    assert torch.equal(augment(batch, [0, 1, 2], options=BABBLE, speakers=[4, 4, 4]), batch)


def test_channel__passes_its_band_and_stops_the_rest():
    options = replace(
        CHANNEL,
        channel_low_edge_low_hz=300.0,
        channel_low_edge_high_hz=300.0,
        channel_high_edge_low_hz=3400.0,
        channel_high_edge_high_hz=3400.0,
        channel_ripple_db=0.0,
    )
    batch = draw_waveforms(8, 32000)
    filtered = augment(batch, list(range(8)), options=options)
    hz, before = welch(batch.numpy(), 16000, nperseg=1024)
    _, after = welch(filtered.numpy(), 16000, nperseg=1024)
    gain = db(after.mean(0) / before.mean(0))
    np.testing.assert_allclose(gain[(hz > 400) & (hz < 3200)], 0, atol=0.2)
    assert gain[(hz > 5000)].max() < -35
    assert gain[(hz > 40) & (hz < 150)].max() < -35


def test_channel__responses_ripple_by_the_spread_asked_for():
    options = replace(CHANNEL, channel_ripple_db=3.0)
    responses = channel_responses(item_streams(list(range(400)), 400, 0), 16000, options)
    assert responses.shape == (400, 257)
    hz = np.linspace(0, 8000, 257)
    band = responses[:, (hz > 400) & (hz < 2900)]
    assert 2.0 < 2 * db(band).std() < 3.5


def test_channel__spreads_a_click_over_few_milliseconds():
    click = torch.zeros(1, 16000)
    click[0, 8000] = 1.0
    for seed in range(5):
        heard = augment(click, [seed], options=CHANNEL)[0].square()
        assert heard[8000 - 800 : 8000 + 800].sum() > 0.99 * heard.sum()


def test_gain__stays_in_its_range():
    batch = draw_waveforms(200, 400)
    gained = augment(batch, list(range(200)), options=replace(GAIN, gain_low_db=-12.0, gain_high_db=6.0))
    gain_db = 2 * db(gained.norm(dim=1) / batch.norm(dim=1))
    assert -12.001 <= gain_db.min() < -10
    assert 4 < gain_db.max() <= 6.001
    torch.testing.assert_close(
        gained / gained.norm(dim=1, keepdim=True), batch / batch.norm(dim=1, keepdim=True), atol=1e-6, rtol=0
    )


def test_augment__silence_stays_silence():
    assert not augment(torch.zeros(3, 1600), [0, 1, 2], options=ALL).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_augment__keeps_the_type(dtype):
    assert augment(draw_waveforms().to(dtype), [0, 1, 2, 3], options=ALL).dtype == dtype


@pytest.mark.parametrize("rate_hz", [8000, 11025, 48000])
def test_augment__works_at_any_rate(rate_hz):
    assert augment(draw_waveforms(), [0, 1, 2, 3], sampling_rate_hz=rate_hz, options=ALL).isfinite().all()


@pytest.mark.parametrize(
    ("batch", "seeds", "expected"),
    [
        (torch.zeros(1600), [0], "shape"),
        (torch.zeros(1, 1600, dtype=torch.int16), [0], "divide 16-bit integers"),
        (torch.zeros(2, 1600), [0], "1 seeds for 2 items"),
        (torch.zeros(1, 1600), [-1], "non-negative"),
        (torch.zeros(1, 1600), [(3, -1)], "non-negative"),
    ],
)
def test_augment__refuses_input_that_does_not_fit(batch, seeds, expected):
    with pytest.raises(InputError, match=expected):
        augment(batch, seeds)


def test_augment__refuses_speakers_that_are_not_one_an_item():
    with pytest.raises(InputError, match="1 speakers for 2 items"):
        augment(draw_waveforms(2), [0, 1], speakers=[0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"noise_probability": 1.5}, "noise_probability"),
        ({"gain_probability": -0.1}, "gain_probability"),
        ({"snr_low_db": float("nan")}, "snr_low_db must be finite"),
        ({"snr_low_db": 30.0}, "at most snr_high_db"),
        ({"babble_snr_low_db": 30.0}, "at most babble_snr_high_db"),
        ({"gain_low_db": 7.0}, "at most gain_high_db"),
        ({"noise_slope_low_db_per_octave": 1.0}, "at most noise_slope_high_db_per_octave"),
        ({"channel_low_edge_low_hz": 400.0}, "at most channel_low_edge_high_hz"),
        ({"channel_high_edge_low_hz": 7600.0}, "at most channel_high_edge_high_hz"),
        ({"channel_low_edge_low_hz": 0.0}, "above 0"),
        ({"channel_low_edge_high_hz": 3500.0}, "below channel_high_edge_low_hz"),
        ({"babble_voices": 0}, "babble_voices"),
    ],
)
def test_augmentation_options__refuse_values_that_contradict(settings, expected):
    with pytest.raises(InputError, match=expected):
        AugmentationOptions(**settings)


@given(n=st.integers(1, 20000))
def test_fast_length__is_the_next_with_small_factors(n):
    def small(k):
        for factor in (2, 3, 5):
            while k % factor == 0:
                k //= factor
        return k == 1

    found = fast_length(n)
    assert small(found)
    assert not any(small(k) for k in range(n, found))
