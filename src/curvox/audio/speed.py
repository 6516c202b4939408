"""Faster and slower speech. A voice at another speed is another voice, so whoever uses this gives it another label."""

from __future__ import annotations

import numpy as np
import soxr

from curvox.errors import InputError, require_positive


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
