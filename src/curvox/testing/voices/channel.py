"""What a session does to speech: its room, its recording device, its noise and its level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLING_RATE_HZ = 16000
"""The rate of everything in this module."""

CHANNELS = {
    "studio": (60.0, 7600.0),
    "laptop": (120.0, 6500.0),
    "phone": (300.0, 3700.0),
    "speakerphone": (200.0, 5000.0),
}
"""Recording devices and their pass bands in Hz."""

NOISES = {"hiss": 0.0, "fan": -4.0, "street": -6.0, "crowd": -5.0}
"""Noises and their spectral slopes in dB per octave; ``crowd`` also swells and fades a few times a second."""

_EDGE_DB_PER_OCTAVE = 30.0
_KNOTS, _UNEVEN_DB = 8, 5.0
_ROOM_S = 0.25
_FADE_S = 0.005
_PEAK = 0.9


@dataclass(frozen=True)
class Session:
    """The circumstances of one visit of a speaker; every utterance of the session shares them.

    ``rate`` multiplies the speaking rate and ``pitch`` is espeak-ng's pitch setting (50 = as usual).
    ``speech_response`` is the frequency response of room and device, ``noise_response`` that of device and kind of
    noise, both on a grid long enough for the longest utterance. ``snr_db`` is the mean signal-to-noise ratio,
    ``level_db`` the mean level relative to full scale.
    """

    channel: str
    noise: str
    rate: float
    pitch: int
    snr_db: float
    level_db: float
    speech_response: np.ndarray
    noise_response: np.ndarray


def draw_session(rng: np.random.Generator, *, longest_s: float) -> Session:
    """Return the random circumstances of one session of utterances of at most ``longest_s``."""
    channel, noise = str(rng.choice(list(CHANNELS))), str(rng.choice(list(NOISES)))
    room = _draw_room(rng)
    n_fft = _fast_length(int(longest_s * SAMPLING_RATE_HZ) + room.size)
    frequencies_hz = np.fft.rfftfreq(n_fft, 1.0 / SAMPLING_RATE_HZ)
    gain = _device_gain(rng, frequencies_hz, channel)
    slope = 10.0 ** (NOISES[noise] / 20.0 * np.log2(np.maximum(frequencies_hz, 50.0) / 1000.0))
    return Session(
        channel=channel,
        noise=noise,
        rate=float(np.exp(rng.normal(0.0, 0.06))),
        pitch=int(np.clip(np.round(rng.normal(50.0, 2.5)), 42, 58)),
        snr_db=float(rng.uniform(3.0, 18.0)),
        level_db=float(rng.uniform(-32.0, -18.0)),
        speech_response=gain * np.fft.rfft(room, n_fft),
        noise_response=gain * slope,
    )


def record(speech: np.ndarray, session: Session, rng: np.random.Generator) -> np.ndarray:
    """Return int16 samples (S,) of ``speech`` (S,), clean at 16 kHz, as this session would have recorded it.

    Never clipped; the level and the signal-to-noise ratio vary a little around those of the session.
    """
    n_fft = 2 * (session.speech_response.size - 1)
    heard = np.fft.irfft(np.fft.rfft(_fade(speech), n_fft) * session.speech_response, n_fft)[: speech.size]
    noise = _draw_noise(rng, session)[: speech.size]
    snr_db = session.snr_db + rng.normal(0.0, 1.5)
    mixed = heard + noise * (_rms(heard) / _rms(noise)) * 10.0 ** (-snr_db / 20.0)
    mixed *= 10.0 ** ((session.level_db + rng.normal(0.0, 1.5)) / 20.0) / _rms(mixed)
    mixed *= min(1.0, _PEAK / float(np.abs(mixed).max()))
    return np.round(mixed * 32767.0).astype(np.int16)


def _draw_room(rng: np.random.Generator) -> np.ndarray:
    """An impulse response: the direct sound, then noise that dies away with a random reverberation time."""
    reverberation_time_s = rng.uniform(0.1, 0.5)
    direct_to_reverberant_db = rng.uniform(2.0, 15.0)
    times_s = np.arange(int(_ROOM_S * SAMPLING_RATE_HZ)) / SAMPLING_RATE_HZ
    tail = rng.standard_normal(times_s.size) * 10.0 ** (-3.0 * times_s / reverberation_time_s)
    tail[:32] = 0.0
    tail *= 10.0 ** (-direct_to_reverberant_db / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _device_gain(rng: np.random.Generator, frequencies_hz: np.ndarray, channel: str) -> np.ndarray:
    """Linear gain at each frequency: the device's pass band with sloping edges, and an uneven response inside."""
    low_hz, high_hz = CHANNELS[channel]
    octaves = np.log2(np.maximum(frequencies_hz, 20.0))
    below = np.maximum(np.log2(low_hz) - octaves, 0.0)
    above = np.maximum(octaves - np.log2(high_hz), 0.0)
    knots = np.linspace(np.log2(60.0), np.log2(SAMPLING_RATE_HZ / 2), _KNOTS)
    uneven_db = np.interp(octaves, knots, rng.normal(0.0, _UNEVEN_DB, size=_KNOTS))
    return 10.0 ** ((uneven_db - _EDGE_DB_PER_OCTAVE * (below + above)) / 20.0)


def _draw_noise(rng: np.random.Generator, session: Session) -> np.ndarray:
    """Gaussian noise of the session's spectrum, drawn in the frequency domain; a crowd swells and fades."""
    real, imaginary = rng.standard_normal((2, session.noise_response.size))
    noise = np.fft.irfft((real + 1j * imaginary) * session.noise_response)
    if session.noise != "crowd":
        return noise
    corners = rng.uniform(0.2, 1.8, size=2 + int(4.0 * noise.size / SAMPLING_RATE_HZ))
    return noise * np.interp(np.linspace(0.0, corners.size - 1, noise.size), np.arange(corners.size), corners)


def _fade(speech: np.ndarray) -> np.ndarray:
    ramp = np.linspace(0.0, 1.0, int(_FADE_S * SAMPLING_RATE_HZ))
    faded = speech.astype(np.float64)
    faded[: ramp.size] *= ramp
    faded[-ramp.size :] *= ramp[::-1]
    return faded


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _fast_length(samples: int) -> int:
    """The next multiple of 4096, a length whose Fourier transform is fast and even."""
    return -(-samples // 4096) * 4096
