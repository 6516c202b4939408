"""Drawing voices at random: gender and accent set where a speaker's parameters lie, the speaker varies around that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GENDERS = ("f", "m")


@dataclass(frozen=True)
class Accent:
    """One accent group: how espeak-ng reads English text, and where the group's voices tend to lie.

    ``language`` is an espeak-ng language file and ``dictionary`` its pronunciation rules; ``pitch`` multiplies the
    fundamental frequency, ``formants`` the first three formants, ``speed`` the speaking rate of the group.
    """

    native_language: str
    nationality: str
    language: str
    dictionary: str
    pitch: float
    formants: tuple[float, float, float]
    speed: float


ACCENTS = (
    Accent("english-american", "american", "gmw/en-US", "en", 0.97, (1.02, 0.98, 1.00), 1.00),
    Accent("english-scottish", "british", "gmw/en-GB-scotland", "en", 1.03, (0.98, 1.02, 1.01), 1.05),
    Accent("german", "german", "gmw/de", "de", 0.95, (0.98, 0.98, 0.98), 0.95),
    Accent("spanish", "spanish", "roa/es", "es", 1.06, (1.02, 1.02, 1.02), 1.12),
)
"""The accent groups, in the order in which speakers are dealt to them."""

_PITCH_HZ = {"f": 185.0, "m": 108.0}
_TRACT = {"f": 1.13, "m": 0.99}


@dataclass(frozen=True)
class Voice:
    """A speaker's voice: what stays the same from session to session.

    ``variant`` is the text of an espeak-ng voice variant, ``pitch_hz`` the mean fundamental frequency it asks for,
    ``words_per_minute`` the speaker's habitual speaking rate.
    """

    gender: str
    accent: Accent
    pitch_hz: float
    words_per_minute: float
    variant: str


def draw_voice(rng: np.random.Generator, gender: str, accent: Accent) -> Voice:
    """Return a random voice of one gender (``f`` or ``m``) and accent group."""
    pitch_hz = _PITCH_HZ[gender] * accent.pitch * float(np.exp(rng.normal(0.0, 0.11)))
    spread = float(np.exp(rng.normal(0.33, 0.18)))
    lines = [
        f"pitch {pitch_hz / spread**0.5:.0f} {pitch_hz * spread**0.5:.0f}",
        *_formant_lines(rng, _TRACT[gender] * float(np.exp(rng.normal(0.0, 0.03))), accent),
        f"flutter {rng.integers(1, 12)}",
        f"roughness {rng.integers(0, 5)}",
        f"voicing {rng.integers(70, 116)}",
        f"consonants {rng.integers(70, 131)} {rng.integers(70, 131)}",
        f"intonation {rng.integers(1, 5)}",
        *_breath_lines(rng, gender),
        _tone_line(rng),
        "stressAdd " + " ".join(str(value) for value in rng.integers(-25, 26, size=8)),
    ]
    words_per_minute = 172.0 * accent.speed * float(np.exp(rng.normal(0.0, 0.08)))
    return Voice(gender, accent, pitch_hz, words_per_minute, "\n".join(lines) + "\n")


def _formant_lines(rng: np.random.Generator, tract: float, accent: Accent) -> list[str]:
    """Frequency, height and width in percent; formant 0 is the voice bar, the vocal tract scales all the others."""
    lines = [f"formant 0 {100 * tract:.0f} {rng.integers(85, 116)} {rng.integers(90, 121)}"]
    for number in range(1, 9):
        group = accent.formants[number - 1] if number <= 3 else 1.0
        frequency = 100 * tract * group * float(np.exp(rng.normal(0.0, 0.025)))
        lines.append(f"formant {number} {frequency:.0f} {rng.integers(75, 116)} {rng.integers(85, 131)}")
    return lines


def _breath_lines(rng: np.random.Generator, gender: str) -> list[str]:
    """Aspiration noise in each formant: none for some speakers, more often some for women."""
    if rng.random() > (0.6 if gender == "f" else 0.35):
        return []
    strength = rng.uniform(1.0, 6.0)
    heights = strength * rng.uniform(0.5, 1.5, size=7)
    return ["breath 0 " + " ".join(f"{height:.0f}" for height in heights)]


def _tone_line(rng: np.random.Generator) -> str:
    """A gentle spectral tilt of the voice source: amplitude (0 to 255) at four frequencies in Hz."""
    middle, high = rng.integers(110, 201), rng.integers(60, 141)
    return f"tone 600 {rng.integers(150, 226)} 1200 {middle} 2000 {high} 3000 {min(high, rng.integers(50, 121))}"
