"""Draw what is random in a synthetic corpus: a speaker's voice, a sentence, the circumstances of a session.

Gender and accent set where a speaker's parameters lie, the speaker varies around that. Sentences come from a small
grammar, so that no two utterances of a corpus share their text. A session has its room, its recording device, its
noise and its level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curvox.errors import InputError

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


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", " ").split(";"))


_TABLES = {
    "determiner": _words("the; a; my; our; her; his; their; this; that; every; another; one; the other; some"),
    "link": _words("and; but; while; because; so; until; although; whenever; as soon as; and then"),
    "time": _words(
        """
yesterday; this morning; before dinner; after the storm; on sunday; every evening; at midnight; last winter; during
the meeting; by noon; in early june; long ago; once a week; around sunset; some days later; all summer
"""
    ),
    "adjective": _words(
        """
quiet; yellow; frozen; clever; broken; gentle; purple; hungry; ancient; narrow; honest; bitter; shiny; wooden;
famous; lazy; empty; proud; silver; hollow; careful; strange; golden; humble; windy; polite; rusty; tender; noisy;
royal; green; tall; heavy; curious; modern; thirsty; fragile; distant; cheerful; muddy; sudden; private; orange;
brave; tiny; smooth
"""
    ),
    "noun": _words(
        """
farmer; river; lantern; teacher; window; garden; engine; pilot; kitchen; violin; mountain; doctor; basket; sailor;
ladder; village; tiger; pocket; captain; bridge; blanket; painter; island; candle; neighbour; jacket; forest;
hammer; singer; market; bottle; donkey; harbour; mirror; uncle; pumpkin; railway; spider; carpet; judge; feather;
museum; rabbit; shovel; station; thunder; pepper; visitor; wagon; zebra; author; beach; chapel; dragon; elbow;
finger; goose; hotel; insect; jungle; kettle; lemon; magnet; needle; orchard; parrot; queen; robot; saddle; temple;
umbrella; valley; whistle; yard; actor; balloon; camera; desert; eagle; fountain; guitar; helmet; iron; jewel;
knight; lake; monkey; notebook; onion; piano; rocket; salad; tower
"""
    ),
    "verb": _words(
        """
carried; painted; followed; borrowed; opened; noticed; repaired; counted; crossed; forgot; visited; measured;
ignored; bought; lifted; hid; described; cleaned; chased; welcomed; sold; watched; covered; divided; found; guarded;
heard; invited; joined; kept; loved; moved; needed; ordered; photographed; questioned; reached; shook; touched;
understood; wanted; admired; broke
"""
    ),
    "place": _words(
        """
near; behind; across; under; above; beside; through; along; beyond; inside; outside; around; against; between the
hills and; opposite; at the edge of; on top of; in front of; close to; far from
"""
    ),
    "adverb": _words(
        """
slowly; gladly; twice; never; almost; quietly; often; suddenly; carefully; bravely; politely; rarely; quickly; at
last; without a word; by mistake; for nothing; in a hurry; with great care; again
"""
    ),
}
_PATTERNS = (
    "determiner noun verb determiner adjective noun",
    "determiner adjective noun verb determiner noun place determiner noun",
    "time determiner noun adverb verb determiner noun",
    "determiner noun place determiner adjective noun verb determiner noun adverb",
    "time determiner adjective noun verb determiner adjective noun",
    "determiner noun adverb verb determiner noun place determiner adjective noun",
)


def draw_sentence(rng: np.random.Generator, *, words: int = 12) -> str:
    """Return a random English sentence of at least ``words`` words (about a third of a second each when spoken).

    It is a chain of clauses, each a random pattern filled from the vocabulary: grammatical, without meaning.
    """
    if words < 1:
        raise InputError(f"a sentence needs at least 1 word, got words={words}; ask for more")
    spoken: list[str] = []
    while len(spoken) < words:
        if spoken:
            spoken.extend(_pick(rng, "link").split())
        for part in _PATTERNS[rng.integers(len(_PATTERNS))].split():
            spoken.extend(_pick(rng, part).split())
    text = " ".join(spoken)
    return text[0].upper() + text[1:] + "."


def _pick(rng: np.random.Generator, part: str) -> str:
    table = _TABLES[part]
    return table[rng.integers(len(table))]


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
