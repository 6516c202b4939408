"""The page of a label tree in a space: the disk to move about in, the dendrogram, the radii and all measures."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.reports.figures.drawing import INK, OTHER, SERIES
from curvox.reports.figures.hierarchy import (
    MOST_MIDDLES,
    LevelLooks,
    dendrogram_figure,
    level_looks,
    middles_drawn,
    own_names,
    several,
    shown_in_still,
    stretch_of,
    tree_disk_figure,
    tree_radius_figure,
)
from curvox.reports.pages.page import Clip, PageFigure, fill_page
from curvox.reports.tables.hierarchy import PAPERS, known_shares, measure_groups, without_value
from curvox.reports.tables.tables import count

if TYPE_CHECKING:
    from curvox.hierarchy import LevelMiddles, NodeDendrogram, TreeMeasures, TreePaths, TreePicture

# What the script of the hierarchy page is given: the points, the tree and the looks, as JSON that stays inside its
# element whatever the labels hold.

_DIGITS = 5
_VARIABLES = {**{colour: str(i) for i, colour in enumerate(SERIES, start=1)}, INK: "ink", OTHER: "series-other"}


def script_data(report: HierarchyReport, *, level: str, clips: Mapping[str, Clip], help_text: str) -> dict[str, Any]:
    """Return what the script of the page draws and says.

    Args:
        report: what is drawn.
        level: coloured at first.
        clips: excerpts by utterance; those with audio are played.
        help_text: shown while the pointer is on nothing.
    """
    picture, paths = report.picture, report.paths
    layout = picture.layout
    heard = [i for i, name in enumerate(report.utterances) if name in clips and clips[name].audio]
    return {
        "utterances": list(report.utterances),
        **_points(picture.projected, layout.coordinates),
        "levels": list(paths.levels),
        "names": [own_names(paths, name) for name in paths.levels],
        "nodes": paths.nodes.T.tolist(),
        "at": [_places(of, paths.nodes[:, place]) for place, of in enumerate(picture.levels)],
        "middles": [_middles(of) for of in picture.levels],
        "paths": [[paths.names[place][node] for node in of.nodes.tolist()] for place, of in enumerate(picture.levels)],
        "looks": [_looks(level_looks(paths, name)) for name in paths.levels],
        "level": paths.place(level),
        "deepest": _deepest(picture.levels),
        "stretch": stretch_of(layout.coordinates),
        "origin": _origin(picture),
        "clips": {str(i): True for i in heard},
        "help": help_text,
    }


def script_json(tree: Mapping[str, Any]) -> str:
    """Return JSON that may stand inside an element ``script``: no label can close it, or open a comment in it."""
    text = json.dumps(tree, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _numbers(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def _points(projected: NDArray[np.float64], coordinates: NDArray[np.float64]) -> dict[str, list[float]]:
    x, y, length = projected[:, 0], projected[:, 1], np.linalg.norm(coordinates, axis=1)
    return {"x": _numbers(x), "y": _numbers(y), "length": _numbers(length)}


def _places(of: LevelMiddles, nodes: NDArray[np.int64]) -> list[int]:
    if not len(of):
        return [-1] * len(nodes)
    found = np.minimum(np.searchsorted(of.nodes, nodes), len(of) - 1)
    return np.where(of.nodes[found] == nodes, found, -1).tolist()


def _middles(of: LevelMiddles) -> dict[str, Any]:
    return {
        **_points(of.projected, of.coordinates),
        "sizes": of.sizes.tolist(),
        "parents": of.parents.tolist(),
    }


def _origin(picture: TreePicture) -> list[float] | None:
    """Return x, y and length of the origin as those of every point: x and y projected, the length kept."""
    if picture.origin is None or picture.projected_origin is None:
        return None
    return _numbers([*picture.projected_origin, float(np.linalg.norm(picture.origin))])


def _looks(looks: LevelLooks) -> dict[str, Any]:
    return {
        "entries": [
            {"name": entry.name, "items": entry.items, "colour": _VARIABLES[entry.colour], "marker": entry.marker}
            for entry in looks.entries
        ],
        "of": looks.of_items.tolist(),
    }


def _deepest(levels: Iterable[LevelMiddles]) -> int:
    """Return the last level whose nodes can be drawn one by one; -1 where not even the first can."""
    return len(list(takewhile(lambda level: len(level) <= 5 * MOST_MIDDLES, levels))) - 1


# What the page of a label tree in a space shows, as one record.


@dataclass(frozen=True, eq=False)
class HierarchyReport:
    """A label tree in the space of a model.

    Attributes:
        title: of the model, such as "HAM-Softmax".
        corpus: the recordings, such as "openvoices/test".
        space: in words.
        unit: what a distance of 1 in the picture is, in words.
        utterances: the n recordings.
        paths: of them in the tree.
        picture: what is drawn of them.
        dendrogram: grown from the middles of nodes; None where there are too few.
        measures: all numbers.
        notes: what a reader must know before the numbers, such as a level that is empty.
        command: how it was made; "" where no command did.

    Raises:
        InputError: parts of different numbers of recordings or different levels.
    """

    title: str
    corpus: str
    space: str
    unit: str
    utterances: tuple[str, ...]
    paths: TreePaths
    picture: TreePicture
    dendrogram: NodeDendrogram | None
    measures: TreeMeasures
    notes: tuple[str, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        counts = {len(self.utterances), len(self.paths), len(self.picture.projected), self.measures.utterances}
        if len(counts) > 1:
            raise InputError(f"the parts of a report are of different numbers of recordings: {sorted(counts)}")
        drawn = tuple(level.level for level in self.picture.levels)
        if not self.paths.levels == drawn == self.measures.levels:
            raise InputError(
                f"the parts of a report are of different levels: {self.paths.levels}, {drawn}, {self.measures.levels}"
            )


# An inline figure as an SVG file of its own, which sees neither the colours of a page nor its theme.

_STYLE = """<style>
svg { color: #1c2128; background: #ffffff; }
@media (prefers-color-scheme: dark) {
  svg { color: #e6e9ed; background: #14171b; --paper: #14171b; --grid: #373e47;
        --series-1: #4ea3e0; --series-2: #f08a4b; --series-3: #2fc49a; --series-4: #e39ac2;
        --series-5: #f0b73d; --series-6: #8ed0f7; --series-7: #d9cf45; }
}
</style>"""


def standalone(svg: str) -> str:
    """Return a figure of `curvox.reports.figures.drawing.draw` with a size and with its own colours, light and dark."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    size = "" if found is None else f' width="{found[1]}" height="{found[2]}"'
    head, rest = svg.split(">", 1)
    return f"{head}{size}>{_STYLE}{rest}\n"


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
    paths = report.paths
    level, size = first_level(report), count(len(paths))
    clips = clips or {}
    svgs = _pictures(report)
    heard = [(i, name, clips[name]) for i, name in enumerate(report.utterances) if name in clips and clips[name].audio]
    script = hierarchy_script()
    help_text = f"{_HELP} A click plays what is ringed." if heard else _HELP
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
        "disk": PageFigure(svgs["disk"], f"All {size} recordings in the Poincaré disk", _disk_caption(report)),
        "disk_label": f"{report.title} in the Poincaré disk: {size} recordings and their label tree.",
        "dendrogram": _dendrogram(report.dendrogram, svgs),
        "radius": PageFigure(svgs["radius"], "Distances from the origin", _RADIUS) if "radius" in svgs else None,
        "groups": measure_groups(report.measures),
        "without": without_value(report.measures),
        "caption": _measures_caption(report),
        "shares": known_shares(paths),
    }
    papers = [*PAPERS["page"], *(key for m in report.measures.measures for key in PAPERS.get(m.key, ()))]
    facts = _facts(report)
    return fill_page("hierarchy", values, command=report.command, versions=versions, facts=facts, papers=papers)


def hierarchy_script() -> str:
    """Return the script of the page: the geometry of the disk, then what draws and answers."""
    templates = files("curvox.reports").joinpath("templates")
    return "".join(templates.joinpath(name).read_text(encoding="utf-8") for name in ("disk.js", "hierarchy.js"))


def hierarchy_pictures(report: HierarchyReport) -> dict[str, str]:
    """Return the pictures of the page as SVG files that stand alone, by their names; those that there are."""
    return {f"{name}.svg": standalone(svg) for name, svg in _pictures(report).items()}


def _pictures(report: HierarchyReport) -> dict[str, str]:
    paths, picture = report.paths, report.picture
    made = {"disk": tree_disk_figure(picture, paths, first_level(report), title=report.title)}
    if report.dendrogram is not None:
        made["dendrogram"] = dendrogram_figure(report.dendrogram, paths)
    if picture.radii is not None:
        made["radius"] = tree_radius_figure(picture)
    return made


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


def _dendrogram(grown: NodeDendrogram | None, svgs: Mapping[str, str]) -> PageFigure | None:
    if grown is None:
        return None
    left_out = f" (not shown: {count(grown.left_out)} others)" if grown.left_out else ""
    caption = (
        f"The middles of {count(len(grown.nodes))} nodes of the level {grown.level}{left_out}, merged by average "
        f"linkage of {grown.dendrogram.dissimilarity} (Sokal and Michener 1958). Beside each leaf its nodes in the "
        "levels above; a branch is coloured where all its leaves are of one."
    )
    return PageFigure(svgs["dendrogram"], "Who is near whom", caption)


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
