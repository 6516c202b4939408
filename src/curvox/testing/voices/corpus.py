"""A whole synthetic corpus: speakers dealt to a known tree, a manifest and trial lists, written all or not at all."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path

import numpy as np

from curvox.errors import CurvoxError, InputError
from curvox.files import new_folder, replace_text
from curvox.testing.voices.espeak import prepare_espeak
from curvox.testing.voices.speaker import Row, SpeakerPlan, synthesise_speaker
from curvox.testing.voices.trials import draw_trials
from curvox.testing.voices.voice import ACCENTS, GENDERS

_TARGET_TRIALS = {"dev": 1000, "test": 2000}
_NON_TARGETS_PER_TARGET = 2
_FEWEST_SPEAKERS = {"train": 1, "dev": 2, "test": 2}

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
    _check(seed, counts, sessions, utterances_per_session, seconds, workers)
    plans = _deal_speakers(seed, counts, sessions, utterances_per_session, seconds)

    def write(fresh: Path) -> None:
        rows: list[Row] = []
        with tempfile.TemporaryDirectory(prefix="curvox-") as espeak_folder:
            prepare_espeak(Path(espeak_folder), tuple(sorted({accent.dictionary for accent in ACCENTS})))
            job = partial(synthesise_speaker, folder=fresh, espeak_folder=Path(espeak_folder))
            for rows_of_speaker in _each(job, plans, workers):
                rows.extend(rows_of_speaker)
                if progress is not None:
                    progress(len(rows), len(plans) * sessions * utterances_per_session)
        _write_manifest(fresh / "manifest.tsv", rows)
        _write_trials(fresh / "trials", rows, seed)

    new_folder(Path(folder), write, or_empty=True)
    return Path(folder)


def _check(
    seed: int,
    counts: dict[str, int],
    sessions: int,
    utterances_per_session: int,
    seconds: tuple[float, float],
    workers: int,
) -> None:
    if seed < 0:
        raise InputError(f"seed must be at least 0, got {seed}")
    for split, fewest in _FEWEST_SPEAKERS.items():
        if counts[split] < fewest:
            raise InputError(f"{split}_speakers must be at least {fewest}, got {counts[split]}")
    if sessions < 2:
        raise InputError(f"sessions must be at least 2, because target trials cross sessions; got {sessions}")
    if utterances_per_session < 1:
        raise InputError(f"utterances_per_session must be at least 1, got {utterances_per_session}")
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    shortest_s, longest_s = seconds
    if not 0.5 <= shortest_s <= longest_s <= 60.0:
        raise InputError(f"seconds must be (shortest, longest) between 0.5 and 60, got {seconds}")


def _deal_speakers(
    seed: int, counts: dict[str, int], sessions: int, utterances_per_session: int, seconds: tuple[float, float]
) -> list[SpeakerPlan]:
    """Deal the speakers of each split in turn to the genders and, within a gender, to the accent groups."""
    return [
        SpeakerPlan(
            seed=seed,
            number=first + i,
            split=split,
            gender=GENDERS[i % len(GENDERS)],
            accent=ACCENTS[i // len(GENDERS) % len(ACCENTS)],
            sessions=sessions,
            utterances_per_session=utterances_per_session,
            shortest_s=seconds[0],
            longest_s=seconds[1],
        )
        for split, first in zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False)
        for i in range(counts[split])
    ]


def _each(job: Callable[[SpeakerPlan], list[Row]], plans: list[SpeakerPlan], workers: int) -> Iterator[list[Row]]:
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


def _write_manifest(path: Path, rows: list[Row]) -> None:
    lines = ["\t".join(field.name for field in fields(Row))]
    for row in rows:
        lines.append("\t".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in astuple(row)))
    replace_text(path, "\n".join(lines) + "\n")


def _write_trials(folder: Path, rows: list[Row], seed: int) -> None:
    for stream, (split, targets) in enumerate(_TARGET_TRIALS.items()):
        of_split = [row for row in rows if row.split == split]
        rng = np.random.default_rng([seed, stream, len(rows)])
        trials = draw_trials(rng, of_split, targets=targets, non_targets=_NON_TARGETS_PER_TARGET * targets)
        lines = "".join(f"{label} {enrolment} {test}\n" for label, enrolment, test in trials)
        replace_text(folder / f"{split}.txt", lines)
