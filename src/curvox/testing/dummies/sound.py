"""Sound that is somewhat like speech: harmonics of a pitch, as loud as noise has it. NumPy and soundfile only."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile

from curvox.files import replace_text

_SYLLABLE_S = 0.12
_LEVEL = 0.2


def speech_like(speaker: str, take: str, *, seconds: float = 0.4, sampling_rate_hz: int = 16000) -> np.ndarray:
    """Return a waveform that depends on the names alone: float64 (samples,), within [-1, 1].

    The speaker's name decides pitch (90 to 250 Hz) and timbre, the name of the take the rhythm and a slow drift of the
    pitch. It has the duration and the rough spectrum of speech, and no words.
    """
    voice = np.random.default_rng(zlib.crc32(speaker.encode()))
    chance = np.random.default_rng(zlib.crc32(f"{speaker}/{take}".encode()))
    samples = round(seconds * sampling_rate_hz)
    time_s = np.arange(samples) / sampling_rate_hz
    pitch_hz = voice.uniform(90, 250) * (1 + 0.1 * np.interp(time_s, *_curve(chance, seconds)))
    phase_rad = 2 * np.pi * np.cumsum(pitch_hz) / sampling_rate_hz
    weights = voice.uniform(0.2, 1.0, 20) / np.arange(1, 21)
    tone = sum(weight * np.sin(number * phase_rad) for number, weight in enumerate(weights, start=1))
    loudness = np.abs(np.interp(time_s, *_curve(chance, seconds))) + 0.1
    sound = tone * loudness + chance.normal(0, 0.02, samples)
    return _LEVEL * sound / np.abs(sound).max()


def _curve(chance: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    knots_s = np.arange(0, seconds + 2 * _SYLLABLE_S, _SYLLABLE_S)
    return knots_s, chance.normal(0, 1, len(knots_s))


def write_recording(path: Path, speaker: str, *, take: str = "", sampling_rate_hz: int = 16000) -> None:
    """Write a recording of 16 bits, in the format of its ending (.wav or .flac); the take is its path if not named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = speech_like(speaker, take or path.name, sampling_rate_hz=sampling_rate_hz)
    soundfile.write(path, sound, sampling_rate_hz, subtype="PCM_16")


def write_lines(path: Path, *lines: str) -> None:
    """Write a text file, its folder first."""
    replace_text(path, "\n".join(lines) + "\n")
