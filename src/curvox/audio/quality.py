"""Measure a recording without knowing who speaks: length, speech, noise, bandwidth, clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.audio.reading.files import check_waveform
from curvox.errors import InputError, require_positive

SMALLEST_SNR_DB, LARGEST_SNR_DB = -20.0, 100.0
SMALLEST_BANDWIDTH_HZ = 200.0

_HOP_S = 0.01
# Quantisation to 16 bits, as a mean square: what digital silence is counted as.
_QUANTISATION = 2.0**-30 / 12
_QUIETEST_SPEECH_DB = -70.0
_ABOVE_NOISE_DB = 6.0
_BELOW_LOUD_DB = 35.0
_LONGEST_GAP, _SHORTEST_SPEECH = 20, 4
_SPECTRUM_S = 0.032
_BLOCK_FRAMES = 4096
_LOWEST_PEAK_HZ, _HIGHEST_PEAK_HZ = 150.0, 3000.0
_BELOW_PEAK_DB = 60.0
_FULL = 0.99
_FLAT_SAMPLES = 3
_SMALLEST_FLAT_PEAK = 0.03


@dataclass(frozen=True)
class RecordingQuality:
    """Measures of one recording; `measure_quality` says how each is taken.

    Attributes:
        duration_s: length, above 0.
        speech_s: seconds of it that are speech.
        silence_share: share of it that is not speech, in [0, 1].
        snr_db: signal-to-noise ratio within the speech, in [-20, 100].
        bandwidth_hz: frequency above which there is nothing, up to half the sampling rate.
        clipped_share: share of clipped samples, in [0, 1].
        sampling_rate_hz: of the waveform that was measured.
    """

    duration_s: float
    speech_s: float
    silence_share: float
    snr_db: float
    bandwidth_hz: float
    clipped_share: float
    sampling_rate_hz: int


def measure_quality(waveform: np.ndarray, sampling_rate_hz: int) -> RecordingQuality:
    """Measure a recording.

    Speech is found by energy. Levels are taken every 10 ms over 20 ms. A frame is speech when its level is at least
    6 dB above the noise level (the 10th percentile of the levels), no more than 35 dB below the loud level (the 95th),
    and at least -70 dB of full scale. Gaps of at most 0.2 s within speech count as speech; what then lasts less than
    0.04 s does not. Energy cannot tell a steady sound from noise: a hummed note is not speech by this rule.

    The signal-to-noise ratio is the mean power of the speech frames, less that of the noise, over the power of the
    noise: the median of the frames that are no speech, or the 10th percentile of all where these last less than 0.1 s.
    Digital silence counts as the rounding noise of 16 bits. A recording without a pause is taken to be noisier than it
    is. Without any speech the ratio is the smallest, -20 dB. On speech with pauses and steady noise it is within 3 dB
    from 5 to 40 dB; below that only the loudest speech stands out, and the ratio is too high.

    The bandwidth is the highest frequency at which the power density, by spectra over 32 ms averaged over the whole
    recording, is at most 60 dB below its highest value between 150 Hz and 3 kHz, and above the rounding noise of
    16 bits. Telephone speech has about 4 kHz at any sampling rate.

    A sample is clipped when it reaches 0.99 of full scale, or when it is one of three or more equal samples in a row at
    the recording's largest value.

    Args:
        waveform: (samples,) of floats, nominally in [-1, 1].

    Raises:
        AudioError: a waveform no speaker can be heard in; see `check_waveform`.
        InputError: a sampling rate below 1 kHz.
    """
    if require_positive(sampling_rate_hz, "sampling_rate_hz") < 1000:
        raise InputError(f"sampling_rate_hz must be at least 1000, got {sampling_rate_hz}")
    check_waveform(waveform, sampling_rate_hz, "the waveform")
    powers = _powers(waveform, sampling_rate_hz)
    speech = find_speech(powers)
    duration_s = waveform.size / sampling_rate_hz
    speech_share = float(speech.mean())
    return RecordingQuality(
        duration_s=duration_s,
        speech_s=duration_s * speech_share,
        silence_share=1 - speech_share,
        snr_db=_snr_db(powers, speech),
        bandwidth_hz=_bandwidth_hz(waveform, sampling_rate_hz),
        clipped_share=_clipped_share(waveform),
        sampling_rate_hz=int(sampling_rate_hz),
    )


def find_speech(powers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which frames (F,) are speech, from their mean squares (F,) every 10 ms; see `measure_quality`."""
    levels_db = 10 * np.log10(powers + _QUANTISATION)
    noise_db, loud_db = np.percentile(levels_db, [10, 95])
    threshold_db = max(noise_db + _ABOVE_NOISE_DB, loud_db - _BELOW_LOUD_DB, _QUIETEST_SPEECH_DB)
    speech = _without_short_runs(levels_db >= threshold_db, False, _LONGEST_GAP, keep_ends=True)
    return _without_short_runs(speech, True, _SHORTEST_SPEECH - 1, keep_ends=False)


def _powers(waveform: np.ndarray, sampling_rate_hz: int) -> NDArray[np.float64]:
    """Return mean squares over 20 ms every 10 ms, the mean of the whole recording taken off; at least one frame."""
    hop = max(1, round(_HOP_S * sampling_rate_hz))
    hops = waveform.size // hop
    centred = waveform - np.float32(waveform.mean(dtype=np.float64))
    by_hop = np.einsum("ij,ij->i", *(2 * [centred[: hops * hop].reshape(hops, hop)]), dtype=np.float64) / hop
    return (by_hop[1:] + by_hop[:-1]) / 2 if hops > 1 else by_hop


def _without_short_runs(mask: NDArray[np.bool_], value: bool, longest: int, *, keep_ends: bool) -> NDArray[np.bool_]:
    """Return the mask with runs of ``value`` of at most ``longest`` frames turned over."""
    starts = np.flatnonzero(np.concatenate(([True], mask[1:] != mask[:-1])))
    lengths = np.diff(np.concatenate((starts, [mask.size])))
    short = (mask[starts] == value) & (lengths <= longest)
    if keep_ends:
        short[[0, -1]] = False
    return np.repeat(mask[starts] ^ short, lengths)


def _snr_db(powers: NDArray[np.float64], speech: NDArray[np.bool_]) -> float:
    if not speech.any():
        return SMALLEST_SNR_DB
    rest = powers[~speech]
    noise = float(np.median(rest) if rest.size >= 10 else np.percentile(powers, 10)) + _QUANTISATION
    ratio = max(float(powers[speech].mean()) / noise - 1, 1e-10)
    return float(np.clip(10 * np.log10(ratio), SMALLEST_SNR_DB, LARGEST_SNR_DB))


def _bandwidth_hz(waveform: np.ndarray, sampling_rate_hz: int) -> float:
    size = min(round(_SPECTRUM_S * sampling_rate_hz), waveform.size)
    density = _power_density(waveform, size, sampling_rate_hz)
    frequencies_hz = np.arange(density.size) * sampling_rate_hz / size
    voice = (frequencies_hz >= _LOWEST_PEAK_HZ) & (frequencies_hz <= _HIGHEST_PEAK_HZ)
    # Twice the rounding noise, which is spread evenly up to half the sampling rate.
    floor = max(density[voice].max() * 10 ** (-_BELOW_PEAK_DB / 10), 2 * _QUANTISATION / (sampling_rate_hz / 2))
    above = np.flatnonzero(density > floor)
    highest_hz = float(frequencies_hz[above[-1]]) if above.size else 0.0
    return min(max(highest_hz, SMALLEST_BANDWIDTH_HZ), sampling_rate_hz / 2)


def _power_density(waveform: np.ndarray, size: int, sampling_rate_hz: int) -> NDArray[np.float64]:
    """Return the mean power density (size // 2 + 1,) per hertz by Welch's method: Hann windows, half overlapping."""
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size)[:: max(1, size // 2)]
    total = np.zeros(size // 2 + 1)
    for first in range(0, len(frames), _BLOCK_FRAMES):
        spectra = np.fft.rfft(frames[first : first + _BLOCK_FRAMES] * window, axis=1)
        total += (spectra.real**2 + spectra.imag**2).sum(axis=0)
    return 2 * total / (len(frames) * sampling_rate_hz * np.square(window).sum())


def _clipped_share(waveform: np.ndarray) -> float:
    size = np.abs(waveform)
    clipped = size >= _FULL
    largest = size.max()
    if largest >= _SMALLEST_FLAT_PEAK:
        for side in (waveform == largest, waveform == -largest):
            clipped |= _without_short_runs(side, True, _FLAT_SAMPLES - 1, keep_ends=False)
    return float(clipped.mean())
