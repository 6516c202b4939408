"""The page of a label tree in a space: the disk to move about in, the dendrogram, the radii and all measures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from curvox.evaluating import installed_versions
from curvox.reports.citations import citations_for
from curvox.reports.clips import Clip
from curvox.reports.hierarchy_data import script_data, script_json
from curvox.reports.hierarchy_disk import middles_drawn, shown_in_still, stretch_of, tree_disk_figure
from curvox.reports.hierarchy_figures import dendrogram_figure, tree_radius_figure
from curvox.reports.hierarchy_looks import several
from curvox.reports.hierarchy_tables import PAPERS, known_shares, measure_groups, without_value
from curvox.reports.page import PageFigure, page_template
from curvox.reports.standalone import standalone
from curvox.reports.tables import count

if TYPE_CHECKING:
    from curvox.reports.hierarchy_report import HierarchyReport

_HELP = (
    "Drag to move through the disk, turn the wheel to stretch distances, point at a recording or at the middle of a "
    "node to learn its name."
)
_RADIUS = (
    "Middles of the nodes of each level, and the recordings themselves. A middle of many points lies further in than "
    "they do, whatever they are; the dashed line is the mean of middles of as many recordings drawn at random."
)


def render_hierarchy_page(
    report: HierarchyReport,
    *,
    clips: Mapping[str, Clip] | None = None,
    versions: Sequence[tuple[str, str]] | None = None,
) -> str:
    """Return the HTML of a label tree in a space; the same text for the same report and excerpts.

    The page runs one script, its own, and nothing else; without scripts and on paper a still picture stands in the
    place of the disk.

    Args:
        report: what to show.
        clips: excerpts by utterance, played from the disk; without them it is silent.
        versions: of the packages; default those installed.
    """
    paths, picture = report.paths, report.picture
    level = first_level(report)
    clips = clips or {}
    heard = [(i, name, clips[name]) for i, name in enumerate(report.utterances) if name in clips and clips[name].audio]
    script = hierarchy_script()
    help_text = f"{_HELP} A click plays what is ringed." if heard else _HELP
    radii = None if picture.radii is None else tree_radius_figure(picture)
    values = {
        "title": f"The label tree of {report.corpus} in {report.title}",
        "subtitle": _subtitle(report),
        "notes": report.notes,
        "script": script,
        "script_hash": _hash(script),
        "data": script_json(script_data(report, level=level, clips=clips, help_text=help_text)),
        "levels": paths.levels,
        "first": paths.place(level),
        "heard": heard,
        "disk": PageFigure(
            tree_disk_figure(picture, paths, level, title=report.title), _disk_title(report), _disk_caption(report)
        ),
        "disk_label": f"{report.title} in the Poincaré disk: {count(len(paths))} recordings and their label tree.",
        "dendrogram": _dendrogram(report),
        "radius": PageFigure(radii, "Distances from the origin", _RADIUS) if radii else None,
        "groups": measure_groups(report.measures),
        "without": without_value(report.measures),
        "caption": _measures_caption(report),
        "shares": known_shares(paths),
        "facts": list(_facts(report)),
        "command": report.command,
        "versions": installed_versions() if versions is None else versions,
        "bibtex": citations_for(
            [*PAPERS["page"], *(key for m in report.measures.measures for key in PAPERS.get(m.key, ()))]
        ),
    }
    return page_template("hierarchy.html.jinja").render(values)


def hierarchy_script() -> str:
    """Return the script of the page: the geometry of the disk, then what draws and answers."""
    templates = files("curvox.reports").joinpath("templates")
    return "".join(templates.joinpath(name).read_text(encoding="utf-8") for name in ("disk.js", "hierarchy.js"))


def hierarchy_pictures(report: HierarchyReport) -> dict[str, str]:
    """Return the pictures of the page as SVG files that stand alone, by their names; those that there are."""
    radii = None if report.picture.radii is None else tree_radius_figure(report.picture)
    grown = None if report.dendrogram is None else dendrogram_figure(report.dendrogram, report.paths)
    disk = tree_disk_figure(report.picture, report.paths, first_level(report), title=report.title)
    made = {"disk.svg": disk, "dendrogram.svg": grown, "radius.svg": radii}
    return {name: standalone(svg) for name, svg in made.items() if svg}


def first_level(report: HierarchyReport) -> str:
    """Return the level that the disk is coloured by at first: the uppermost with several known nodes."""
    return next((level for level in report.paths.levels if several(report.paths, level)), report.paths.levels[0])


def _hash(script: str) -> str:
    """Return what the page's policy knows its one script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"


def _subtitle(report: HierarchyReport) -> str:
    measures = report.measures
    return (
        f"{count(measures.utterances)} recordings of {count(measures.speakers)} speakers; levels "
        f"{', '.join(measures.levels)}; {report.space}."
    )


def _disk_title(report: HierarchyReport) -> str:
    return f"All {count(len(report.utterances))} recordings in the Poincaré disk"


def _disk_caption(report: HierarchyReport) -> str:
    layout, picture = report.picture.layout, report.picture
    stretch = stretch_of(layout.coordinates)
    origin = " The cross is the origin of the space." if picture.origin is not None else ""
    undrawn = middles_drawn(picture.levels)
    too_many = f" The still picture has no arcs for {', '.join(undrawn)}: too many nodes." if undrawn else ""
    sampled = len(report.utterances) - shown_in_still(report.utterances)
    left_out = f" The still picture leaves out {count(sampled)} recordings, at random." if sampled else ""
    return (
        "The centre is the middle of all recordings. Every point lies as far from it as it does in the space, in its "
        f"direction within the plane of the two principal geodesics; circles are at these distances, of which 1 is "
        f"{report.unit}, drawn {stretch:g} times as long to fill the disk. Arcs lead from the middle of a node to "
        f"those of its parts, along geodesics.{origin} The plane holds {100 * layout.kept:.0f} % of the squared "
        f"distances from the middle; stress of the picture {layout.stress:.2f} (0 is perfect), by "
        f"{count(layout.pairs)} pairs.{too_many}{left_out}"
    )


def _dendrogram(report: HierarchyReport) -> PageFigure | None:
    grown = report.dendrogram
    if grown is None:
        return None
    left_out = f" (not shown: {count(grown.left_out)} others)" if grown.left_out else ""
    caption = (
        f"The middles of {count(len(grown.nodes))} nodes of the level {grown.level}{left_out}, merged by average "
        f"linkage of {grown.dendrogram.dissimilarity} (Sokal and Michener 1958). Beside each leaf its nodes in the "
        "levels above; a branch is coloured where all its leaves are of one."
    )
    return PageFigure(dendrogram_figure(grown, report.paths), "Who is near whom", caption)


def _measures_caption(report: HierarchyReport) -> str:
    measures = report.measures
    intervals = (
        f"Intervals: {count(measures.resamples)} resamples of the speakers, seed {measures.seed}, where the note says "
        "nothing else. "
        if measures.resamples
        else ""
    )
    return (
        f"{intervals}Chance: what shuffled labels give. Pairs of recordings: {count(measures.sampled_pairs)} sampled."
    )


def _facts(report: HierarchyReport) -> Iterator[tuple[str, str]]:
    layout = report.picture.layout
    yield "Space", report.space
    pairs = f"{count(report.measures.sampled_pairs)} pairs for the measures, {count(layout.pairs)} for the stress"
    yield "Sampled", f"{pairs}; seed {report.measures.seed}"
