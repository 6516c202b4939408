"""Codecs take from the sound what their bit rate leaves no room for, and neither time nor loudness."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from curvox.audio import CodecOptions, require_codecs, through_codecs
from curvox.errors import InputError, MissingExtraError

OPUS = CodecOptions(probability=1.0, bit_rate_low_kbps=16.0, bit_rate_high_kbps=16.0)
MP3 = replace(OPUS, mp3_probability=1.0, bit_rate_low_kbps=32.0, bit_rate_high_kbps=32.0)


def vowels(n_items: int = 3, n_samples: int = 16000, rate_hz: int = 16000) -> torch.Tensor:
    """Harmonics of gliding pitches in syllables, which codecs of speech are made for."""
    rng = np.random.default_rng(0)
    time_s = np.arange(n_samples) / rate_hz
    sounds = []
    for _ in range(n_items):
        pitch_hz = rng.uniform(100, 220) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 3) * time_s))
        phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
        voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 15))
        sounds.append(0.05 * voice * (0.2 + np.sin(2 * np.pi * 4 * time_s + rng.uniform(0, 6)) ** 2))
    return torch.tensor(np.stack(sounds), dtype=torch.float32)


def error_db(heard: torch.Tensor, sent: torch.Tensor) -> np.ndarray:
    """Power of the difference, relative to the signal."""
    return (10 * torch.log10((heard - sent).square().mean(1) / sent.square().mean(1))).numpy()


def lag_samples(heard: np.ndarray, sent: np.ndarray) -> int:
    correlation = np.correlate(heard[4000:12000], sent[3900:12100], mode="valid")
    return 100 - int(np.argmax(correlation))


@pytest.mark.parametrize("options", [OPUS, MP3], ids=["opus", "mp3"])
def test_codec__moves_nothing_and_keeps_the_power(options: CodecOptions) -> None:
    sent = vowels()
    heard = through_codecs(sent, [1, 2, 3], options=options)
    assert heard.shape == sent.shape
    torch.testing.assert_close(heard.square().mean(1), sent.square().mean(1), rtol=1e-4, atol=0)
    for row in range(3):
        assert lag_samples(heard[row].numpy(), sent[row].numpy()) == 0
    assert (error_db(heard, sent) < -6).all()
    assert (error_db(heard, sent) > -60).all()


def test_codec__takes_more_the_lower_its_bit_rate_is() -> None:
    sent = vowels()
    errors = [
        error_db(
            through_codecs(sent, [1, 2, 3], options=replace(OPUS, bit_rate_low_kbps=kbps, bit_rate_high_kbps=kbps)),
            sent,
        ).mean()
        for kbps in (8.0, 24.0, 96.0)
    ]
    assert errors[0] > errors[1] + 3
    assert errors[1] > errors[2] + 3


@pytest.mark.parametrize("n_samples", [1, 319, 321, 9600, 12345])
@pytest.mark.parametrize("options", [OPUS, MP3], ids=["opus", "mp3"])
def test_codec__keeps_any_length(n_samples: int, options: CodecOptions) -> None:
    heard = through_codecs(vowels(1, n_samples), [0], options=options)
    assert heard.shape == (1, n_samples)
    assert heard.isfinite().all()


@pytest.mark.parametrize("rate_hz", [8000, 24000, 48000])
def test_codec__stays_in_time_at_any_rate_it_knows(rate_hz: int) -> None:
    sent = vowels(1, 16000, rate_hz)
    heard = through_codecs(sent, [0], sampling_rate_hz=rate_hz, options=OPUS)
    assert abs(lag_samples(heard[0].numpy(), sent[0].numpy())) <= rate_hz // 20000


def test_codec__does_not_care_for_the_level() -> None:
    sent = vowels(1)
    loud = through_codecs(40 * sent, [5], options=OPUS)
    assert (40 * sent).abs().max() > 2
    assert error_db(loud, 40 * sent) < -6


def test_codec__is_passed_as_often_as_asked_for_and_else_nothing_changes() -> None:
    sent = vowels(1, 640).repeat(200, 1)
    changed = (through_codecs(sent, list(range(200)), options=replace(OPUS, probability=0.3)) != sent).any(1)
    assert 40 < int(changed.sum()) < 80


def test_codec__without_the_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"curvox\[codecs\]\""):
        require_codecs(16000)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"probability": 2.0}, "probability"),
        ({"bit_rate_low_kbps": 4.0}, "between 6 and 256"),
        ({"bit_rate_high_kbps": 300.0}, "between 6 and 256"),
        ({"bit_rate_low_kbps": 64.0}, "at most bit_rate_high_kbps"),
    ],
)
def test_codec_options__refuse_values_that_contradict(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CodecOptions(**settings)


def test_codec__refuses_a_rate_that_opus_does_not_know() -> None:
    with pytest.raises(InputError, match=r"sampling rate of .*, got 22050; resample"):
        through_codecs(vowels(1), [0], sampling_rate_hz=22050, options=OPUS)
