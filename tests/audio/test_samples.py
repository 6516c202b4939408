"""Sixteen-bit samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curvox.audio import from_int16, to_int16


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50))
def test_int16__is_within_half_a_step(values: list[float]) -> None:
    waveform = np.array(values)
    back = from_int16(to_int16(waveform))
    assert back.dtype == np.float32
    assert np.abs(back - np.clip(waveform, -1, 32767 / 32768)).max() <= 0.5 / 32768 + 1e-9


def test_int16__of_every_integer_is_itself() -> None:
    every = np.arange(-32768, 32768).astype("<i2")
    np.testing.assert_array_equal(to_int16(from_int16(every)), every)


def test_int16__saturates() -> None:
    np.testing.assert_array_equal(to_int16(np.array([2.0, -2.0])), [32767, -32768])
