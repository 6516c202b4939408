"""Send speech through telephone lines and overloaded microphones, each item by its own seed.

A line passes 300 to 3400 Hz and compands to 8 bits at 8000 Hz (ITU-T G.711).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from curvox.audio.augmentation.batches import (
    Seed,
    change_rows,
    check_ranges,
    chosen,
    column,
    fast_length,
    streams_of,
    uniform,
)
from curvox.errors import InputError, require_positive

_CLIPPING_PURPOSE, _TELEPHONE_PURPOSE = 5, 6
_LINE_RATE_HZ = 8000
# G.711 counts in 14 bits, adds the bias so that segments begin at powers of two, and keeps 5 bits of what comes out.
_FULL_SCALE, _LARGEST, _BIAS, _SEGMENT_BITS = 8192.0, 8158.0, 33.0, 5
# How far outside its edges the band falls to nothing, as a share of the edge; 3400 Hz reaches it at 3910.
_LOW_FALL, _HIGH_FALL = 0.5, 0.15
# The filter's response lasts some 20 ms; what passes the end must not come back at the beginning.
_MARGIN_S = 0.05


@dataclass(frozen=True)
class TelephoneOptions:
    """How often a waveform passes a telephone line, its band, and how many of the lines are digital with mu-law."""

    probability: float = 0.1
    low_hz: float = 300.0
    high_hz: float = 3400.0
    mu_law_probability: float = 0.5

    def __post_init__(self) -> None:
        check_ranges(self)
        if not 0 < self.low_hz < self.high_hz <= _LINE_RATE_HZ / 2:
            raise InputError(
                f"low_hz and high_hz must rise between 0 and {_LINE_RATE_HZ // 2}, half the rate of a line, "
                f"got {self.low_hz!r} and {self.high_hz!r}"
            )


def through_telephone(
    waveforms: Tensor,
    seeds: Sequence[Seed],
    *,
    sampling_rate_hz: int = 16000,
    options: TelephoneOptions | None = None,
) -> Tensor:
    """Send waveforms through a telephone line, without changing their rate, length or timing.

    As `curvox.audio.augmentation` says. The band is kept at its level and without a delay. Above 4000 Hz nothing is
    left, not even the noise of the companding, which happens at 8000 samples a second as on a real line (at the
    waveforms' own rate where that is lower).
    """
    require_positive(sampling_rate_hz, "sampling_rate_hz")
    options = options or TelephoneOptions()
    streams = streams_of(waveforms, seeds, _TELEPHONE_PURPOSE)
    rows = np.flatnonzero(chosen(streams, options.probability))
    companded = chosen(streams, options.mu_law_probability)

    def heard(rows: np.ndarray, items: Tensor) -> Tensor:
        return _through_line(items, torch.from_numpy(companded[rows]).to(items.device), sampling_rate_hz, options)

    return change_rows(waveforms, heard, rows)


def mu_law(waveforms: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compand to 8 bits by the mu-law and expand again; 0 stays 0, values beyond ±1 are limited.

    Source: ITU-T G.711 (1988): sign, and eight segments of sixteen steps, each segment twice as coarse as the last.
    """
    magnitude = (waveforms.abs() * _FULL_SCALE).clamp_max(_LARGEST) + _BIAS
    step = torch.exp2(torch.frexp(magnitude).exponent.to(magnitude) - _SEGMENT_BITS)
    heard = (torch.floor(magnitude / step) + 0.5) * step - _BIAS
    return waveforms.sign() * heard / _FULL_SCALE


def _through_line(
    waveforms: Float[Tensor, "N S"], companded: Bool[Tensor, " N"], sampling_rate_hz: int, options: TelephoneOptions
) -> Float[Tensor, "N S"]:
    """Filter, compand at the rate of the line and come back, all by cutting and padding of spectra."""
    n_samples = waveforms.shape[1]
    n_fft, n_line = _lengths(n_samples, sampling_rate_hz)
    hz = torch.arange(n_line // 2 + 1, device=waveforms.device) * (sampling_rate_hz / n_fft)
    spectra = torch.fft.rfft(waveforms, n=n_fft)[:, : len(hz)] * _band(hz, options)
    line = torch.fft.irfft(spectra, n=n_line) * (n_line / n_fft)
    line = torch.where(companded[:, None], mu_law(line), line)
    return torch.fft.irfft(torch.fft.rfft(line), n=n_fft)[:, :n_samples] * (n_fft / n_line)


def _lengths(n_samples: int, sampling_rate_hz: int) -> tuple[int, int]:
    """Lengths of the transforms at the waveforms' rate and at the line's, even both, with room for the filter."""
    line_rate_hz = min(_LINE_RATE_HZ, sampling_rate_hz)
    shared = math.gcd(sampling_rate_hz, line_rate_hz)
    step, line_step = 2 * sampling_rate_hz // shared, 2 * line_rate_hz // shared
    needed = n_samples + math.ceil(_MARGIN_S * sampling_rate_hz)
    count = fast_length(-(-needed // step))
    return step * count, line_step * count


def _band(hz: Float[Tensor, " bins"], options: TelephoneOptions) -> Float[Tensor, " bins"]:
    """1 inside the band, raised cosines down to 0 outside it."""
    below = (options.low_hz - hz) / (_LOW_FALL * options.low_hz)
    above = (hz - options.high_hz) / (_HIGH_FALL * options.high_hz)
    outside = torch.maximum(below, above).clamp(0.0, 1.0)
    return 0.5 + 0.5 * torch.cos(math.pi * outside)


@dataclass(frozen=True)
class ClippingOptions:
    """How often peaks are cut, and at which share of the largest one, drawn uniformly."""

    probability: float = 0.1
    peak_share_low: float = 0.2
    peak_share_high: float = 0.8

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.peak_share_low == 0:
            raise InputError("peak_share_low must be above 0, as nothing would be left of a waveform, got 0")


def clip_peaks(waveforms: Tensor, seeds: Sequence[Seed], *, options: ClippingOptions | None = None) -> Tensor:
    """Limit samples to a drawn share of the waveform's own largest magnitude, as `curvox.audio.augmentation` says.

    The cut is hard and symmetric, and the level is not restored afterwards. It does not depend on the gain: the same
    waveform, louder, is cut in the same places.
    """
    options = options or ClippingOptions()
    streams = streams_of(waveforms, seeds, _CLIPPING_PURPOSE)
    cut = chosen(streams, options.probability)
    shares = np.where(cut, uniform(streams, options.peak_share_low, options.peak_share_high), 1.0)
    limits = waveforms.abs().amax(1, keepdim=True) * column(shares, waveforms)
    return torch.minimum(torch.maximum(waveforms, -limits), limits)
