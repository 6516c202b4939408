"""What is drawn at random for the synthetic corpus: sentences, voices, sessions."""

from dataclasses import replace

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.testing.voice_drawing import (
    ACCENTS,
    CHANNELS,
    NOISES,
    SAMPLING_RATE_HZ,
    Session,
    draw_sentence,
    draw_session,
    draw_voice,
    record,
)


def test_draw_sentence__never_repeats_in_thousands() -> None:
    rng = np.random.default_rng(0)
    texts = [draw_sentence(rng) for _ in range(5000)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("words", [1, 5, 12, 60])
def test_draw_sentence__has_at_least_the_words_asked_for(words: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        text = draw_sentence(rng, words=words)
        assert words <= len(text.split()) < words + 25
        assert text[0].isupper()
        assert text.endswith(".")
        assert text[1:-1].replace(" ", "").isalpha()


def test_draw_sentence__refuses_no_words() -> None:
    with pytest.raises(InputError, match="at least 1 word"):
        draw_sentence(np.random.default_rng(0), words=0)


def test_draw_voice__is_a_function_of_the_generator() -> None:
    first, again, other = (draw_voice(np.random.default_rng(seed), "f", ACCENTS[0]) for seed in (5, 5, 6))
    assert first == again
    assert first.variant != other.variant


def test_draw_voice__genders_and_accents_differ_but_overlap() -> None:
    rng = np.random.default_rng(2)
    pitches = {
        (gender, i): np.array([draw_voice(rng, gender, ACCENTS[i]).pitch_hz for _ in range(150)])
        for gender in "fm"
        for i in range(len(ACCENTS))
    }
    for i in range(len(ACCENTS)):
        assert np.median(pitches["f", i]) > 1.5 * np.median(pitches["m", i])
    german, spanish = pitches["f", 2], pitches["f", 3]
    assert german.mean() < spanish.mean()
    assert np.quantile(german, 0.9) > np.quantile(spanish, 0.1)


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * SAMPLING_RATE_HZ)) / SAMPLING_RATE_HZ)


def test_record__reaches_the_signal_to_noise_ratio() -> None:
    rng = np.random.default_rng(3)
    speech = tone(1000.0, 2.0)
    measured, wanted = [], []
    for _ in range(20):
        session = draw_session(rng, longest_s=2.0)
        clean = record(speech, replace(session, snr_db=200.0), np.random.default_rng(9)).astype(float)
        noisy = record(speech, session, np.random.default_rng(9)).astype(float)
        scale = noisy @ clean / (clean @ clean)
        measured.append(10 * np.log10(np.sum((scale * clean) ** 2) / np.sum((noisy - scale * clean) ** 2)))
        wanted.append(session.snr_db)
    # an utterance varies by 1.5 dB around its session; the same draw is used for all
    difference = np.array(measured) - np.array(wanted)
    assert np.abs(difference).max() < 5.0
    assert difference.std() < 1.0


def test_record__never_clips_and_never_fades_away() -> None:
    rng = np.random.default_rng(4)
    click = np.zeros(SAMPLING_RATE_HZ)
    click[8000:8010] = 1.0
    for speech in (tone(300.0), click, 1e-3 * tone(500.0)):
        for _ in range(20):
            samples = record(speech, draw_session(rng, longest_s=1.0), rng)
            assert samples.dtype == np.int16
            assert samples.shape == speech.shape
            assert 300 < np.abs(samples.astype(int)).max() <= 0.9 * 32767 + 1


def test_record__a_phone_passes_only_its_band() -> None:
    rng = np.random.default_rng(5)
    sessions = [draw_session(rng, longest_s=1.0) for _ in range(60)]
    ratios = {
        name: np.mean([outside_share(session, rng) for session in sessions if session.channel == name])
        for name in CHANNELS
    }
    assert ratios["phone"] < 0.1 * ratios["studio"]


def outside_share(session: Session, rng: np.random.Generator) -> float:
    """The share of the power above 5 kHz in a recording of white noise."""
    power = np.abs(np.fft.rfft(record(rng.standard_normal(SAMPLING_RATE_HZ), session, rng).astype(float))) ** 2
    return float(power[5000:].sum() / power.sum())


def test_draw_session__comes_through_every_device_and_noise() -> None:
    rng = np.random.default_rng(6)
    sessions = [draw_session(rng, longest_s=0.5) for _ in range(150)]
    assert {session.channel for session in sessions} == set(CHANNELS)
    assert {session.noise for session in sessions} == set(NOISES)
    assert all(0.7 < session.rate < 1.4 and 42 <= session.pitch <= 58 for session in sessions)
