"""What the script of the hierarchy page is given: the points, the tree and the looks, as JSON that stays inside its
element whatever the labels hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curvox.reports.drawing import INK, OTHER, SERIES
from curvox.reports.hierarchy_disk import MOST_MIDDLES, stretch_of
from curvox.reports.hierarchy_looks import LevelLooks, level_looks, own_names

if TYPE_CHECKING:
    from curvox.hierarchy import LevelMiddles, TreePicture
    from curvox.reports.clips import Clip
    from curvox.reports.hierarchy_report import HierarchyReport

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
        "x": _numbers(picture.projected[:, 0]),
        "y": _numbers(picture.projected[:, 1]),
        "length": _numbers(np.linalg.norm(layout.coordinates, axis=1)),
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


def _numbers(values: Iterable[float] | NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def _places(of: LevelMiddles, nodes: NDArray[np.int64]) -> list[int]:
    if not len(of):
        return [-1] * len(nodes)
    found = np.minimum(np.searchsorted(of.nodes, nodes), len(of) - 1)
    return np.where(of.nodes[found] == nodes, found, -1).tolist()


def _middles(of: LevelMiddles) -> dict[str, Any]:
    return {
        "x": _numbers(of.projected[:, 0]),
        "y": _numbers(of.projected[:, 1]),
        "length": _numbers(np.linalg.norm(of.coordinates, axis=1)),
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
    deepest = -1
    for place, level in enumerate(levels):
        if len(level) > 5 * MOST_MIDDLES:
            break
        deepest = place
    return deepest
