"""Pages of evaluations: several systems side by side, and one evaluation with its groups and its worst errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curvox.errors import InputError
from curvox.evaluating import Breakdown, EvaluationReport, breakdown_keys, column_title
from curvox.files import refuse_existing, whole_file
from curvox.metrics import Figure
from curvox.reports.figures.detection import (
    accents_by_size,
    calibration_figure,
    det_figure,
    dev_eer_figure,
    disk_figure,
    eer_figure,
    histogram_figure,
    loss_figure,
)
from curvox.reports.pages.page import Clip, PageFigure, fill_page
from curvox.reports.results import Report, SystemResult
from curvox.reports.tables.evaluation import (
    comparison_tests,
    figure_cell,
    figure_levels,
    figure_meaning,
    figure_title,
    figures_of,
    groups_of,
    interval_title,
    leading_figures,
    threshold_text,
    without_figures,
)
from curvox.reports.tables.tables import NOTHING, count, duration

_DET = (
    "How often a stranger is accepted against how often a speaker is rejected, at every threshold, on axes warped by "
    "the normal quantile. Lower left is better; the mark is the equal error rate."
)
_LOSS = "Mean over each epoch. Different losses have different units: compare shapes, not heights."
_HISTOGRAM = "Each class by itself; the less the two overlap, the fewer errors any threshold makes."
_CALIBRATION = (
    "What decisions cost when the threshold follows from the prior, and what they would cost at the best threshold. "
    "The gap is what calibration loses; vertical lines are the operating points of the table."
)
_MOST_DRAWN = 40


def write_page(report: Report, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a report as one self-contained HTML file, whole or not at all.

    Raises:
        OutputExistsError: the file exists, and ``overwrite`` is not set; nothing was written.
        InputError: the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file for the page, e.g. {path / 'report.html'}")
    if not overwrite:
        refuse_existing(path)
    page = render_page(report).encode()
    with whole_file(path, new=not overwrite) as file:
        file.write(page)


def render_page(report: Report) -> str:
    """Return the HTML of a report; the same text for the same report."""
    systems = report.systems
    leading = leading_figures(systems)
    values = {
        "title": report.title,
        "subtitle": report.subtitle,
        "report": report,
        "nothing": NOTHING,
        "metrics": [figure_title(figure) for figure in leading],
        "interval_title": interval_title(systems),
        "pooled": [(system, _row(system, None, leading), _training(system)) for system in systems],
        "figures": list(_figures(systems)),
        "disks": list(_disks(systems)),
        "groups": [(group, [_row(system, group, leading) for system in systems]) for group in groups_of(systems)],
        "timed": any(system.training_s is not None for system in systems),
        "tests": comparison_tests(report.comparison) if report.comparison else None,
    }
    seed = [] if report.seed is None else [("Seed", str(report.seed))]
    facts = [*seed, *_resampling(systems)]
    return fill_page(
        "page", values, command=report.command, versions=report.versions, facts=facts, papers=report.papers
    )


def _row(system: SystemResult, group: str | None, leading: Sequence[Figure]) -> dict[str, Any]:
    part = system.part(group)
    cells = [figure_cell(part, figure.key, figure.title) for figure in leading]
    numbers = (part.targets, part.non_targets, part.speakers) if part else ()
    return {
        "title": system.title,
        "cells": cells,
        "counts": list(map(count, numbers)) or [NOTHING] * 3,
        # All figures missing is one reason; a single one missing shows its own in its cell.
        "reason": cells[0].reason,
    }


def _training(system: SystemResult) -> tuple[str, str]:
    return (
        NOTHING if system.training_s is None else duration(system.training_s),
        NOTHING if system.parameters is None else count(system.parameters),
    )


def _figures(systems: tuple[SystemResult, ...]) -> Iterator[PageFigure]:
    missing = [f"{s.title} ({figure_cell(s.evaluation, 'eer').reason})" for s in systems if not s.evaluation.det]
    not_drawn = f" Not drawn: {', '.join(missing)}." if missing else ""
    if any(system.evaluation.det for system in systems):
        yield PageFigure(det_figure(systems), "DET curves", _DET + not_drawn)
    intervals = interval_title(systems)
    caption = "Mark: equal error rate." + (f" Bar: {intervals}, by bootstrap over speakers." if intervals else "")
    yield PageFigure(eer_figure(systems), "Equal error rates", f"{caption} Left is better.")
    if any(record.loss is not None for system in systems for record in system.history):
        yield PageFigure(loss_figure(systems), "Learning curves: training loss", _LOSS)
    if any(record.dev_eer is not None for system in systems for record in system.history):
        caption = "On the dev trials, after every epoch. Lower is better."
        yield PageFigure(dev_eer_figure(systems), "Learning curves: EER on dev trials", caption)


def _disks(systems: tuple[SystemResult, ...]) -> Iterator[PageFigure]:
    accents = accents_by_size([system.disk for system in systems if system.disk])
    for i, system in enumerate(systems):
        if system.disk:
            svg = disk_figure(system.disk, accents=accents, name=f"disk-{i}", title=system.title)
            space = f"Space: {system.space}. " if system.space else ""
            size = f"{count(len(system.disk.points))} utterances of {count(len(set(system.disk.speakers)))} speakers"
            yield PageFigure(svg, system.title, f"{space}{size}; stress {system.disk.stress:.3f}.")


def _resampling(systems: tuple[SystemResult, ...]) -> Iterator[tuple[str, str]]:
    """Say where the intervals come from, once for all systems that agree."""
    ways = dict.fromkeys(
        f"{count(part.resamples)} resamples of the speakers, seed {part.seed}"
        + (f", {count(part.redrawn)} drawn again for lack of a class" if part.redrawn else "")
        for part in (system.evaluation for system in systems)
        if part.resamples
    )
    if ways:
        yield "Intervals", "; ".join(ways)


def render_evaluation_page(report: EvaluationReport, *, clips: Mapping[str, Clip] | None = None) -> str:
    """Return the HTML of one evaluation; the same text for the same report and excerpts.

    Args:
        report: what to show.
        clips: excerpts by utterance, played in the table of the worst errors; without them it is silent.
    """
    evaluation = report.evaluation
    system = SystemResult(report.scoring.name, column_title(report), evaluation)
    values = {
        "title": f"{system.title} on {report.trials.name}",
        "subtitle": _subtitle(report),
        "report": report,
        "evaluation": evaluation,
        "nothing": NOTHING,
        "figures": [
            (figure_title(f), *figure_cell(evaluation, f.key)[:2], threshold_text(f), figure_meaning(f))
            for f in evaluation.figures
        ],
        "levels": figure_levels([evaluation]),
        "pictures": list(_pictures(system)),
        "facts": list(_facts(report)),
        "health": list(_health(report)),
        "breakdowns": [_breakdown(system, breakdown, i) for i, breakdown in enumerate(report.breakdowns)],
        "group_titles": [figure_title(f) for f in figures_of([evaluation]) if f.key in breakdown_keys(evaluation)],
        "worst": [
            ("Strangers that scored highest", [trial for trial in report.worst if not trial.target]),
            ("Speakers that scored lowest against themselves", [trial for trial in report.worst if trial.target]),
        ],
        "clips": clips or {},
    }
    facts = _resampling((system,))
    return fill_page("evaluation", values, command=report.command, versions=report.versions, facts=facts)


def _subtitle(report: EvaluationReport) -> str:
    if report.evaluation.llrs:
        return "Log-likelihood ratios, natural logarithm: above 0 the recordings speak for one speaker."
    return "Scores, larger for the same speaker; they are not calibrated."


def _pictures(system: SystemResult) -> Iterator[PageFigure]:
    evaluation = system.evaluation
    if evaluation.det:
        yield PageFigure(det_figure((system,)), "DET curve", _DET)
    if evaluation.histogram:
        yield PageFigure(histogram_figure(evaluation), "Scores", _HISTOGRAM)
    if evaluation.calibration:
        yield PageFigure(calibration_figure(evaluation), "Calibration", _CALIBRATION)


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


def _breakdown(system: SystemResult, breakdown: Breakdown, number: int) -> dict[str, Any]:
    """Return the rows of a table, why some of them mean little in the order of their numbers, and what has no row."""
    evaluation = system.evaluation
    keys = breakdown_keys(evaluation)
    rows: list[dict[str, Any]] = []
    notes: dict[str, int] = {}
    for name in breakdown.groups:
        part = evaluation.groups[name]
        if part.why_no_figures is None:
            note = notes.setdefault(part.too_small, len(notes) + 1) if part.too_small else None
            counts = [count(part.targets), count(part.non_targets), count(part.speakers)]
            cells = [figure_cell(part, key)[:2] for key in keys]
            rows.append({"name": name, "counts": counts, "cells": cells, "note": note})
    return {
        "title": breakdown.title,
        "groups": rows,
        "notes": list(notes),
        "without": without_figures(evaluation, breakdown),
        "picture": _groups_picture(system, [row["name"] for row in rows], number),
    }


def _groups_picture(system: SystemResult, groups: Sequence[str], number: int) -> PageFigure | None:
    """Draw the error rates of a breakdown where there is something to compare, and not more than one can take in."""
    evaluation = system.evaluation
    eer = evaluation.figure("eer")
    if eer is None or not 2 <= len(groups) <= _MOST_DRAWN:
        return None
    drawn = replace(evaluation, groups={group: evaluation.groups[group] for group in groups})
    bars = " Bar: interval by bootstrap over speakers." if eer.interval else ""
    svg = eer_figure((replace(system, evaluation=drawn),), name=f"eer-{number}")
    return PageFigure(svg, "Equal error rates", f"Mark: the rate.{bars}")
