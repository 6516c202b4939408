"""One evaluation as a page shows it and as JSON keeps it: what was scored, how, and every figure that came out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from curvox.errors import InputError
from curvox.metrics import Evaluation
from curvox.records import INFINITIES, from_plain, read_record, to_plain

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much; 0 of 0 where that is not known."""

_PACKAGES = ("curvox", "torch", "lightning", "numpy", "matplotlib")


def staged(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    """Return what a loop tells its (done, of how many), so that ``progress`` learns it with its name."""
    return None if progress is None else partial(progress, what)


def installed_versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of Python and of the packages that results hang on, as (name, version)."""
    versions = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            versions.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(versions)


@dataclass(frozen=True)
class ScoringFacts:
    """What stood between recordings and scores.

    Attributes:
        name: of the system, unique among those that are compared, e.g. that of its run.
        title: for people, e.g. "HAM-Softmax".
        scorer: name of the scorer; "" where the scores came from a file.
        back_end: name of the back end, "plain" for the scorer alone.
        settings: of the back end, as plain values.
        cohort: what the back end was fitted on, in words; "" without a cohort.
        calibration: what turned scores into log-likelihood ratios, in words; "" where scores are only scores.
        space: where the embeddings live, in words; "" if unknown.
        parameters: how many numbers the encoder learned; None if unknown.
    """

    name: str
    title: str
    scorer: str = ""
    back_end: str = "plain"
    settings: Mapping[str, Any] = field(default_factory=dict)
    cohort: str = ""
    calibration: str = ""
    space: str = ""
    parameters: int | None = None


@dataclass(frozen=True)
class TrialFacts:
    """What was scored.

    Attributes:
        name: of the trial list, its file name.
        corpus: whose recordings they are; "" if unknown.
        utterances: how many different recordings the trials name.
        repeated: how many trials repeat an earlier one.
        swapped: how many trials are an earlier one with its sides swapped; most back ends score both alike.
    """

    name: str
    corpus: str = ""
    utterances: int = 0
    repeated: int = 0
    swapped: int = 0


@dataclass(frozen=True)
class Breakdown:
    """Which groups of an evaluation belong to one table: by ``title``, such as "gender", those named in ``groups``."""

    title: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class TrialSide:
    """One recording of a trial: its id, its speaker, and what the manifest says of it, in words by their label."""

    utterance: str
    speaker: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WorstTrial:
    """A trial on the wrong end of the scores.

    Attributes:
        target: whether both sides are of one speaker.
        score: what the system gave it, an LLR where the evaluation has LLRs.
        wrong: whether a decision at the point of equal error rates is wrong.
        enrolment: the one side.
        test: the other.
    """

    target: bool
    score: float
    wrong: bool
    enrolment: TrialSide
    test: TrialSide


@dataclass(frozen=True)
class EvaluationReport:
    """One model (or score file), one trial list, one back end.

    Attributes:
        scoring: how scores were made.
        trials: what was scored.
        evaluation: the figures, pooled and by group.
        breakdowns: how the groups are laid out in tables; every group is in at most one.
        worst: the highest scoring non-targets and the lowest scoring targets.
        notes: sentences to read the results by.
        command: the command line that makes this page again.
        versions: of the packages, as (name, version).

    Raises:
        InputError: a breakdown names a group that the evaluation has not.
    """

    scoring: ScoringFacts
    trials: TrialFacts
    evaluation: Evaluation
    breakdowns: tuple[Breakdown, ...] = ()
    worst: tuple[WorstTrial, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    versions: tuple[tuple[str, str], ...] = field(default_factory=installed_versions)

    def __post_init__(self) -> None:
        """Refuse breakdowns of groups that are not there."""
        for breakdown in self.breakdowns:
            foreign = sorted(set(breakdown.groups) - set(self.evaluation.groups))
            if foreign:
                raise InputError(f"the breakdown by {breakdown.title} names groups without figures: {foreign}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values: how the figures came about, and the figures; an infinite one is "inf"."""
        tree = to_plain(_File.of(self), words=INFINITIES)
        return {"scorer": tree.pop("scorer"), "trials": tree.pop("trials"), **tree}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EvaluationReport:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        return from_plain(_File, values, what=_WHAT, again=_AGAIN, words=INFINITIES).report()


def read_report(path: Path) -> EvaluationReport:
    """Read an ``evaluation.json``.

    Raises:
        InputError: it is missing, damaged, or not of this version.
    """
    return read_record(path, _File, what=_WHAT, again=_AGAIN, error=InputError, words=INFINITIES).report()


_WHAT, _AGAIN = "an evaluation of this version", "make it again with curvox eval --overwrite"


@dataclass(frozen=True, kw_only=True)
class _Trials(TrialFacts):
    """What was scored, and what else the file keeps beside it."""

    breakdowns: dict[str, tuple[str, ...]]
    worst: tuple[WorstTrial, ...]
    notes: tuple[str, ...]
    command: str
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _File(Evaluation):
    """``evaluation.json``: the figures on the outermost level, and beside them how they came about."""

    scorer: ScoringFacts
    trials: _Trials

    @staticmethod
    def of(report: EvaluationReport) -> _File:
        """Lay a report out as its file has it."""
        trials = _Trials(
            **vars(report.trials),
            breakdowns={breakdown.title: breakdown.groups for breakdown in report.breakdowns},
            worst=report.worst,
            notes=report.notes,
            command=report.command,
            versions=dict(report.versions),
        )
        return _File(**vars(report.evaluation), scorer=report.scoring, trials=trials)

    def report(self) -> EvaluationReport:
        """Return the report."""
        trials = self.trials
        return EvaluationReport(
            scoring=self.scorer,
            trials=TrialFacts(**_part(trials, TrialFacts)),
            evaluation=Evaluation(**_part(self, Evaluation)),
            breakdowns=tuple(Breakdown(title, groups) for title, groups in trials.breakdowns.items()),
            worst=trials.worst,
            notes=trials.notes,
            command=trials.command,
            versions=tuple(trials.versions.items()),
        )


def _part(record: Any, kind: type) -> dict[str, Any]:
    """Return the values of the fields that a record has of a kind."""
    return {field.name: getattr(record, field.name) for field in fields(kind)}
