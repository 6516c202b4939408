"""The page of a diagnosis: the first cause, each finding beside the curve it comes from, then all vital signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curvox.diagnosis import (
    CAUSES,
    GROUPS,
    VITALS,
    Diagnosis,
    Evidence,
    Explained,
    Finding,
    counts,
    explained,
    headline,
    measured,
    quantity,
    title_of,
)
from curvox.evaluating import installed_versions
from curvox.reports.figures.vitals import (
    PANELS,
    VitalPanel,
    curves_of,
    distance_figure,
    panel_of,
    radius_figure,
    vital_figure,
)
from curvox.reports.pages.page import PageFigure, page_template
from curvox.reports.tables.tables import count

if TYPE_CHECKING:
    from curvox.diagnosis import DistanceHistogram, EmbeddedSet, RadiusHistogram, RunObservation, VitalHistory

MOST_BESIDE = 2
"""Pictures that stand beside one finding."""

_DISTANCES = (
    "All pairs of the recordings that were embedded, in the space of the loss. The less the two overlap, the better "
    "speakers are told apart."
)
_LENGTHS = "How long the encoder makes the embeddings of these recordings."
_RADII = "Where the points lie between the centre, 0, and the rim, 1. One bar means that the radius says nothing."


@dataclass(frozen=True)
class _Pictures:
    """What there is to draw: the course of the run, and histograms of its embeddings."""

    history: VitalHistory | None
    distances: DistanceHistogram | None
    radii: RadiusHistogram | None


def render_diagnosis_page(
    diagnosis: Diagnosis,
    *,
    name: str,
    history: VitalHistory | None = None,
    observation: RunObservation | None = None,
    command: str = "",
    versions: Sequence[tuple[str, str]] | None = None,
) -> str:
    """Return the HTML of a diagnosis; it needs nothing else, and the same input gives the same text.

    Args:
        diagnosis: what was found.
        name: of the run or of the loss.
        history: its vital signs over the steps; those of ``observation`` where it is left out.
        observation: what was measured of the run, for the histograms of its training recordings.
        command: the command line that makes this page again.
        versions: of the packages, as (name, version); those installed where it is left out.
    """
    pictures = _pictures(history, observation)
    parts = [part for part in explained(diagnosis) if part.finding.cause != "healthy"]
    values = {
        "title": f"Diagnosis of {name}",
        "subtitle": _subtitle(diagnosis),
        "headline": _sentence(headline(diagnosis)),
        "severity": diagnosis.first.severity,
        "first": _shown(diagnosis.first),
        "findings": [_finding(part, i, pictures) for i, part in enumerate(parts, start=1)],
        "vitals": list(_vital_rows(diagnosis)),
        "curves": list(_curves(pictures.history)),
        "course": _course(pictures.history),
        "histograms": list(_histograms(pictures, "last")),
        "groups": list(_groups(diagnosis)),
        "command": command,
        "versions": installed_versions() if versions is None else versions,
    }
    return page_template("diagnosis.html.jinja").render(values)


def _pictures(history: VitalHistory | None, observation: RunObservation | None) -> _Pictures:
    if observation is None:
        return _Pictures(history, None, None)
    items: EmbeddedSet | None = observation.train if observation.train is not None else observation.dev
    course = history if history is not None else observation.history
    if items is None:
        return _Pictures(course, None, None)
    from curvox.diagnosis import distance_histogram, radius_histogram

    return _Pictures(course, distance_histogram(items), radius_histogram(items))


def _subtitle(diagnosis: Diagnosis) -> str:
    missing = f", {len(diagnosis.not_checked)} could not be" if diagnosis.not_checked else ""
    return f"{counts(diagnosis).capitalize()}; {len(diagnosis.checked)} causes were looked for{missing}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _shown(finding: Finding) -> dict[str, Any]:
    cause = CAUSES.get(finding.cause)
    return {
        "name": finding.cause,
        "title": title_of(finding.cause),
        "severity": finding.severity,
        "evidence": [(e.measure, measured(e), e.healthy) for e in finding.evidence],
        "where": finding.where,
        "mechanism": cause.mechanism if cause else "",
        "remedy": cause.remedy if cause else "",
        "recipe": cause.recipe if cause else "",
        "page": cause.page if cause else "",
    }


def _finding(part: Explained, number: int, pictures: _Pictures) -> dict[str, Any]:
    evidence = [e for finding in (part.finding, *part.consequences) for e in finding.evidence]
    return {
        **_shown(part.finding),
        "number": number,
        "consequences": [_shown(finding) for finding in part.consequences],
        "figures": list(_beside(part.finding, evidence, pictures, f"finding-{number}")),
    }


def _beside(finding: Finding, evidence: list[Evidence], pictures: _Pictures, name: str) -> Iterator[PageFigure]:
    """The curves that the evidence names; a histogram where it names none that this run has."""
    history = pictures.history
    panels = dict.fromkeys(panel_of(e.vital) for e in evidence if e.vital in VITALS)
    drawn = [panel for panel in panels if history is not None and curves_of(history, panel)][:MOST_BESIDE]
    for panel in drawn:
        assert history is not None
        yield _curve(history, panel, f"{name}-{panel.name}")
    if drawn or finding.cause not in CAUSES:
        return
    group = CAUSES[finding.cause].group
    if group == "space":
        yield from _radii(pictures, name)
    elif group in ("embeddings", "loss"):
        yield from _distances(pictures, name)


def _curve(history: VitalHistory, panel: VitalPanel, name: str) -> PageFigure:
    shown = list(curves_of(history, panel))
    readings = [VITALS[vital].reading for vital in shown]
    if len(set(readings)) > 1:
        readings = [f"{VITALS[vital].title}: {VITALS[vital].reading}" for vital in shown]
    caption = ". ".join(map(_capital, dict.fromkeys(readings)))
    return PageFigure(vital_figure(history, panel, name=name), panel.title, f"{caption}.")


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _curves(history: VitalHistory | None) -> Iterator[PageFigure]:
    if history is None:
        return
    for panel in PANELS:
        if curves_of(history, panel):
            yield _curve(history, panel, f"vital-{panel.name}")


def _course(history: VitalHistory | None) -> str:
    if history is None:
        return ""
    last = int(history.steps[-1]) if len(history.steps) else 0
    return f"Last step on record {count(last)} of {count(history.planned_steps)} planned."


def _histograms(pictures: _Pictures, name: str) -> Iterator[PageFigure]:
    yield from _distances(pictures, name)
    yield from _radii(pictures, name)


def _distances(pictures: _Pictures, name: str) -> Iterator[PageFigure]:
    if pictures.distances is not None:
        svg = distance_figure(pictures.distances, name=f"{name}-distances")
        yield PageFigure(svg, "Distances of pairs", _DISTANCES)


def _radii(pictures: _Pictures, name: str) -> Iterator[PageFigure]:
    radii = pictures.radii
    if radii is not None:
        title, caption = ("Radii on the ball", _RADII) if radii.on_ball else ("Lengths of the embeddings", _LENGTHS)
        yield PageFigure(radius_figure(radii, name=f"{name}-radii"), title, caption)


def _vital_rows(diagnosis: Diagnosis) -> Iterator[tuple[str, str, str]]:
    for name, value in diagnosis.vitals.items():
        vital = VITALS.get(name)
        yield (
            vital.title if vital else name,
            quantity(value, vital.unit if vital else ""),
            vital.reading if vital else "",
        )


def _groups(diagnosis: Diagnosis) -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Every cause of the table: its title, its name, what became of it in a word, and why."""
    found = {finding.cause: finding for finding in diagnosis.findings}
    gaps = {gap.cause: gap.why for gap in diagnosis.not_checked}
    for group, title in GROUPS.items():
        rows: list[tuple[str, str, str, str]] = []
        for cause in CAUSES.values():
            if cause.group != group:
                continue
            if cause.name in found:
                rows.append((cause.title, cause.name, found[cause.name].severity, "found, see above"))
            elif cause.name in gaps:
                rows.append((cause.title, cause.name, "not checked", gaps[cause.name]))
            elif cause.name in diagnosis.checked:
                rows.append((cause.title, cause.name, "not found", ""))
            else:
                rows.append((cause.title, cause.name, "not checked", "no check looks for it here"))
        yield title, rows
