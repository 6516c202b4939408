"""One evaluation as a page shows it and as JSON keeps it: what was scored, how, and every figure that came out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance, first_recording
from curvox.errors import InputError
from curvox.metrics import Evaluation

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much; 0 of 0 where that is not known."""

_PACKAGES = ("curvox", "torch", "lightning", "numpy", "matplotlib")
_FACTS = ("gender", "language", "channel", "session")


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
        """Return plain JSON-able values: the figures, and beside them how they came about."""
        return {
            "scorer": asdict(self.scoring),
            "trials": {
                **asdict(self.trials),
                "breakdowns": {breakdown.title: list(breakdown.groups) for breakdown in self.breakdowns},
                "worst": [_worst_to_dict(trial) for trial in self.worst],
                "notes": list(self.notes),
                "command": self.command,
                "versions": dict(self.versions),
            },
            **self.evaluation.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EvaluationReport:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        figures = {key: value for key, value in values.items() if key not in ("scorer", "trials")}
        try:
            scoring, trials = dict(values["scorer"]), dict(values["trials"])
            breakdowns = tuple(Breakdown(title, tuple(names)) for title, names in trials.pop("breakdowns").items())
            worst = tuple(_worst_from_dict(trial) for trial in trials.pop("worst"))
            notes, command = tuple(trials.pop("notes")), trials.pop("command")
            versions = tuple(trials.pop("versions").items())
            return cls(
                scoring=ScoringFacts(**scoring),
                trials=TrialFacts(**trials),
                evaluation=Evaluation.from_dict(figures),
                breakdowns=breakdowns,
                worst=worst,
                notes=notes,
                command=command,
                versions=versions,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"not an evaluation of this version: a part has not the expected form ({error!r}); "
                "make it again with curvox eval --overwrite"
            ) from error


def _worst_to_dict(trial: WorstTrial) -> dict[str, Any]:
    return {
        "target": trial.target,
        "score": trial.score,
        "wrong": trial.wrong,
        **{
            side: {"utterance": of.utterance, "speaker": of.speaker, "facts": dict(of.facts)}
            for side, of in (("enrolment", trial.enrolment), ("test", trial.test))
        },
    }


def _worst_from_dict(values: Mapping[str, Any]) -> WorstTrial:
    sides = {
        side: TrialSide(of["utterance"], of["speaker"], tuple(of["facts"].items()))
        for side, of in ((side, values[side]) for side in ("enrolment", "test"))
    }
    return WorstTrial(target=values["target"], score=values["score"], wrong=values["wrong"], **sides)


def worst_trials(
    trials: TrialList,
    scores: ArrayLike,
    corpus: Corpus,
    *,
    threshold: float,
    count: int = 10,
    enrolments: EnrolmentMap | None = None,
) -> tuple[WorstTrial, ...]:
    """Return the ``count`` highest scoring non-targets, worst first, then the ``count`` lowest scoring targets.

    Two trials of the same two recordings, in either order, are shown once. Ties keep the order of the list.

    Args:
        trials: labelled, T of them.
        scores: (T,) larger for the same speaker.
        corpus: where the labels of the recordings stand.
        threshold: a score of at least this is accepted; says which of the trials are decided wrongly.
        count: of each class.
        enrolments: the models of the trials, where they name models; a model is shown by its first recording.

    Raises:
        InputError: trials without labels, or scores of another number.
    """
    scores_ = np.asarray(scores, dtype=np.float64)
    if trials.labels is None or scores_.shape != (len(trials),):
        raise InputError(f"expected {len(trials)} labelled trials and a score for each, got {scores_.shape}")
    rows = [
        *_first_pairs(trials, np.flatnonzero(~trials.labels), -scores_, count),
        *_first_pairs(trials, np.flatnonzero(trials.labels), scores_, count),
    ]
    return tuple(
        WorstTrial(
            target=bool(trials.labels[row]),
            score=float(scores_[row]),
            wrong=bool(trials.labels[row]) != (float(scores_[row]) >= threshold),
            enrolment=_side(corpus[first_recording(trials.enrolments[row], enrolments)]),
            test=_side(corpus[trials.tests[row]]),
        )
        for row in rows
    )


def _first_pairs(trials: TrialList, rows: NDArray[np.intp], key: NDArray[np.float64], count: int) -> Iterator[int]:
    """Yield the rows of the lowest keys, each pair of recordings once."""
    seen: set[frozenset[str]] = set()
    for row in rows[np.argsort(key[rows], kind="stable")].tolist():
        if len(seen) == count:
            return
        pair = frozenset((trials.enrolments[row], trials.tests[row]))
        if pair not in seen:
            seen.add(pair)
            yield row


def _side(utterance: Utterance) -> TrialSide:
    facts = [(name, getattr(utterance, name)) for name in _FACTS]
    if utterance.duration_s is not None:
        facts.append(("duration", f"{utterance.duration_s:.1f} s"))
    return TrialSide(utterance.utterance, utterance.speaker, tuple((name, text) for name, text in facts if text))


def column_title(report: EvaluationReport, apart: str = "") -> str:
    """Return a system's title with the back end that is not plain, and with what sets that apart from others."""
    scoring = report.scoring
    back_end = " ".join(part for part in ("" if scoring.back_end == "plain" else scoring.back_end, apart) if part)
    return ", ".join(part for part in (scoring.title, back_end, "calibrated" if scoring.calibration else "") if part)


def column_titles(reports: Sequence[EvaluationReport]) -> list[str]:
    """Return a title for each report; where back ends bear one name, with the settings in which they differ."""
    return [column_title(report, apart) for report, apart in zip(reports, _apart(reports), strict=True)]


def back_end_titles(reports: Sequence[EvaluationReport]) -> list[str]:
    """Return the back end of each report; where several bear one name, with the settings in which they differ."""
    return [f"{of.scoring.back_end} {apart}".rstrip() for of, apart in zip(reports, _apart(reports), strict=True)]


def _apart(reports: Sequence[EvaluationReport]) -> list[str]:
    """Return the settings, "top_k=100", in which each report differs from others of its title and back end."""
    named = [(report.scoring.title, report.scoring.back_end) for report in reports]
    settings = [_settings(report) for report in reports]
    made = []
    for name, own in zip(named, settings, strict=True):
        alike = [other for of, other in zip(named, settings, strict=True) if of == name]
        keys = dict.fromkeys(key for one in alike for key in one)
        differing = [key for key in keys if any(other.get(key) != own.get(key) for other in alike)]
        made.append(" ".join(f"{key}={own[key]}" for key in differing if own.get(key) not in (None, "")))
    return made


def _settings(report: EvaluationReport) -> dict[str, Any]:
    """Return what was asked for, without what the back end learnt from its cohort."""
    learnt = ("cohort_speakers", "fitted")
    chosen = {key: value for key, value in report.scoring.settings.items() if key not in learnt}
    return {**chosen, "scorer": report.scoring.scorer}


def breakdown_keys(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the keys of the few figures that fit beside each group: EER, the costs, and Cllr of LLRs."""
    keys = [figure.key for figure in evaluation.figures]
    costs = [key for key in keys if _family(key) == "min_dcf"]
    if not evaluation.llrs:
        return (*(key for key in keys if key == "eer"), *costs[:2])
    actual = [key for key in keys if _family(key) == "act_dcf"]
    return (*(key for key in keys if key in ("eer", "cllr")), *costs[:1], *actual[:1])


def _family(key: str) -> str:
    """Return what kind of figure a key names: "min_dcf" for "min_dcf:0.01"."""
    return key.split(":", 1)[0]
