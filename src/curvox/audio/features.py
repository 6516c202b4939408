"""Compute log-mel filter banks, equal to Kaldi's ``compute-fbank-feats`` without dither, and mask bands and frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from curvox.audio.augmentation.batches import Seed, item_streams
from curvox.errors import InputError, require_at_least, require_non_negative, require_positive

_MASKING_PURPOSE = 2
_FULL_SCALE = 32768.0
_PREEMPHASIS = 0.97
_FLOOR = float(np.finfo(np.float32).eps)
# Frames transformed at a time: few enough to stay in the cache of a CPU, and to bound the memory of long speech.
_CHUNK_FRAMES = {"cpu": 2**11}
_CHUNK_FRAMES_ELSEWHERE = 2**17


class FilterBank(nn.Module):
    """Log energies of a mel filter bank (Povey window, pre-emphasis 0.97, only frames that fit entirely).

    It computes in float32 whatever autocast says, has no weights, keeps nothing in the state dict, and is
    differentiable with respect to the waveforms.

    Args:
        frame_length_ms: length of a frame; the transform takes the next power of two of samples.
        low_hz: lower edge of the lowest filter.
        high_hz: upper edge of the highest filter; None is half the sampling rate.

    Raises:
        InputError: a value out of range, or so many filters that one of them covers no frequency bin.
    """

    window: Tensor
    mel: Tensor

    def __init__(
        self,
        sampling_rate_hz: int = 16000,
        n_mels: int = 80,
        frame_length_ms: float = 25.0,
        frame_shift_ms: float = 10.0,
        low_hz: float = 20.0,
        high_hz: float | None = None,
    ) -> None:
        super().__init__()
        self.sampling_rate_hz = int(require_positive(sampling_rate_hz, "sampling_rate_hz"))
        self.n_mels = int(require_positive(n_mels, "n_mels"))
        self.frame_length_ms = require_positive(frame_length_ms, "frame_length_ms")
        self.frame_shift_ms = require_positive(frame_shift_ms, "frame_shift_ms")
        self.low_hz = require_non_negative(low_hz, "low_hz")
        self.high_hz = self.sampling_rate_hz / 2 if high_hz is None else require_positive(high_hz, "high_hz")
        if not self.low_hz < self.high_hz <= self.sampling_rate_hz / 2:
            raise InputError(
                f"expected 0 <= low_hz < high_hz <= {self.sampling_rate_hz / 2:g} (half the sampling rate), "
                f"got low_hz {self.low_hz:g} and high_hz {self.high_hz:g}"
            )
        self.frame_length_samples = _samples(self.sampling_rate_hz, self.frame_length_ms)
        self.frame_shift_samples = _samples(self.sampling_rate_hz, self.frame_shift_ms)
        if self.frame_length_samples < 2 or self.frame_shift_samples < 1:
            raise InputError(
                f"frames of {frame_length_ms:g} ms every {frame_shift_ms:g} ms are shorter than a sample at "
                f"{self.sampling_rate_hz} Hz; give longer ones"
            )
        window, mel = self._constants()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mel", mel, persistent=False)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the features of a batch of waveforms.

        Args:
            waveforms: floating (B, S) in [-1, 1], padded at the end with anything finite.
            lengths_samples: integer (B,), the valid samples of each; None means all S.

        Returns:
            Log energies, float32 (B, T, n_mels), zero beyond an item's own frames, and the number of these frames,
            int64 (B,). An item's features do not depend on the padding or on the others.

        Raises:
            InputError: a wrong shape or type, a length above S, or one shorter than a frame.
        """
        lengths_frames = self._lengths_frames(waveforms, lengths_samples)
        with torch.autocast(waveforms.device.type, enabled=False):
            features = self._log_energies(waveforms.to(torch.float32))
            if lengths_samples is not None:
                features = features.masked_fill(~valid_frames(lengths_frames, features.shape[1])[..., None], 0.0)
        return features, lengths_frames

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform of so many samples; zero when it is shorter than a frame."""
        return max(0, 1 + (samples - self.frame_length_samples) // self.frame_shift_samples)

    def extra_repr(self) -> str:
        names = ("sampling_rate_hz", "n_mels", "frame_length_ms", "frame_shift_ms", "low_hz", "high_hz")
        return ", ".join(f"{name}={getattr(self, name):g}" for name in names)

    def _log_energies(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B T F"]:
        # Kaldi takes the mean off each frame, then pre-emphasises, then windows. All three are linear, so the whole
        # waveform is pre-emphasised once and (1 - 0.97) of the frame's mean is taken off. Kaldi's special first
        # sample of a frame plays no part: its window is zero there.
        n_frames, n_fft = self.frames(waveforms.shape[1]), len(self.window)
        means = waveforms.unfold(1, self.frame_length_samples, self.frame_shift_samples).mean(-1, keepdim=True)
        edges = waveforms[:, 1:] - _PREEMPHASIS * waveforms[:, :-1]
        edges = nn.functional.pad(edges, (1, n_fft - self.frame_length_samples))
        frames = edges.unfold(1, n_fft, self.frame_shift_samples)[:, :n_frames]
        chunk_frames = _CHUNK_FRAMES.get(waveforms.device.type, _CHUNK_FRAMES_ELSEWHERE)
        chunk = max(1, chunk_frames // max(1, len(waveforms)))
        return torch.cat(
            [
                self._log_energies_of_frames(some_frames, some_means)
                for some_frames, some_means in zip(frames.split(chunk, 1), means.split(chunk, 1), strict=True)
            ],
            dim=1,
        )

    def _log_energies_of_frames(
        self, frames: Float[Tensor, "B T N"], means: Float[Tensor, "B T 1"]
    ) -> Float[Tensor, "B T F"]:
        windowed = (frames - (1 - _PREEMPHASIS) * means) * self.window
        spectrum = torch.fft.rfft(windowed)
        power = spectrum.real.square() + spectrum.imag.square()
        return (power @ self.mel).clamp_min(_FLOOR).log()

    def _lengths_frames(self, waveforms: Tensor, lengths_samples: Tensor | None) -> Int[Tensor, " B"]:
        if waveforms.ndim != 2 or not waveforms.is_floating_point():
            raise InputError(
                "waveforms must be floating-point of shape (batch, samples) in [-1, 1], got "
                f"{tuple(waveforms.shape)} of {waveforms.dtype}; add a batch dimension, divide 16-bit integers by 32768"
            )
        n_items, n_samples = waveforms.shape
        shortest, longest = n_samples, n_samples
        if lengths_samples is None:
            lengths_samples = torch.full((n_items,), n_samples)
        elif lengths_samples.shape != (n_items,) or lengths_samples.is_floating_point():
            raise InputError(
                f"lengths_samples must be integers of shape ({n_items},), got {tuple(lengths_samples.shape)} of "
                f"{lengths_samples.dtype}"
            )
        elif n_items:
            shortest, longest = (int(edge) for edge in torch.aminmax(lengths_samples))
        lengths_samples = lengths_samples.to(waveforms.device, torch.int64)
        if shortest < self.frame_length_samples or longest > n_samples:
            raise InputError(
                f"a waveform must have at least {self.frame_length_samples} samples (one frame of "
                f"{self.frame_length_ms:g} ms) and at most the {n_samples} of the batch, got lengths from {shortest} "
                f"to {longest}; leave out what is too short"
            )
        return 1 + torch.div(
            lengths_samples - self.frame_length_samples, self.frame_shift_samples, rounding_mode="floor"
        )

    def _constants(self) -> tuple[Tensor, Tensor]:
        """Build the padded window, scaled to 16-bit integers as Kaldi's input is, and the filters (bins, n_mels)."""
        n_fft = 2 ** math.ceil(math.log2(self.frame_length_samples))
        phase = 2 * np.pi * np.arange(self.frame_length_samples) / (self.frame_length_samples - 1)
        window = np.zeros(n_fft)
        window[: self.frame_length_samples] = _FULL_SCALE * (0.5 - 0.5 * np.cos(phase)) ** 0.85
        mel = mel_filters(n_fft, self.sampling_rate_hz, self.n_mels, self.low_hz, self.high_hz)
        empty = np.flatnonzero(~mel.any(axis=0))
        if empty.size:
            raise InputError(
                f"with {self.n_mels} filters from {self.low_hz:g} to {self.high_hz:g} Hz, {empty.size} of them (the "
                f"first is {empty[0]}) cover no frequency bin of a {n_fft}-point transform at "
                f"{self.sampling_rate_hz} Hz; take fewer filters or longer frames"
            )
        return torch.from_numpy(window).to(torch.float32), torch.from_numpy(mel).to(torch.float32)

    def _apply(self, fn, recurse: bool = True):
        # A model cast to half precision as a whole keeps its filter bank exact.
        super()._apply(fn, recurse)
        if self.window.dtype != torch.float32:
            window, mel = self._constants()
            self.window, self.mel = window.to(self.window.device), mel.to(self.mel.device)
        return self


def mel_filters(n_fft: int, sampling_rate_hz: int, n_mels: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return Kaldi's triangular filters, float64 (n_fft / 2 + 1, n_mels): equal steps of 1127 ln(1 + f / 700).

    As in Kaldi, the bin at half the sampling rate belongs to no filter.
    """
    edges = np.linspace(_to_mel(low_hz), _to_mel(high_hz), n_mels + 2)
    bins = _to_mel(np.arange(n_fft // 2 + 1) * sampling_rate_hz / n_fft)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[-1] = 0.0
    return filters


def subtract_mean(
    features: Float[Tensor, "B T F"], lengths_frames: Int[Tensor, " B"] | None = None
) -> Float[Tensor, "B T F"]:
    """Subtract from each utterance the mean of its own valid frames, and set its padding to zero.

    Args:
        features: (B, T, F); what stands in the padding is ignored.
        lengths_frames: (B,), the valid frames of each, at least one; None means all T.
    """
    if lengths_frames is None:
        return features - features.mean(dim=1, keepdim=True)
    valid = valid_frames(lengths_frames, features.shape[1])[..., None]
    features = features.masked_fill(~valid, 0.0)
    means = features.sum(dim=1, keepdim=True) / lengths_frames.to(features.dtype)[:, None, None]
    return (features - means).masked_fill(~valid, 0.0)


def valid_frames(lengths_frames: Int[Tensor, " B"], n_frames: int) -> Bool[Tensor, "B T"]:
    """Return True where a frame belongs to its utterance and False in the padding."""
    return torch.arange(n_frames, device=lengths_frames.device) < lengths_frames[:, None]


def _samples(sampling_rate_hz: int, duration_ms: float) -> int:
    # Kaldi multiplies in single precision and cuts off, which decides the last sample at odd rates.
    return int(np.float32(sampling_rate_hz) * np.float32(0.001) * np.float32(duration_ms))


def _to_mel(frequency_hz):
    return 1127.0 * np.log1p(frequency_hz / 700.0)


@dataclass(frozen=True)
class MaskOptions:
    """How many bands are hidden in each utterance, and how wide they may be (drawn from 0 to this, inclusive)."""

    time_masks: int = 1
    time_mask_max_frames: int = 10
    frequency_masks: int = 1
    frequency_mask_max_bins: int = 8

    def __post_init__(self) -> None:
        require_at_least(0, **vars(self))


def mask_features(
    features: Tensor,
    seeds: Sequence[Seed],
    *,
    lengths_frames: Tensor | None = None,
    options: MaskOptions | None = None,
) -> Tensor:
    """Set random bands of time and frequency to zero (Park et al., SpecAugment, Interspeech 2019, without warping).

    Args:
        features: floating (B, T, F) whose means were subtracted, so that zero is the mean.
        seeds: one an item; the same seed and length give the same bands in any batch.
        lengths_frames: integer (B,), valid frames of each; bands of time lie inside them. None means all T.
        options: numbers and widths; None takes the defaults. A band is never wider than its axis.
    """
    if features.ndim != 3 or not features.is_floating_point():
        raise InputError(
            f"features must be floating-point of shape (batch, frames, bins), got {tuple(features.shape)} of "
            f"{features.dtype}"
        )
    n_items, n_frames, n_bins = features.shape
    options = options or MaskOptions()
    streams = item_streams(seeds, n_items, _MASKING_PURPOSE)
    lengths = [n_frames] * n_items if lengths_frames is None else lengths_frames.tolist()
    if len(lengths) != n_items:
        raise InputError(f"expected lengths_frames of shape ({n_items},), got {len(lengths)} lengths")
    time, frequency = [], []
    for stream, n_valid in zip(streams, lengths, strict=True):
        time.append(_draw_bands(stream, options.time_masks, options.time_mask_max_frames, n_valid))
        frequency.append(_draw_bands(stream, options.frequency_masks, options.frequency_mask_max_bins, n_bins))
    hidden = [torch.from_numpy(np.stack(bands)).to(features.device) for bands in (time, frequency)]
    heard = [~_inside(bands, length) for bands, length in zip(hidden, (n_frames, n_bins), strict=True)]
    # Two products take a sixth of the time of filling by a mask of all features.
    return (features * heard[0][:, :, None]).mul_(heard[1][:, None, :])


def _draw_bands(stream: np.random.Generator, number: int, widest: int, length: int) -> np.ndarray:
    """Draw (start, end) of each band inside [0, length); int64 (number, 2)."""
    widths = stream.integers(0, min(widest, length), size=number, endpoint=True)
    starts = stream.integers(0, length - widths, endpoint=True)
    return np.stack([starts, starts + widths], axis=-1)


def _inside(bands: Int[Tensor, "B M 2"], length: int) -> Bool[Tensor, "B L"]:
    """Return True at the positions that some band of the item covers."""
    positions = torch.arange(length, device=bands.device)
    return ((positions >= bands[..., :1]) & (positions < bands[..., 1:])).any(1)
