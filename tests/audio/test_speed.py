"""Another speed: shorter or longer, higher or lower by the factor, and as loud as before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.audio import change_speed
from curvox.errors import InputError


@pytest.mark.parametrize("factor", [0.9, 1.1, 0.5, 1.73])
def test_speed__moves_a_tone_by_its_factor_and_keeps_its_power(factor: float) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(32000) / 16000).astype(np.float32)
    changed = change_speed(tone, factor)
    assert changed.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    assert np.argmax(spectrum) * 16000 / len(changed) == pytest.approx(1000 * factor, abs=1)
    assert np.mean(changed[500:-500] ** 2) == pytest.approx(0.5, rel=0.01)


@given(length=st.integers(1, 5000), factor=st.sampled_from([0.9, 1.1, 1.0, 0.8, 1.25]))
def test_speed__divides_the_length_by_its_factor(length: int, factor: float) -> None:
    assert len(change_speed(np.ones(length), factor)) == round(length / factor)


def test_speed__there_and_back_is_where_it_was() -> None:
    rng = np.random.default_rng(0)
    slow = np.convolve(rng.standard_normal(16000), np.hanning(31) / 15, mode="same")
    back = change_speed(change_speed(slow, 0.9), 1 / 0.9)
    np.testing.assert_allclose(back[200:-200], slow[200:-200], atol=0.01)


@pytest.mark.parametrize(
    ("waveform", "factor", "said"),
    [
        (np.zeros(100, np.int16), 1.1, "divide 16-bit integers"),
        (np.zeros((2, 100)), 1.1, "shape"),
        (np.zeros(100), 0.0, "factor must be"),
        (np.zeros(100), float("inf"), "factor must be"),
        (np.zeros(1), 3.0, "leaves nothing of 1 samples"),
    ],
)
def test_speed__refuses_what_does_not_fit(waveform: np.ndarray, factor: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        change_speed(waveform, factor)
