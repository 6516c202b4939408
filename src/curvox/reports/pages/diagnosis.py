"""The page of a diagnosis: the first cause, each finding beside the curve it comes from, then all vital signs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
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
from curvox.reports.figures.vitals import (
    PANELS,
    VitalPanel,
    curves_of,
    distance_figure,
    panel_of,
    radius_figure,
    vital_figure,
)
from curvox.reports.pages.page import PageFigure, fill_page
from curvox.reports.tables.tables import count

if TYPE_CHECKING:
    from curvox.diagnosis import DistanceHistogram, RadiusHistogram, RunObservation, VitalHistory

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
    """Return the HTML of a diagnosis; the same input gives the same text.

    Args:
        diagnosis: what was found.
        name: of the run or of the loss.
        history: its vital signs over the steps; those of ``observation`` where it is left out.
        observation: what was measured of the run, for the histograms of its training recordings.
        command: the command line that makes this page again.
        versions: of the packages, as (name, version); default those installed.
    """
    pictures = _pictures(history, observation)
    parts = [part for part in explained(diagnosis) if part.finding.cause != "healthy"]
    values = {
        "title": f"Diagnosis of {name}",
        "subtitle": _subtitle(diagnosis),
        "headline": f"{_capital(headline(diagnosis))}.",
        "severity": diagnosis.first.severity,
        "first": _shown(diagnosis.first),
        "findings": [_finding(part, i, pictures) for i, part in enumerate(parts, start=1)],
        "vitals": list(_vital_rows(diagnosis)),
        "curves": list(_curves(pictures.history, PANELS, "vital")),
        "course": _course(pictures.history),
        "histograms": [*_distances(pictures, "last"), *_radii(pictures, "last")],
        "groups": list(_groups(diagnosis)),
    }
    return fill_page("diagnosis", values, command=command, versions=versions)


def _pictures(history: VitalHistory | None, observation: RunObservation | None) -> _Pictures:
    if observation is None:
        return _Pictures(history, None, None)
    items = observation.train if observation.train is not None else observation.dev
    course = history if history is not None else observation.history
    if items is None:
        return _Pictures(course, None, None)
    from curvox.diagnosis import distance_histogram, radius_histogram  # bring torch

    return _Pictures(course, distance_histogram(items), radius_histogram(items))


def _subtitle(diagnosis: Diagnosis) -> str:
    missing = f", {len(diagnosis.not_checked)} could not be" if diagnosis.not_checked else ""
    return f"{counts(diagnosis).capitalize()}; {len(diagnosis.checked)} causes were looked for{missing}."


def _shown(finding: Finding) -> dict[str, Any]:
    cause = CAUSES.get(finding.cause)
    return {
        "name": finding.cause,
        "title": title_of(finding.cause),
        "severity": finding.severity,
        "evidence": [(e.measure, measured(e), e.healthy) for e in finding.evidence],
        "where": finding.where,
        **{part: getattr(cause, part, "") for part in ("mechanism", "remedy", "recipe", "page")},
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
    """Draw the curves that the evidence names; a histogram where it names none that this run has."""
    panels = dict.fromkeys(panel_of(e.vital) for e in evidence if e.vital in VITALS)
    drawn = list(islice(_curves(pictures.history, panels, name), MOST_BESIDE))
    yield from drawn
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


def _curves(history: VitalHistory | None, panels: Iterable[VitalPanel], name: str) -> Iterator[PageFigure]:
    """Draw the panels that the run has something of."""
    for panel in panels:
        if history is not None and curves_of(history, panel):
            yield _curve(history, panel, f"{name}-{panel.name}")


def _course(history: VitalHistory | None) -> str:
    if history is None:
        return ""
    last = int(history.steps[-1]) if len(history.steps) else 0
    return f"Last step on record {count(last)} of {count(history.planned_steps)} planned."


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
        if vital is None:
            yield name, quantity(value, ""), ""
        else:
            yield vital.title, quantity(value, vital.unit), vital.reading


def _groups(diagnosis: Diagnosis) -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Yield the causes of each group: title, name, what became of it in a word, and why."""
    became = dict.fromkeys(diagnosis.checked, ("not found", ""))
    became |= {gap.cause: ("not checked", gap.why) for gap in diagnosis.not_checked}
    became |= {finding.cause: (finding.severity, "found, see above") for finding in diagnosis.findings}
    unknown = ("not checked", "no check looks for it here")
    for group, title in GROUPS.items():
        rows = [(cause, became.get(cause.name, unknown)) for cause in CAUSES.values() if cause.group == group]
        yield title, [(cause.title, cause.name, word, why) for cause, (word, why) in rows]
