"""The filter bank equals Kaldi's, written by Kaldi's own code and once more in plain loops."""

import pickle

import kaldi_native_fbank
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.audio import FilterBank, subtract_mean
from curvox.errors import InputError


def noise(seed, *shape):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def speech_like(rate_hz, seed=0, duration_s=1.0):
    """A buzz with formants that move, a breath of noise, an offset, at 16 bits as recordings are."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * k * time_s + rng.uniform(0, 6)) / k for k in range(1, int(rate_hz / 260)))
    samples = 0.1 * buzz * (1.2 + np.sin(8 * time_s)) + 0.003 * rng.standard_normal(len(time_s)) + 0.02
    return torch.tensor(np.round(samples * 32768) / 32768, dtype=torch.float32)


def kaldi(waveform, rate_hz, n_mels, length_ms=25.0, shift_ms=10.0, low_hz=20.0, high_hz=0.0):
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = rate_hz
    options.frame_opts.dither = 0.0
    options.frame_opts.frame_length_ms = length_ms
    options.frame_opts.frame_shift_ms = shift_ms
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = n_mels
    options.mel_opts.low_freq = low_hz
    options.mel_opts.high_freq = high_hz
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(rate_hz, (waveform * 32768).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(k) for k in range(computer.num_frames_ready)])


def plain_loops(waveform, rate_hz, n_mels, low_hz=20.0):
    """Kaldi's steps one after the other, frame by frame, in double precision."""
    samples = waveform.double().numpy() * 32768
    length, shift = rate_hz * 25 // 1000, rate_hz * 10 // 1000
    n_fft = 1
    while n_fft < length:
        n_fft *= 2
    window = np.hanning(length) ** 0.85
    mel = lambda hz: 1127 * np.log(1 + hz / 700)  # noqa: E731
    step = (mel(rate_hz / 2) - mel(low_hz)) / (n_mels + 1)
    rows = []
    for start in range(0, len(samples) - length + 1, shift):
        frame = samples[start : start + length]
        frame = frame - frame.mean()
        frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.fft(frame * window, n_fft)) ** 2
        row = []
        for k in range(n_mels):
            left = mel(low_hz) + k * step
            energy = 0.0
            for bin_ in range(n_fft // 2):
                height = 1 - abs(mel(bin_ * rate_hz / n_fft) - left - step) / step
                energy += max(0.0, height) * power[bin_]
            row.append(np.log(max(energy, np.finfo(np.float32).eps)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("n_mels", [23, 40, 64, 80])
@pytest.mark.parametrize("signal", ["noise", "speech"])
def test_filter_bank__equals_kaldi(rate_hz, n_mels, signal):
    waveform = speech_like(rate_hz) if signal == "speech" else noise(0, rate_hz)
    features, lengths = FilterBank(rate_hz, n_mels)(waveform[None])
    expected = kaldi(waveform, rate_hz, n_mels)
    assert features.shape == (1, *expected.shape)
    assert lengths.tolist() == [len(expected)]
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("length_ms", "shift_ms", "low_hz", "high_hz"),
    [(20.0, 5.0, 0.0, 7600.0), (32.0, 12.5, 125.0, 3800.0), (25.6, 10.7, 20.0, 8e3)],
)
def test_filter_bank__equals_kaldi_for_other_frames_and_edges(length_ms, shift_ms, low_hz, high_hz):
    waveform = speech_like(16000)
    features, _ = FilterBank(16000, 30, length_ms, shift_ms, low_hz, high_hz)(waveform[None])
    expected = kaldi(waveform, 16000, 30, length_ms, shift_ms, low_hz, high_hz)
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(("rate_hz", "n_mels"), [(8000, 23), (16000, 80)])
def test_filter_bank__equals_plain_loops(rate_hz, n_mels):
    waveform = speech_like(rate_hz, duration_s=0.1)
    features, _ = FilterBank(rate_hz, n_mels)(waveform[None])
    np.testing.assert_allclose(features[0].numpy(), plain_loops(waveform, rate_hz, n_mels), atol=1e-3)


def test_filter_bank__silence_lies_on_kaldis_floor():
    features, _ = FilterBank()(torch.zeros(1, 1600))
    np.testing.assert_allclose(features.numpy(), np.log(np.finfo(np.float32).eps), rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(400, 6000), min_size=1, max_size=5),
    padding=st.sampled_from([0.0, 1.0, 1e4]),
    seed=st.integers(0, 1000),
)
def test_filter_bank__padded_in_a_batch_equals_alone(lengths, padding, seed):
    bank = FilterBank()
    waveforms = torch.full((len(lengths), max(lengths) + seed % 500), padding)
    for k, length in enumerate(lengths):
        waveforms[k, :length] = noise(seed + k, length)
    features, lengths_frames = bank(waveforms, torch.tensor(lengths))
    for k, length in enumerate(lengths):
        alone, alone_frames = bank(waveforms[k : k + 1, :length])
        n_frames = int(lengths_frames[k])
        assert n_frames == alone_frames.item() == bank.frames(length) == alone.shape[1]
        torch.testing.assert_close(features[k, :n_frames], alone[0], atol=1e-4, rtol=0)
        assert not features[k, n_frames:].any()


def test_filter_bank__long_speech_equals_its_parts():
    """An utterance of more frames than are transformed at a time."""
    bank = FilterBank()
    waveform = noise(3, 1, 30 * 16000)
    features, _ = bank(waveform)
    part, _ = bank(waveform[:, 20 * 16000 : 21 * 16000])
    torch.testing.assert_close(features[:, 2000:2098], part, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("samples", "frames"), [(399, 0), (400, 1), (559, 1), (560, 2), (16000, 98)])
def test_frames__counts_those_that_fit(samples, frames):
    assert FilterBank().frames(samples) == frames


def test_filter_bank__stays_in_float32_under_autocast():
    waveforms = noise(0, 2, 8000)
    expected, _ = FilterBank()(waveforms)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, _ = FilterBank()(waveforms)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, expected, atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_filter_bank__stays_in_float32_when_the_model_is_cast(dtype):
    waveforms = noise(0, 2, 8000)
    bank = FilterBank(n_mels=40)
    expected, _ = bank(waveforms)
    cast = torch.nn.Sequential(bank, torch.nn.Linear(40, 2)).to(dtype)
    features, _ = cast[0](waveforms)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, expected, atol=0, rtol=0)


def test_filter_bank__keeps_nothing_in_the_state_dict():
    bank = FilterBank()
    assert bank.state_dict() == {}
    assert list(bank.parameters()) == []
    copy = pickle.loads(pickle.dumps(bank))
    torch.testing.assert_close(copy(noise(0, 1, 1600))[0], bank(noise(0, 1, 1600))[0])


def test_filter_bank__gradient_matches_finite_differences():
    bank = FilterBank(8000, 10)
    waveform = noise(1, 1, 300).requires_grad_()
    weights = noise(2, 2, 10)

    def value(samples):
        return float((bank(samples)[0][0].double() * weights).sum())

    (bank(waveform)[0][0] * weights).sum().backward()
    direction = noise(5, 1, 300)
    with torch.no_grad():
        slope = (value(waveform + 1e-3 * direction) - value(waveform - 1e-3 * direction)) / 2e-3
    assert waveform.grad is not None
    assert slope == pytest.approx(float((waveform.grad * direction).sum()), rel=2e-2)


def test_filter_bank__gradient_of_silence_is_finite():
    waveform = torch.zeros(1, 1600, requires_grad=True)
    FilterBank()(waveform)[0].sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize(
    ("waveforms", "lengths", "expected"),
    [
        (torch.zeros(1600), None, "add a batch dimension"),
        (torch.zeros(1, 1600, dtype=torch.int16), None, "divide 16-bit integers"),
        (torch.zeros(2, 399), None, "at least 400 samples"),
        (torch.zeros(2, 1600), [1600, 399], "lengths from 399"),
        (torch.zeros(2, 1600), [1600, 1601], "to 1601"),
        (torch.zeros(2, 1600), [1600], r"shape \(2,\)"),
        (torch.zeros(2, 1600), [0.5, 1.0], "integers"),
    ],
)
def test_filter_bank__refuses_input_that_does_not_fit(waveforms, lengths, expected):
    with pytest.raises(InputError, match=expected):
        FilterBank()(waveforms, None if lengths is None else torch.tensor(lengths))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"sampling_rate_hz": 0}, "sampling_rate_hz"),
        ({"n_mels": 0}, "n_mels"),
        ({"n_mels": 200}, "take fewer filters"),
        ({"low_hz": -1.0}, "low_hz"),
        ({"low_hz": 4000.0, "high_hz": 3000.0}, "low_hz < high_hz"),
        ({"high_hz": 8001.0}, "half the sampling rate"),
        ({"frame_length_ms": 0.01}, "shorter than a sample"),
        ({"frame_shift_ms": float("nan")}, "frame_shift_ms"),
    ],
)
def test_filter_bank__refuses_settings_that_do_not_fit(arguments, expected):
    with pytest.raises(InputError, match=expected):
        FilterBank(**arguments)


def test_subtract_mean__leaves_the_mean_of_valid_frames_at_zero():
    features = noise(0, 3, 50, 8) + 5
    lengths = torch.tensor([50, 20, 1])
    centred = subtract_mean(features, lengths)
    for k, length in enumerate(lengths.tolist()):
        expected = features[k, :length] - features[k, :length].mean(0)
        torch.testing.assert_close(centred[k, :length], expected, atol=1e-5, rtol=0)
        assert not centred[k, length:].any()


def test_subtract_mean__ignores_the_padding():
    features = noise(0, 2, 50, 8)
    poisoned = features.clone()
    poisoned[1, 30:] = float("nan")
    lengths = torch.tensor([50, 30])
    torch.testing.assert_close(subtract_mean(poisoned, lengths), subtract_mean(features, lengths))


def test_subtract_mean__without_lengths_takes_all_frames():
    features = noise(0, 2, 50, 8)
    torch.testing.assert_close(subtract_mean(features), subtract_mean(features, torch.tensor([50, 50])))


def test_subtract_mean__removes_a_gain_of_the_waveform():
    waveforms = noise(0, 1, 8000)
    quiet, loud = (subtract_mean(*FilterBank()(gain * waveforms)) for gain in (0.1, 1.0))
    torch.testing.assert_close(quiet, loud, atol=1e-3, rtol=0)
