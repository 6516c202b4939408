"""One evaluation as a page shows it and as JSON keeps it: what was scored, how, and every figure that came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from curvox.errors import InputError
from curvox.metrics import Evaluation
from curvox.reports.results import installed_versions
from curvox.reports.worst_trials import TrialSide, WorstTrial


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
