"""Folders laid out as MUSAN and as RIRS_NOISES, with a few seconds of made-up sound in the place of theirs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from curvox.files import replace_text

_RATE_HZ = 16000
_MUSAN_SOURCES = {"noise": ("free-sound", "sound-bible"), "music": ("fma", "jamendo"), "speech": ("librivox", "us-gov")}
_ROOMS = ("smallroom", "mediumroom", "largeroom")


def write_musan(folder: str | os.PathLike[str], *, recordings: int = 3, seed: int = 0) -> Path:
    """Write ``recordings`` files of 1 to 3 s for each of MUSAN's six sources, with its lists beside them.

    Noise is white, music is three tones, speech is noise that comes in syllables.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    for kind, sources in _MUSAN_SOURCES.items():
        for source in sources:
            place = Path(folder) / kind / source
            place.mkdir(parents=True)
            for number in range(recordings):
                samples = _sound(kind, rng, int(rng.integers(_RATE_HZ, 3 * _RATE_HZ)))
                soundfile.write(place / f"{kind}-{source}-{number:04d}.wav", samples, _RATE_HZ)
            replace_text(place / "LICENSE", "made up\n")
            replace_text(place / "ANNOTATIONS", "")
    replace_text(Path(folder) / "README", "made up\n")
    return Path(folder)


def write_rirs_noises(folder: str | os.PathLike[str], *, rooms: int = 2, seed: int = 0) -> Path:
    """Write two responses for each of ``rooms`` small, middle-sized and large rooms, with the lists beside them.

    A response is a direct path after some milliseconds and noise that falls by 60 dB in 0.2, 0.4 or 0.8 s.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    root = Path(folder) / "simulated_rirs"
    for size, (kind, rt60_s) in enumerate(zip(_ROOMS, (0.2, 0.4, 0.8), strict=True)):
        lines = []
        for room in range(1, rooms + 1):
            place = root / kind / f"Room{room:03d}"
            place.mkdir(parents=True)
            for number in range(1, 3):
                name = f"Room{room:03d}-{number:05d}"
                soundfile.write(place / f"{name}.wav", _response(rng, rt60_s, 80 * (size + 1)), _RATE_HZ)
                lines.append(
                    f"--rir-id {kind}-{name} --room-id {kind}-{room:03d} "
                    f"RIRS_NOISES/simulated_rirs/{kind}/{place.name}/{name}.wav"
                )
        replace_text(root / kind / "rir_list", "\n".join(lines) + "\n")
    return Path(folder)


def _sound(kind: str, rng: np.random.Generator, length: int) -> np.ndarray:
    time_s = np.arange(length) / _RATE_HZ
    if kind == "music":
        tones = rng.uniform(100, 2000, size=(3, 1))
        return 0.1 * np.sin(2 * np.pi * tones * time_s).sum(0)
    noise = 0.05 * rng.standard_normal(length)
    return noise if kind == "noise" else noise * (1.01 + np.sin(2 * np.pi * 4 * time_s))


def _response(rng: np.random.Generator, rt60_s: float, delay_samples: int) -> np.ndarray:
    length = int(rt60_s * _RATE_HZ)
    tail = 0.1 * rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    return np.concatenate([np.zeros(delay_samples), [0.9], tail.clip(-0.5, 0.5)])
