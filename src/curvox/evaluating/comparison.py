"""Systems side by side on the same trials, and how sure one may be that they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curvox.errors import InputError
from curvox.evaluating.folders import FinishedEvaluation
from curvox.evaluating.report import EvaluationReport
from curvox.metrics import Difference, Evaluation, Figure, compare_systems
from curvox.records import INFINITIES, from_plain, to_plain


@dataclass(frozen=True)
class ComparedSystem:
    """A system in a comparison: its name, its figures, and how each differs from that of the first system."""

    title: str
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...] = ()

    def figure(self, key: str) -> Figure | None:
        """Return the figure of a key, None if it was not taken."""
        return next((figure for figure in self.figures if figure.key == key), None)


@dataclass(frozen=True)
class Comparison:
    """Systems on one trial list; each but the first is tested against the first.

    Attributes:
        trials: name of the list.
        targets: number of target trials.
        non_targets: number of non-target trials.
        speakers: number of speakers.
        systems: at least two, titles differ; the first has no differences.
        keys: of the figures compared, in the order of columns.
        resamples: of the speakers, behind intervals and p.
        seed: of the resamples.

    Raises:
        InputError: fewer than two systems, or two of one title.
    """

    trials: str
    targets: int
    non_targets: int
    speakers: int
    systems: tuple[ComparedSystem, ...]
    keys: tuple[str, ...]
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what cannot be compared or told apart."""
        titles = [system.title for system in self.systems]
        if len(titles) < 2 or len(set(titles)) < len(titles):
            raise InputError(f"a comparison needs at least two systems of different names, got {titles}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values; an infinite threshold is the text "inf"."""
        tree = to_plain(self, words=INFINITIES)
        for system in tree["systems"]:
            # What a paired test of two systems has not is left out.
            system["differences"] = [
                {key: value for key, value in of.items() if value is not None} for of in system["differences"]
            ]
        return tree

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        return from_plain(cls, values, what="a comparison", words=INFINITIES, optional=True)


def compare_finished(
    finished: Sequence[FinishedEvaluation], *, keys: Sequence[str] = (), resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare evaluations of the same trials with the first of them.

    Args:
        finished: two or more.
        keys: figures to compare; those that fit in a table if empty.
        resamples: of the speakers, the same for both of a pair.
        seed: of the resamples.

    Raises:
        InputError: fewer than two, evaluations of different trials, or of trials whose speakers differ; the message
            names them.
    """
    if len(finished) < 2:
        raise InputError(f"a comparison needs two systems or more, got {len(finished)}")
    first = finished[0]
    wanted = tuple(keys) or _shared_keys(finished)
    titles = _titles(finished)
    systems = []
    for title, other in zip(titles, finished, strict=True):
        order = same_trials(first, other)
        differences = ()
        if other is not first:
            differences = compare_systems(
                first.judged,
                other.judged[order],
                first.labels,
                enrolment_speakers=first.enrolment_speakers,
                test_speakers=first.test_speakers,
                keys=wanted,
                first_llrs=first.evaluation.llrs,
                second_llrs=other.evaluation.llrs,
                resamples=resamples,
                seed=seed,
            )
        figures = tuple(f for key in wanted if (f := other.evaluation.figure(key)) is not None)
        systems.append(ComparedSystem(title, figures, differences))
    evaluation = first.evaluation
    return Comparison(
        trials=first.report.trials.name,
        targets=evaluation.targets,
        non_targets=evaluation.non_targets,
        speakers=evaluation.speakers,
        systems=tuple(systems),
        keys=wanted,
        resamples=resamples,
        seed=seed,
    )


def _shared_keys(finished: Sequence[FinishedEvaluation]) -> tuple[str, ...]:
    """Return the figures that fit in a table; of Cllr and actual costs only where all systems have LLRs."""
    keys = breakdown_keys(finished[0].evaluation)
    if all(of.evaluation.llrs for of in finished):
        return keys
    return tuple(key for key in keys if key.split(":")[0] in ("eer", "min_dcf"))


def same_trials(first: FinishedEvaluation, second: FinishedEvaluation) -> list[int]:
    """Return where the trials of the first stand in the second, or refuse trials that are not the same.

    Raises:
        InputError: pairs that only one of them has, pairs repeated more often in one, or other speakers.
    """
    pairs = [list(zip(of.enrolments, of.tests, strict=True)) for of in (first, second)]
    counts = [Counter(of) for of in pairs]
    for one, other, here, there in ((0, 1, first, second), (1, 0, second, first)):
        only = counts[one] - counts[other]
        if only:
            pair = min(only)
            raise InputError(
                f"{first.place} and {second.place} were not scored on the same trials: {here.place} "
                f"({len(pairs[one]):,} trials of {here.report.trials.name}) has {only.total():,} that {there.place} "
                f'({len(pairs[other]):,} of {there.report.trials.name}) has not, such as "{pair[0]} {pair[1]}"; '
                "evaluate both on one list"
            )
    speakers = [
        dict(zip((*of.enrolments, *of.tests), (*of.enrolment_speakers, *of.test_speakers), strict=True))
        for of in (first, second)
    ]
    name = next((name for name, speaker in speakers[0].items() if speakers[1][name] != speaker), None)
    if name is not None:
        raise InputError(
            f'"{name}" is of the speaker "{speakers[0][name]}" in {first.place} and of "{speakers[1][name]}" in '
            f"{second.place}; evaluate both on one corpus"
        )
    places: dict[tuple[str, str], list[int]] = {}
    for i, pair in enumerate(reversed(pairs[1])):
        places.setdefault(pair, []).append(len(pairs[1]) - 1 - i)
    return [places[pair].pop() for pair in pairs[0]]


def _titles(finished: Sequence[FinishedEvaluation]) -> list[str]:
    """Return titles that tell the systems apart: the loss, its back end, and more where that is not enough."""
    apart = column_titles([of.report for of in finished])
    names = [of.report.scoring.name for of in finished]
    ways = (
        [column_title(of.report) for of in finished],
        [f"{name}: {column_title(of.report)}" for name, of in zip(names, finished, strict=True)],
        apart,
        [f"{name}: {title}" for name, title in zip(names, apart, strict=True)],
        [f"{name}/{Path(of.place).name}: {title}" for name, of, title in zip(names, finished, apart, strict=True)],
        [of.place for of in finished],
    )
    for titles in ways:
        if len(set(titles)) == len(titles):
            return titles
    raise InputError(f"a system is compared with itself: {finished[0].place} comes more than once")


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
