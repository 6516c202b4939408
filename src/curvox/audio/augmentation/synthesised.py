"""Change a batch of waveforms the way rooms, crowds and telephone lines do, each item by its own seed.

Babble and noise are added first (at the place), then the channel filters (on the way), then the gain is set.
The changes follow the usual recipe of the field (Snyder et al., X-Vectors, ICASSP 2018), without its recordings of
noise: noise is synthesised, babble is made of the other items of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from curvox.audio.augmentation.batches import (
    Seed,
    amplitude,
    change_rows,
    check_ranges,
    chosen,
    column,
    fast_length,
    levels,
    picked,
    streams_of,
    uniform,
)
from curvox.errors import InputError, require_positive

_PURPOSE = 1
_OCTAVE_BASE_HZ = 100.0
_RESPONSE_POINTS = 257
_STOP_DB = -40.0


@dataclass(frozen=True)
class AugmentationOptions:
    """How often and how strongly waveforms are changed; ranges are drawn from uniformly.

    Signal-to-noise ratios are of mean power over the whole waveform. The slope of the noise is that of its power
    density above 100 Hz: 0 is white, -3 pink, -6 brown. A channel passes from a drawn lower to a drawn upper edge,
    falls by 40 dB over half an octave outside, and inside has a smooth random ripple of the given spread.
    """

    noise_probability: float = 0.5
    snr_low_db: float = 5.0
    snr_high_db: float = 25.0
    noise_slope_low_db_per_octave: float = -6.0
    noise_slope_high_db_per_octave: float = 0.0
    babble_probability: float = 0.2
    babble_voices: int = 4
    babble_snr_low_db: float = 10.0
    babble_snr_high_db: float = 25.0
    channel_probability: float = 0.3
    channel_low_edge_low_hz: float = 50.0
    channel_low_edge_high_hz: float = 350.0
    channel_high_edge_low_hz: float = 3000.0
    channel_high_edge_high_hz: float = 7500.0
    channel_ripple_db: float = 3.0
    gain_probability: float = 0.5
    gain_low_db: float = -12.0
    gain_high_db: float = 6.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.channel_low_edge_low_hz <= 0 or self.channel_ripple_db < 0:
            raise InputError("channel_low_edge_low_hz must be above 0 and channel_ripple_db at least 0")
        if self.channel_low_edge_high_hz >= self.channel_high_edge_low_hz:
            raise InputError("channel_low_edge_high_hz must be below channel_high_edge_low_hz")


def augment(
    waveforms: Tensor,
    seeds: Sequence[Seed],
    *,
    sampling_rate_hz: int = 16000,
    options: AugmentationOptions | None = None,
    speakers: Sequence[int] | None = None,
) -> Tensor:
    """Change each waveform of a batch by chance: babble, noise, a channel, a gain.

    As `curvox.audio.augmentation` says, except that babble is made of the batch's other waveforms as they came in.
    Values may leave [-1, 1]; nothing is clipped. Silence stays silence.

    Args:
        speakers: who speaks in each item; nobody is put into the babble behind their own voice. None: all differ.
    """
    require_positive(sampling_rate_hz, "sampling_rate_hz")
    if speakers is not None and len(speakers) != len(waveforms):
        raise InputError(f"expected one speaker an item, got {len(speakers)} speakers for {len(waveforms)} items")
    options = options or AugmentationOptions()
    streams = streams_of(waveforms, seeds, _PURPOSE)
    names = np.arange(len(waveforms)) if speakers is None else np.asarray(speakers)
    others = names[:, None] != names[None, :]
    babbled = chosen(streams, options.babble_probability) & others.any(1)
    noisy = chosen(streams, options.noise_probability)
    filtered = chosen(streams, options.channel_probability)
    scaled = chosen(streams, options.gain_probability)
    changed = add_babble(waveforms, streams, babbled, others, options)
    changed = _shape_spectra(changed, streams, noisy, filtered, sampling_rate_hz, options)
    gains_db = np.where(scaled, uniform(streams, options.gain_low_db, options.gain_high_db), 0.0)
    return changed * column(amplitude(gains_db), changed)


def add_babble(
    waveforms: Float[Tensor, "B S"],
    streams: Sequence[np.random.Generator],
    mask: np.ndarray,
    others: np.ndarray,
    options: AugmentationOptions,
) -> Float[Tensor, "B S"]:
    """Add to the items of ``mask`` the sum of a few items that ``others``, bool (B, B), allows in its row, at a drawn
    signal-to-noise ratio."""
    if not mask.any():
        return waveforms
    n_items = len(waveforms)
    rows = np.flatnonzero(mask)
    mixing = np.zeros((len(rows), n_items), dtype=np.float32)
    for row, item in zip(mixing, rows.tolist(), strict=True):
        allowed = np.flatnonzero(others[item])
        row[streams[item].choice(allowed, size=min(options.babble_voices, len(allowed)), replace=False)] = 1.0
    at = torch.from_numpy(rows).to(waveforms.device)
    own_levels = waveforms.square().mean(1, keepdim=True).sqrt()
    # Voices of equal loudness, so that a loud recording does not stand for the crowd.
    voices = torch.from_numpy(mixing).to(waveforms) / levels(waveforms)[:, 0]
    babble = voices @ waveforms
    wanted = amplitude(-uniform(picked(streams, rows), options.babble_snr_low_db, options.babble_snr_high_db))
    scale = own_levels[at] / levels(babble)
    return waveforms.index_add(0, at, babble * scale * column(wanted, waveforms))


def _shape_spectra(
    waveforms: Float[Tensor, "B S"],
    streams: Sequence[np.random.Generator],
    noisy: np.ndarray,
    filtered: np.ndarray,
    sampling_rate_hz: int,
    options: AugmentationOptions,
) -> Float[Tensor, "B S"]:
    """Add noise and apply channels to the items that need them, both in one trip through the Fourier transform."""
    n_samples = waveforms.shape[1]
    n_fft = fast_length(n_samples)

    def shaped(rows: np.ndarray, items: Tensor) -> Tensor:
        own, has_noise, has_channel = picked(streams, rows), noisy[rows[0]], filtered[rows[0]]
        # Without a channel, noise is added to the waveform, which then needs no transform of its own.
        spectra = torch.fft.rfft(items, n=n_fft) if has_channel else torch.zeros((), device=items.device)
        if has_noise:
            spectra = spectra + _noise_spectra(own, items.square().mean(1), n_fft, sampling_rate_hz, options)
        if has_channel:
            channels = _channels(own, n_fft, sampling_rate_hz, options).to(items.device)
            spectra = torch.view_as_complex(torch.view_as_real(spectra) * channels)
        heard = torch.fft.irfft(spectra, n=n_fft)[:, :n_samples]
        return heard if has_channel else items + heard

    groups = noisy & ~filtered, noisy & filtered, ~noisy & filtered
    return change_rows(waveforms, shaped, *map(np.flatnonzero, groups))


def _noise_spectra(
    streams: Sequence[np.random.Generator],
    powers: Float[Tensor, " N"],
    n_fft: int,
    sampling_rate_hz: int,
    options: AugmentationOptions,
) -> Tensor:
    """Draw spectra of coloured noise whose mean power stands to ``powers`` as the drawn ratio says.

    Each bin gets a fixed magnitude and one of four phases; the sum of so many is Gaussian to the ear and to any
    test, and the bits cost a tenth of normal deviates.
    """
    n_bins = n_fft // 2 + 1
    device = powers.device
    n_bytes = (2 * n_bins + 7) // 8
    bits = np.stack([np.unpackbits(np.frombuffer(stream.bytes(n_bytes), np.uint8))[: 2 * n_bins] for stream in streams])
    signs = torch.from_numpy(bits).to(device, torch.float32).mul_(2).sub_(1)
    slopes = uniform(streams, options.noise_slope_low_db_per_octave, options.noise_slope_high_db_per_octave)
    snrs_db = uniform(streams, options.snr_low_db, options.snr_high_db)
    hz = torch.arange(n_bins, device=device) * (sampling_rate_hz / n_fft)
    octaves = (hz / _OCTAVE_BASE_HZ).clamp_min(1.0).log2()
    magnitudes = torch.exp(octaves * column(slopes * np.log(10) / 20, octaves))
    magnitudes[:, 0] = 0.0  # no constant offset
    if n_fft % 2 == 0:
        magnitudes[:, -1] = 0.0  # this bin has no phase
    # Parseval: a bin of magnitude m and phases (+-1 +-i) adds 4 m^2 / n^2 to the mean power.
    own_powers = 4 * magnitudes.square().sum(1) / n_fft**2
    wanted = powers * torch.from_numpy(10 ** (-snrs_db / 10)).to(device)
    magnitudes = magnitudes * (wanted / own_powers).sqrt()[:, None]
    return torch.view_as_complex(signs.view(len(signs), n_bins, 2) * magnitudes[..., None])


def _channels(
    streams: Sequence[np.random.Generator], n_fft: int, sampling_rate_hz: int, options: AugmentationOptions
) -> Float[Tensor, "N bins 1"]:
    """Draw channels and interpolate them to the bins of a transform."""
    responses = torch.from_numpy(channel_responses(streams, sampling_rate_hz, options))
    # Straight lines between few points keep the impulse response within some 30 ms.
    return torch.nn.functional.interpolate(
        responses[:, None], size=n_fft // 2 + 1, mode="linear", align_corners=True
    ).transpose(1, 2)


def channel_responses(
    streams: Sequence[np.random.Generator], sampling_rate_hz: int, options: AugmentationOptions
) -> np.ndarray:
    """Draw amplitude responses of band-limited channels at equal steps from 0 to half the rate, float32 (N, 257)."""
    hz = np.linspace(0, sampling_rate_hz / 2, _RESPONSE_POINTS, dtype=np.float32)
    octaves = np.log2(np.maximum(hz, 1.0))
    low = np.log2(uniform(streams, options.channel_low_edge_low_hz, options.channel_low_edge_high_hz))
    high = np.log2(uniform(streams, options.channel_high_edge_low_hz, options.channel_high_edge_high_hz))
    outside = np.maximum(np.maximum(low[:, None] - octaves, octaves - high[:, None]), 0.0)
    knots = np.linspace(np.log2(50.0), np.log2(sampling_rate_hz / 2), 9)
    ripple = [
        np.interp(octaves, knots, options.channel_ripple_db * stream.standard_normal(len(knots))) for stream in streams
    ]
    level_db = np.maximum(2 * _STOP_DB * outside, _STOP_DB) + np.stack(ripple)
    return amplitude(level_db)
