"""Make speech faster or slower. A voice at another speed is another voice, so the caller gives it another label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import soxr
import torch
from torch import Tensor

from curvox.audio.augmentation.batches import fast_length, few_at_a_time, require_batch
from curvox.errors import InputError, require_positive

_LARGEST_DENOMINATOR = 100
# Up to this share of half the lower rate all is passed, above it ever less.
_PASSED = 0.92
# The filter rings for some 2 ms; what passes the end must not come back at the beginning.
_MARGIN_SAMPLES = 400


def change_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Play a waveform ``factor`` times as fast: shorter by that factor, every frequency higher by it.

    Source: Ko et al., Audio Augmentation for Speech Recognition, Interspeech 2015; as further speakers in Yamamoto et
    al., Speaker Augmentation and Bandwidth Extension for Deep Speaker Embedding, Interspeech 2019. Factors of 0.9 and
    1.1 are usual.

    Args:
        waveform: floating (S,), at least one sample.
        factor: above 0; 1 returns a copy.

    Returns:
        Floating (round(S / factor),) of the same type and, but for what falls above half the rate, the same mean power.

    Raises:
        InputError: a wrong shape or type, or a factor that is not above 0 or leaves no sample.
    """
    require_positive(factor, "factor")
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise InputError(
            f"waveform must be floating-point of shape (samples,), got {waveform.shape} of {waveform.dtype}; "
            "divide 16-bit integers by 32768"
        )
    length = round(len(waveform) / factor)
    if length < 1:
        raise InputError(f"a speed of {factor!r} leaves nothing of {len(waveform)} samples; take a longer waveform")
    if factor == 1:
        return waveform.copy()
    changed = soxr.resample(waveform, factor, 1.0, quality="HQ")
    return np.pad(changed[:length], (0, max(0, length - len(changed))))


def cut_samples(n_samples: int, factor: float) -> int:
    """Return how many samples of a recording make a crop of ``n_samples`` at a speed of ``factor``."""
    return round(n_samples * factor)


def change_speeds(cuts: Tensor, factors: Sequence[float], *, n_samples: int) -> Tensor:
    """Play each cut of a batch at its own speed; what `change_speed` does to one waveform, for a batch on any device.

    A sine of frequency f becomes one of f × factor, as loud as before. Beyond its cut a recording is silent to the
    filter, so the first and the last two milliseconds differ from those of a longer cut.

    Source: Ko et al., Audio Augmentation for Speech Recognition, Interspeech 2015.

    Args:
        cuts: floating (B, L); of row i the first `cut_samples` (n_samples, factors[i]) are used.
        factors: B speeds above 0, multiples of 0.01.
        n_samples: length of the result, S.

    Returns:
        (B, S) of the same type and device; a row of speed 1 as it came.

    Raises:
        InputError: a wrong shape or type, not one factor a row, a factor that is no such number, or cuts that are too
            short.
    """
    require_batch(cuts)
    if len(factors) != len(cuts):
        raise InputError(f"expected one speed a row, got {len(factors)} for {len(cuts)} rows")
    distinct = dict.fromkeys(factors)
    ratios = {factor: _ratio(factor) for factor in distinct}
    needed = max((cut_samples(n_samples, factor) for factor in distinct), default=0)
    if cuts.shape[1] < needed:
        raise InputError(f"a crop of {n_samples} samples needs cuts of {needed} at these speeds, got {cuts.shape[1]}")
    changed = cuts[:, :n_samples].new_zeros(len(cuts), n_samples)
    for factor, ratio in ratios.items():
        rows = np.array([i for i, own in enumerate(factors) if own == factor])
        for some in few_at_a_time(rows, cuts.device):
            at = torch.from_numpy(some).to(cuts.device)
            own = cuts[at, : cut_samples(n_samples, factor)]
            changed[at] = own if factor == 1 else _resampled(own.float(), ratio, n_samples).to(cuts.dtype)
    return changed


def _resampled(cuts: Tensor, ratio: tuple[int, int], n_samples: int) -> Tensor:
    """Resample (N, L) to (N, n_samples) by cutting or padding of spectra."""
    read, written = ratio
    steps = 2 * fast_length(-(-(cuts.shape[1] + _MARGIN_SAMPLES) // (2 * read)))
    bins = min(read, written) * steps // 2 + 1
    place = torch.linspace(0.0, 1.0, bins, device=cuts.device)
    passed = 0.5 + 0.5 * torch.cos(math.pi * ((place - _PASSED) / (1 - _PASSED)).clamp_min(0.0))
    spectra = torch.fft.rfft(cuts, n=read * steps)[:, :bins] * (passed * (written / read))
    return torch.fft.irfft(spectra, n=written * steps)[:, :n_samples]


def _ratio(factor: float) -> tuple[int, int]:
    """Return the speed as a fraction, such as 11 samples read for 10 written."""
    fraction = Fraction(factor).limit_denominator(_LARGEST_DENOMINATOR) if 0 < factor < math.inf else Fraction(0)
    if fraction <= 0 or abs(float(fraction) - factor) > 1e-9:
        raise InputError(f"a speed must be above 0 and a multiple of 0.01, got {factor!r}")
    return fraction.numerator, fraction.denominator
