"""The folder of an evaluation: scores and speakers to go on with, the figures as JSON, and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import ScoreList, TrialList, read_scores, write_scores
from curvox.errors import InputError
from curvox.files import replace_folder, replace_text
from curvox.records import to_json
from curvox.reports.clips import Clip
from curvox.reports.evaluation_page import render_evaluation_page
from curvox.reports.evaluation_report import EvaluationReport, read_report

SCORES, LLRS, SPEAKERS, FIGURES, PAGE = "scores.txt", "llrs.txt", "speakers.txt", "evaluation.json", "report.html"
EVALUATION_FILES = frozenset({SCORES, LLRS, SPEAKERS, FIGURES, PAGE})


@dataclass(frozen=True, eq=False)
class FinishedEvaluation:
    """An evaluation read back.

    Attributes:
        folder: where it lies.
        report: how it was made, and every figure.
        enrolments: the enrolment of each of T trials, an utterance or a model.
        tests: the test utterance of each.
        scores: (T,) what was evaluated, LLRs where ``report.evaluation.llrs``.
        enrolment_speakers: the speaker of each enrolment.
        test_speakers: the speaker of each test.
    """

    folder: Path
    report: EvaluationReport
    enrolments: tuple[str, ...]
    tests: tuple[str, ...]
    scores: NDArray[np.float64]
    enrolment_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each trial is of one speaker, (T,)."""
        return np.array(self.enrolment_speakers) == np.array(self.test_speakers)


def write_evaluation_folder(
    folder: Path,
    report: EvaluationReport,
    *,
    trials: TrialList,
    scores: NDArray[np.float64],
    speakers: Mapping[str, str],
    llrs: NDArray[np.float64] | None = None,
    clips: Mapping[str, Clip] | None = None,
) -> None:
    """Write an evaluation as one act, in the place of an earlier one.

    ``scores.txt`` and ``llrs.txt`` are lines of enrolment, test and value, in the order of the trials;
    ``speakers.txt`` has the speaker of every id in them. The page is ``report.html``; ``evaluation.json`` holds what it
    shows.

    Args:
        folder: what is replaced; whether it may be is the caller's to know.
        report: the figures and how they came about.
        trials: T trials.
        scores: (T,) as the back end made them.
        speakers: of every id in the trials.
        llrs: (T,) the calibrated ratios, where there are some.
        clips: excerpts to play on the page, by utterance.

    Raises:
        CheckpointError: the disk is full or cannot be written; an earlier evaluation is untouched.
    """

    def write(fresh: Path) -> None:
        write_scores(ScoreList.of(trials, scores), fresh / SCORES)
        if llrs is not None:
            write_scores(ScoreList.of(trials, llrs), fresh / LLRS)
        lines = [f"{name} {speakers[name]}" for name in trials.utterances]
        replace_text(fresh / SPEAKERS, "\n".join(lines) + "\n")
        replace_text(fresh / FIGURES, to_json(report.to_dict()))
        replace_text(fresh / PAGE, render_evaluation_page(report, clips=clips))

    replace_folder(folder, write)


def read_evaluation_folder(folder: Path) -> FinishedEvaluation:
    """Read back what `write_evaluation_folder` wrote.

    Raises:
        InputError: a file is missing or not of this version; the message says how to make it again.
    """
    missing = [name for name in (SCORES, SPEAKERS, FIGURES) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} is not a finished evaluation of this version: it lacks {', '.join(missing)}; make it (again) "
            "with curvox eval RUN --trials LIST --overwrite"
        )
    report = read_report(folder / FIGURES)
    if report.evaluation.llrs and not (folder / LLRS).is_file():
        raise InputError(f"{folder} has figures of LLRs but no {LLRS}; copy the whole folder")
    scored = read_scores(folder / (LLRS if report.evaluation.llrs else SCORES))
    speakers = read_speakers(folder / SPEAKERS)
    try:
        sides = [tuple(speakers[name] for name in side) for side in (scored.enrolments, scored.tests)]
    except KeyError as error:
        raise InputError(f"{folder / SPEAKERS} has no speaker of {error}; copy the whole folder") from error
    return FinishedEvaluation(
        folder=folder,
        report=report,
        enrolments=scored.enrolments,
        tests=scored.tests,
        scores=scored.scores,
        enrolment_speakers=sides[0],
        test_speakers=sides[1],
    )


def read_speakers(path: Path) -> dict[str, str]:
    """Read lines of an id and its speaker, as Kaldi's utt2spk has them.

    Raises:
        InputError: the file cannot be read, a line is not of two fields, or an id has two speakers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    speakers: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise InputError(f'{path}, line {number}: expected "id speaker", got "{line}"')
        if speakers.setdefault(fields[0], fields[1].strip()) != fields[1].strip():
            raise InputError(f'{path}, line {number}: "{fields[0]}" has another speaker above; an id has one')
    return speakers
