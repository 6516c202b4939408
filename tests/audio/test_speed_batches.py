"""Crops of a batch at other speeds: what `change_speed` does to one waveform, by another way of computing."""

import numpy as np
import pytest
import torch

from curvox.audio import change_speed, change_speeds, cut_samples
from curvox.errors import InputError

FACTORS = [0.9, 1.1, 1.0, 0.95, 1.25]


def tones(hz: float, n_samples: int, rows: int) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(n_samples) / 16000).repeat(rows, 1)


def slow_noise(rows: int, n_samples: int) -> torch.Tensor:
    """Noise without what lies near half the rate, where filters may differ."""
    spectra = torch.fft.rfft(torch.randn(rows, n_samples, generator=torch.Generator().manual_seed(0)))
    spectra[:, int(0.6 * spectra.shape[1]) :] = 0
    return torch.fft.irfft(spectra, n=n_samples)


def test_speeds__move_a_tone_by_their_factor_and_keep_its_power() -> None:
    changed = change_speeds(tones(1000.0, 20000, 5), FACTORS, n_samples=16000)
    assert changed.shape == (5, 16000)
    for row, factor in zip(changed.numpy(), FACTORS, strict=True):
        spectrum = np.abs(np.fft.rfft(row * np.hanning(16000)))
        assert np.argmax(spectrum) == pytest.approx(1000 * factor, abs=1)
        assert np.mean(row[500:-500] ** 2) == pytest.approx(0.5, rel=0.01)


def test_speeds__are_those_of_a_well_kept_library() -> None:
    cuts = slow_noise(5, 10000)
    changed = change_speeds(cuts, FACTORS, n_samples=8000)
    for row, cut, factor in zip(changed, cuts, FACTORS, strict=True):
        expected = change_speed(cut[: cut_samples(8000, factor)].numpy(), factor)
        assert len(expected) == 8000
        # At the ends each filter meets the silence outside in its own way.
        np.testing.assert_allclose(row[100:-100], expected[100:-100], atol=0.003)


def test_speeds__let_nothing_above_half_the_rate_fold_back() -> None:
    changed = change_speeds(tones(7800.0, 17600, 1), [1.1], n_samples=16000)
    assert changed[:, 200:-200].square().mean() < 1e-4


def test_speeds__of_a_row_do_not_depend_on_its_batch() -> None:
    cuts = slow_noise(6, 10000)
    factors = [*FACTORS, 1.1]
    whole = change_speeds(cuts, factors, n_samples=8000)
    for row in range(6):
        alone = change_speeds(cuts[row : row + 1], factors[row : row + 1], n_samples=8000)
        torch.testing.assert_close(alone[0], whole[row], atol=1e-6, rtol=1e-5)
    assert torch.equal(whole[2], cuts[2, :8000])


@pytest.mark.parametrize(
    ("cuts", "factors", "said"),
    [
        (torch.zeros(2, 110), [1.1], "one speed a row, got 1 for 2"),
        (torch.zeros(1, 109), [1.1], "needs cuts of 110 at these speeds, got 109"),
        (torch.zeros(1, 300), [1.1234], r"multiple of 0\.01"),
        (torch.zeros(1, 300), [0.0], "above 0"),
        (torch.zeros(1, 300), [float("nan")], "above 0"),
        (torch.zeros(300), [1.0], "shape"),
    ],
)
def test_speeds__refuse_what_does_not_fit(cuts: torch.Tensor, factors: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        change_speeds(cuts, factors, n_samples=100)
