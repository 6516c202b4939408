"""One speaker of the synthetic corpus, from the plan to the files; a function of the plan alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curvox.errors import CurvoxError
from curvox.testing.voices import espeak
from curvox.testing.voices.channel import SAMPLING_RATE_HZ, Session, draw_session, record
from curvox.testing.voices.sentences import draw_sentence
from curvox.testing.voices.voice import Accent, Voice, draw_voice

CORPUS = "voices"
"""What the manifest calls this corpus."""

_WORDS_PER_S = 4
_ATTEMPTS = 4
_SILENCE = 0.01
_SPARE_S = 0.3


@dataclass(frozen=True)
class SpeakerPlan:
    """What to synthesise for one speaker; ``number`` counts the speakers of the corpus from 0."""

    seed: int
    number: int
    split: str
    gender: str
    accent: Accent
    sessions: int
    utterances_per_session: int
    shortest_s: float
    longest_s: float

    @property
    def speaker(self) -> str:
        """The speaker's label."""
        return f"{CORPUS}-{self.number:04d}"


@dataclass(frozen=True)
class Row:
    """One line of the manifest; the fields are its columns, in its order."""

    utterance: str
    path: str
    corpus: str
    speaker: str
    session: str
    gender: str
    language: str
    native_language: str
    nationality: str
    channel: str
    sampling_rate_hz: int
    duration_s: float
    split: str


def synthesise_speaker(plan: SpeakerPlan, folder: Path, espeak_folder: Path) -> list[Row]:
    """Write all utterances of one speaker below ``folder`` and return their manifest rows.

    ``espeak_folder`` was filled by :func:`curvox.testing.voices.espeak.prepare_espeak`. The samples depend on ``plan``
    alone.
    """
    rng = np.random.default_rng([plan.seed, plan.number])
    voice = draw_voice(rng, plan.gender, plan.accent)
    folder.joinpath("audio", plan.speaker).mkdir(parents=True)
    rows = []
    with espeak.Espeak(espeak_folder, name=plan.speaker, seed=int(rng.integers(1, 2**31))) as synthesiser:
        synthesiser.set_voice(voice.accent.language, voice.variant)
        for session_number in range(1, plan.sessions + 1):
            session = draw_session(rng, longest_s=plan.longest_s)
            for number in range(1, plan.utterances_per_session + 1):
                duration_s = rng.uniform(plan.shortest_s, plan.longest_s)
                speech = _speak(synthesiser, voice, session, rng, duration_s)
                row = _row(plan, session, session_number, number, speech.size)
                soundfile.write(folder / row.path, record(speech, session, rng), SAMPLING_RATE_HZ, subtype="PCM_16")
                rows.append(row)
    return rows


def _speak(
    synthesiser: espeak.Espeak, voice: Voice, session: Session, rng: np.random.Generator, duration_s: float
) -> np.ndarray:
    """Say a new sentence and return ``duration_s`` of it at 16 kHz, from its first sound on."""
    wanted_samples = int((duration_s + _SPARE_S) * espeak.SAMPLING_RATE_HZ)
    samples = int(duration_s * SAMPLING_RATE_HZ)
    words_per_minute = round(voice.words_per_minute * session.rate)
    words = int(_WORDS_PER_S * duration_s) + 4
    for _ in range(_ATTEMPTS):
        text = draw_sentence(rng, words=words)
        spoken = synthesiser.say(
            text, wanted_samples=wanted_samples, words_per_minute=words_per_minute, pitch=session.pitch
        )
        loud = np.abs(spoken) > _SILENCE
        speech = soxr.resample(spoken[np.argmax(loud) :], espeak.SAMPLING_RATE_HZ, SAMPLING_RATE_HZ)
        if loud.any() and speech.size >= samples:
            return speech[:samples]
        words *= 2
    raise CurvoxError(
        f"espeak-ng spoke less than {duration_s:.2f} s of {words // 2} words with the voice\n{voice.variant}"
    )


def _row(plan: SpeakerPlan, session: Session, session_number: int, number: int, samples: int) -> Row:
    return Row(
        utterance=f"{plan.speaker}-{session_number}-{number:02d}",
        path=f"audio/{plan.speaker}/{session_number}-{number:02d}.flac",
        corpus=CORPUS,
        speaker=plan.speaker,
        session=str(session_number),
        gender=plan.gender,
        language="en",
        native_language=plan.accent.native_language,
        nationality=plan.accent.nationality,
        channel=f"{session.channel} {session.noise}",
        sampling_rate_hz=SAMPLING_RATE_HZ,
        duration_s=samples / SAMPLING_RATE_HZ,
        split=plan.split,
    )
