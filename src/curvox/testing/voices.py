"""Synthesise a corpus of voices with a known tree, spoken by espeak-ng (``pip install 'curvox[demo]'``).

Speakers are dealt to a known tree; a manifest and trial lists stand beside the recordings; all is written or nothing.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curvox.corpora import COLUMNS, Utterance
from curvox.errors import CurvoxError, InputError, require_at_least
from curvox.files import new_folder, replace_text
from curvox.testing import espeak
from curvox.testing.voice_drawing import (
    ACCENTS,
    GENDERS,
    SAMPLING_RATE_HZ,
    Accent,
    Session,
    Voice,
    draw_sentence,
    draw_session,
    draw_voice,
    record,
)

__all__ = ["ACCENTS", "GENDERS", "Accent", "Progress", "synthesise_corpus"]

_TARGET_TRIALS = {"dev": 1000, "test": 2000}
_NON_TARGETS_PER_TARGET = 2
_FEWEST_SPEAKERS = {"train": 1, "dev": 2, "test": 2}
_CORPUS = "voices"
_MANIFEST_COLUMNS = [name for name in COLUMNS if name not in ("start_s", "segment_s")]
_WORDS_PER_S = 4
_ATTEMPTS = 4
_SILENCE = 0.01
_SPARE_S = 0.3

Progress = Callable[[int, int], None]
"""Called with the number of utterances done and of all utterances, once a speaker."""


def synthesise_corpus(
    folder: str | Path,
    *,
    seed: int = 0,
    train_speakers: int = 64,
    dev_speakers: int = 16,
    test_speakers: int = 32,
    sessions: int = 3,
    utterances_per_session: int = 6,
    seconds: tuple[float, float] = (2.0, 3.0),
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Synthesise a corpus of voices with a known tree (gender, accent group, speaker, session) and return its folder.

    ``folder`` then holds 16 kHz mono FLAC files below ``audio/``, ``manifest.tsv``, ``trials/dev.txt`` and
    ``trials/test.txt`` (``label enrolment test``; target trials cross sessions). Every utterance speaks a new random
    sentence for a random time between the two ``seconds``. The splits share no speaker; genders and accents
    are balanced.

    The result is a function of the arguments alone, whatever the number of ``workers``. With ``workers=1`` everything
    happens in this process; with more, processes are spawned, so a script must then call this below
    ``if __name__ == "__main__":``.

    Raises OutputExistsError when ``folder`` exists and is not empty, InputError for counts that allow no trials, and
    MissingExtraError without the package ``espeakng-loader``. Nothing is left behind by an error or an interrupt.
    """
    counts = {"train": train_speakers, "dev": dev_speakers, "test": test_speakers}
    design = _Design(seed, sessions, utterances_per_session, *seconds)
    for split, fewest in _FEWEST_SPEAKERS.items():
        if counts[split] < fewest:
            raise InputError(f"{split}_speakers must be at least {fewest}, got {counts[split]}")
    require_at_least(1, workers=workers)
    plans = _deal_speakers(design, counts)

    def write(fresh: Path) -> None:
        rows: list[Utterance] = []
        with tempfile.TemporaryDirectory(prefix="curvox-") as espeak_folder:
            espeak.prepare_espeak(Path(espeak_folder), tuple(sorted({accent.dictionary for accent in ACCENTS})))
            job = partial(_synthesise_speaker, folder=fresh, espeak_folder=Path(espeak_folder))
            for rows_of_speaker in _each(job, plans, workers):
                rows.extend(rows_of_speaker)
                if progress is not None:
                    progress(len(rows), len(plans) * sessions * utterances_per_session)
        _write_manifest(fresh / "manifest.tsv", rows)
        _write_trials(fresh / "trials", rows, seed)

    new_folder(Path(folder), write, or_empty=True)
    return Path(folder)


@dataclass(frozen=True)
class _Design:
    """What all speakers have in common."""

    seed: int
    sessions: int
    utterances_per_session: int
    shortest_s: float
    longest_s: float

    def __post_init__(self) -> None:
        require_at_least(0, seed=self.seed)
        if self.sessions < 2:
            raise InputError(f"sessions must be at least 2, because target trials cross sessions; got {self.sessions}")
        require_at_least(1, utterances_per_session=self.utterances_per_session)
        if not 0.5 <= self.shortest_s <= self.longest_s <= 60.0:
            seconds = self.shortest_s, self.longest_s
            raise InputError(f"seconds must be (shortest, longest) between 0.5 and 60, got {seconds}")


@dataclass(frozen=True)
class _SpeakerPlan:
    """What to synthesise for one speaker; ``number`` counts the speakers of the corpus from 0."""

    design: _Design
    number: int
    split: str
    gender: str
    accent: Accent

    @property
    def speaker(self) -> str:
        """The speaker's label."""
        return f"{_CORPUS}-{self.number:04d}"


def _deal_speakers(design: _Design, counts: dict[str, int]) -> list[_SpeakerPlan]:
    """Deal the speakers of each split in turn to the genders and, within a gender, to the accent groups."""
    firsts = np.cumsum([0, *counts.values()]).tolist()
    return [
        _SpeakerPlan(design, first + i, split, GENDERS[i % len(GENDERS)], ACCENTS[i // len(GENDERS) % len(ACCENTS)])
        for (split, count), first in zip(counts.items(), firsts, strict=False)
        for i in range(count)
    ]


def _each(
    job: Callable[[_SpeakerPlan], list[Utterance]], plans: list[_SpeakerPlan], workers: int
) -> Iterator[list[Utterance]]:
    """Yield the job's results in the order of ``plans``."""
    if workers == 1:
        yield from map(job, plans)
        return
    # spawned, because a fork of a process in which torch runs threads may hang
    pool = ProcessPoolExecutor(min(workers, len(plans)), mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(job, plans)
    except BrokenProcessPool as error:
        raise CurvoxError(
            "a worker process ended without a result; a script must synthesise below "
            '`if __name__ == "__main__":`, or use workers=1'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write_manifest(path: Path, rows: list[Utterance]) -> None:
    lines = ["\t".join(_MANIFEST_COLUMNS)]
    for row in rows:
        cells = [getattr(row, name) for name in _MANIFEST_COLUMNS]
        lines.append("\t".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells))
    replace_text(path, "\n".join(lines) + "\n")


def _write_trials(folder: Path, rows: list[Utterance], seed: int) -> None:
    for stream, (split, targets) in enumerate(_TARGET_TRIALS.items()):
        of_split = [row for row in rows if row.split == split]
        rng = np.random.default_rng([seed, stream, len(rows)])
        trials = draw_trials(rng, of_split, targets=targets, non_targets=_NON_TARGETS_PER_TARGET * targets)
        lines = "".join(f"{label} {enrolment} {test}\n" for label, enrolment, test in trials)
        replace_text(folder / f"{split}.txt", lines)


def _synthesise_speaker(plan: _SpeakerPlan, folder: Path, espeak_folder: Path) -> list[Utterance]:
    """Write all utterances of one speaker below ``folder`` and return their manifest rows.

    ``espeak_folder`` was filled by :func:`curvox.testing.espeak.prepare_espeak`. The samples depend on ``plan`` alone.
    """
    design = plan.design
    rng = np.random.default_rng([design.seed, plan.number])
    voice = draw_voice(rng, plan.gender, plan.accent)
    folder.joinpath("audio", plan.speaker).mkdir(parents=True)
    rows = []
    with espeak.Espeak(espeak_folder, name=plan.speaker, seed=int(rng.integers(1, 2**31))) as synthesiser:
        synthesiser.set_voice(voice.accent.language, voice.variant)
        for session_number in range(1, design.sessions + 1):
            session = draw_session(rng, longest_s=design.longest_s)
            for number in range(1, design.utterances_per_session + 1):
                duration_s = rng.uniform(design.shortest_s, design.longest_s)
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


def _row(plan: _SpeakerPlan, session: Session, session_number: int, number: int, samples: int) -> Utterance:
    return Utterance(
        utterance=f"{plan.speaker}-{session_number}-{number:02d}",
        path=f"audio/{plan.speaker}/{session_number}-{number:02d}.flac",
        corpus=_CORPUS,
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


def draw_trials(
    rng: np.random.Generator, rows: Sequence[Utterance], *, targets: int, non_targets: int
) -> list[tuple[int, str, str]]:
    """Return shuffled ``(label, enrolment, test)``, label 1 for the same speaker, no pair twice.

    Target trials cross sessions. Of the non-target trials 45 % share gender and accent group, 40 % the gender only,
    15 % differ in gender. Fewer are returned where the utterances do not allow as many.
    """
    first, second = np.triu_indices(len(rows), 1)

    def shared(attribute: str) -> np.ndarray:
        _, codes = np.unique([getattr(row, attribute) for row in rows], return_inverse=True)
        return codes[first] == codes[second]

    speaker, gender, accent = shared("speaker"), shared("gender"), shared("native_language")
    wanted = (
        (1, speaker & ~shared("session"), targets),
        (0, ~speaker & gender & accent, round(0.45 * non_targets)),
        (0, ~speaker & gender & ~accent, round(0.40 * non_targets)),
        (0, ~speaker & ~gender, non_targets - round(0.45 * non_targets) - round(0.40 * non_targets)),
    )
    trials: list[tuple[int, str, str]] = []
    for label, allowed, count in wanted:
        (pairs,) = np.nonzero(allowed)
        for pair in rng.permutation(pairs)[:count]:
            enrolment, test = rows[int(first[pair])], rows[int(second[pair])]
            if rng.integers(2):
                enrolment, test = test, enrolment
            trials.append((label, enrolment.utterance, test.utterance))
    return [trials[i] for i in rng.permutation(len(trials))]
