"""The page of one evaluation: every figure, the curves, the groups and the worst errors to listen to, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from curvox.evaluating import Breakdown, EvaluationReport, breakdown_keys, column_title
from curvox.reports.figures.detection import calibration_figure, det_figure, eer_figure, histogram_figure
from curvox.reports.pages.clips import Clip
from curvox.reports.pages.page import DET_CAPTION, PageFigure, page_template, resampling
from curvox.reports.results import SystemResult
from curvox.reports.tables.evaluation import (
    figure_cell,
    figure_meaning,
    figure_title,
    figures_of,
    threshold_text,
    without_figures,
)
from curvox.reports.tables.tables import NOTHING, count

_HISTOGRAM = "Each class by itself; the less the two overlap, the fewer errors any threshold makes."
_CALIBRATION = (
    "What decisions cost when the threshold follows from the prior, and what they would cost at the best threshold. "
    "The gap is what calibration loses; vertical lines are the operating points of the table."
)


_MOST_DRAWN = 40


@dataclass(frozen=True)
class _Group:
    name: str
    counts: tuple[str, str, str]
    cells: tuple[tuple[str, str], ...]
    note: int | None


def render_evaluation_page(report: EvaluationReport, *, clips: Mapping[str, Clip] | None = None) -> str:
    """Return the HTML of one evaluation; the same text for the same report and excerpts.

    Args:
        report: what to show.
        clips: excerpts by utterance, played in the table of the worst errors; without them it is silent.
    """
    evaluation = report.evaluation
    system = SystemResult(report.scoring.name, column_title(report), evaluation)
    values = {
        "title": f"{column_title(report)} on {report.trials.name}",
        "subtitle": _subtitle(report),
        "report": report,
        "evaluation": evaluation,
        "nothing": NOTHING,
        "figures": [
            (figure_title(f), *figure_cell(evaluation, f.key)[:2], threshold_text(f), figure_meaning(f))
            for f in evaluation.figures
        ],
        "levels": _levels(report),
        "pictures": list(_pictures(system)),
        "facts": list(_facts(report)),
        "health": list(_health(report)),
        "breakdowns": [_breakdown(report, breakdown, i) for i, breakdown in enumerate(report.breakdowns)],
        "group_titles": [figure_title(f) for f in figures_of([evaluation]) if f.key in breakdown_keys(evaluation)],
        "worst": [
            ("Strangers that scored highest", [trial for trial in report.worst if not trial.target]),
            ("Speakers that scored lowest against themselves", [trial for trial in report.worst if trial.target]),
        ],
        "clips": clips or {},
        "resampling": resampling((system,)),
    }
    return page_template("evaluation.html.jinja").render(values)


def _subtitle(report: EvaluationReport) -> str:
    if report.evaluation.llrs:
        return "Log-likelihood ratios, natural logarithm: above 0 the recordings speak for one speaker."
    return "Scores, larger for the same speaker; they are not calibrated."


def _levels(report: EvaluationReport) -> str:
    levels = sorted({f.interval.level for f in report.evaluation.figures if f.interval})
    return " and ".join(f"{100 * level:g} %" for level in levels)


def _pictures(system: SystemResult) -> Iterator[PageFigure]:
    evaluation = system.evaluation
    if evaluation.det:
        yield PageFigure(det_figure((system,)), "DET curve", DET_CAPTION)
    if evaluation.histogram:
        yield PageFigure(histogram_figure(evaluation), "Scores", _HISTOGRAM)
    if evaluation.calibration:
        yield PageFigure(calibration_figure(evaluation), "Calibration", _CALIBRATION)


def _groups_picture(report: EvaluationReport, groups: list[_Group], number: int) -> PageFigure | None:
    """Draw the error rates of a breakdown where there is something to compare, and not more than one can take in."""
    evaluation = report.evaluation
    if evaluation.eer is None or not 2 <= len(groups) <= _MOST_DRAWN:
        return None
    drawn = replace(evaluation, groups={group.name: evaluation.groups[group.name] for group in groups})
    system = SystemResult(report.scoring.name, column_title(report), drawn)
    bars = " Bar: interval by bootstrap over speakers." if evaluation.eer_interval else ""
    return PageFigure(eer_figure((system,), name=f"eer-{number}"), "Equal error rates", f"Mark: the rate.{bars}")


def _facts(report: EvaluationReport) -> Iterator[tuple[str, str]]:
    scoring, trials, evaluation = report.scoring, report.trials, report.evaluation
    yield (
        "trials",
        (
            f"{trials.name}: {count(evaluation.targets)} targets, {count(evaluation.non_targets)} non-targets, "
            f"{count(evaluation.speakers)} speakers"
        ),
    )
    if trials.utterances:
        again = f"; {count(trials.repeated)} trials repeat an earlier one" if trials.repeated else ""
        again += f"; {count(trials.swapped)} trials are an earlier one with its sides swapped" if trials.swapped else ""
        yield "recordings", f"{count(trials.utterances)}{again}"
    chosen = {key: value for key, value in scoring.settings.items() if not isinstance(value, Mapping)}
    words = ", ".join(f"{key} {value}" for key, value in chosen.items() if value not in (None, ""))
    back_end = "" if scoring.back_end == "plain" else f"{scoring.back_end} ({words})" if words else scoring.back_end
    for label, text in (
        ("corpus", trials.corpus),
        ("space", scoring.space),
        ("encoder", "" if scoring.parameters is None else f"{count(scoring.parameters)} parameters"),
        ("scorer", scoring.scorer),
        ("back end", back_end),
        ("cohort", scoring.cohort),
        ("scores", scoring.calibration or "not calibrated: they order trials, and a number alone means nothing"),
    ):
        if text:
            yield label, text


def _health(report: EvaluationReport) -> Iterator[tuple[str, str]]:
    health = report.evaluation.health
    if health is None:
        return
    which = " that repeat no other" if health.repeated else ""
    yield "tied scores", f"{100 * health.tied_share:.2f} % of the trials{which}"
    yield "saturated scores", f"{100 * health.saturated_share:.2f} % of the trials at the very ends"
    yield "overlap of the classes", f"{health.overlap:.3f} of 1"
    yield "enrolment and test from one recording", f"{count(health.same_recording)} trials"


def _breakdown(report: EvaluationReport, breakdown: Breakdown, number: int) -> dict[str, Any]:
    """Return the rows of a table, why some of them mean little in the order of their numbers, and what has no row."""
    keys = breakdown_keys(report.evaluation)
    groups: list[_Group] = []
    notes: dict[str, int] = {}
    for name in breakdown.groups:
        part = report.evaluation.groups[name]
        if part.why_no_figures is None:
            note = notes.setdefault(part.too_small, len(notes) + 1) if part.too_small else None
            counts = (count(part.targets), count(part.non_targets), count(part.speakers))
            groups.append(_Group(name, counts, tuple(figure_cell(part, key)[:2] for key in keys), note))
    without = without_figures(report.evaluation, breakdown)
    return {
        "title": breakdown.title,
        "groups": groups,
        "notes": list(notes),
        "without": without,
        "picture": _groups_picture(report, groups, number),
    }
