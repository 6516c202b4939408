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
from curvox.metrics import (
    CalibrationCurve,
    DetCurve,
    Eer,
    Evaluation,
    Figure,
    Interval,
    MinDcf,
    OperatingPoint,
    ScoreHealth,
    ScoreHistogram,
)
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
    """One recording of a trial: its id, its speaker, and (label, text) facts that the manifest has of it."""

    utterance: str
    speaker: str
    facts: tuple[tuple[str, str], ...] = ()


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
        tree = to_plain(_File.of_report(self), words=INFINITIES)
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


@dataclass(frozen=True)
class _Eer:
    value: float
    threshold: float
    interval: Interval | None


@dataclass(frozen=True)
class _Cost:
    p_target: float
    cost_miss: float
    cost_false_alarm: float
    value: float
    threshold: float
    interval: Interval | None


@dataclass(frozen=True)
class _Figures:
    """An evaluation as its file has it: every interval beside its figure."""

    targets: int
    non_targets: int
    speakers: int
    tied_share: float
    eer: _Eer | None
    min_dcf: tuple[_Cost, ...]
    det: DetCurve | None
    resamples: int
    redrawn: int
    seed: int
    why_no_figures: str | None
    groups: Mapping[str, _Figures]
    figures: tuple[Figure, ...]
    llrs: bool
    health: ScoreHealth | None
    histogram: ScoreHistogram | None
    calibration: CalibrationCurve | None
    too_small: str | None

    @staticmethod
    def of(evaluation: Evaluation) -> _Figures:
        """Put the intervals beside their figures."""
        eer, ends = evaluation.eer, evaluation.min_dcf_intervals or [None] * len(evaluation.min_dcf)
        values = _values(evaluation, _Figures)
        values["eer"] = None if eer is None else _Eer(eer.value, eer.threshold, evaluation.eer_interval)
        values["min_dcf"] = tuple(
            _Cost(**vars(cost.point), value=cost.value, threshold=cost.threshold, interval=interval)
            for cost, interval in zip(evaluation.min_dcf, ends, strict=True)
        )
        values["groups"] = {name: _Figures.of(group) for name, group in evaluation.groups.items()}
        return _Figures(**values)

    def evaluation(self) -> Evaluation:
        """Take the intervals out again."""
        eer, values = self.eer, _values(self, _Figures)
        values["eer"] = None if eer is None else Eer(eer.value, eer.threshold)
        values["min_dcf"] = tuple(
            MinDcf(OperatingPoint(cost.p_target, cost.cost_miss, cost.cost_false_alarm), cost.value, cost.threshold)
            for cost in self.min_dcf
        )
        values["groups"] = {name: group.evaluation() for name, group in self.groups.items()}
        return Evaluation(
            **values,
            eer_interval=None if eer is None else eer.interval,
            min_dcf_intervals=tuple(cost.interval for cost in self.min_dcf if cost.interval is not None),
        )


def _values(record: Any, kind: type) -> dict[str, Any]:
    """Return the values of the fields that a record shares with a kind."""
    return {field.name: getattr(record, field.name) for field in fields(kind)}


@dataclass(frozen=True)
class _Side:
    utterance: str
    speaker: str
    facts: dict[str, str]

    @staticmethod
    def of(side: TrialSide) -> _Side:
        return _Side(side.utterance, side.speaker, dict(side.facts))

    def side(self) -> TrialSide:
        return TrialSide(self.utterance, self.speaker, tuple(self.facts.items()))


@dataclass(frozen=True)
class _Worst:
    target: bool
    score: float
    wrong: bool
    enrolment: _Side
    test: _Side

    @staticmethod
    def of(trial: WorstTrial) -> _Worst:
        return _Worst(trial.target, trial.score, trial.wrong, _Side.of(trial.enrolment), _Side.of(trial.test))

    def trial(self) -> WorstTrial:
        return WorstTrial(self.target, self.score, self.wrong, self.enrolment.side(), self.test.side())


@dataclass(frozen=True)
class _Trials:
    name: str
    corpus: str
    utterances: int
    repeated: int
    swapped: int
    breakdowns: dict[str, tuple[str, ...]]
    worst: tuple[_Worst, ...]
    notes: tuple[str, ...]
    command: str
    versions: dict[str, str]


@dataclass(frozen=True)
class _File(_Figures):
    """``evaluation.json``: the figures on the outermost level, and beside them how they came about."""

    scorer: ScoringFacts
    trials: _Trials

    @staticmethod
    def of_report(report: EvaluationReport) -> _File:
        return _File(
            **vars(_Figures.of(report.evaluation)),
            scorer=report.scoring,
            trials=_Trials(
                **vars(report.trials),
                breakdowns={breakdown.title: breakdown.groups for breakdown in report.breakdowns},
                worst=tuple(map(_Worst.of, report.worst)),
                notes=report.notes,
                command=report.command,
                versions=dict(report.versions),
            ),
        )

    def report(self) -> EvaluationReport:
        trials = self.trials
        return EvaluationReport(
            scoring=self.scorer,
            trials=TrialFacts(**_values(trials, TrialFacts)),
            evaluation=self.evaluation(),
            breakdowns=tuple(Breakdown(title, groups) for title, groups in trials.breakdowns.items()),
            worst=tuple(trial.trial() for trial in trials.worst),
            notes=trials.notes,
            command=trials.command,
            versions=tuple(trials.versions.items()),
        )
