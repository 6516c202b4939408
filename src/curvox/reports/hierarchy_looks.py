"""How the nodes of a label tree look in its pictures: the largest eight of a level by colour and mark, then others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.reports.drawing import INK, MARKERS, OTHER, SERIES, plain

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

    from curvox.hierarchy import TreePaths

MOST_COLOURED = 8
"""Nodes of a level that have a look of their own."""

_COLOURS = (*SERIES, INK)[:MOST_COLOURED]
_OTHER, _UNKNOWN = ".", "+"
_LETTERS = 22


@dataclass(frozen=True)
class NodeLook:
    """What one legend entry stands for: its name, how many items it has, and its colour and mark."""

    name: str
    items: int
    colour: str
    marker: str


@dataclass(frozen=True, eq=False)
class LevelLooks:
    """The legend of a level.

    Attributes:
        level: its name.
        entries: the largest nodes, then "other" and "unknown" where there are some.
        of_items: (n,) the entry of each item.
        of_nodes: the entry of each node of the level, by its number.
    """

    level: str
    entries: tuple[NodeLook, ...]
    of_items: NDArray[np.int64]
    of_nodes: NDArray[np.int64]


def level_looks(paths: TreePaths, level: str, *, first: int = 0) -> LevelLooks:
    """Return how the items of a level look; nodes of equal size in the order of their numbers.

    An entry has the node's own name where no other node of the level bears it, else its path.

    Args:
        paths: of the items.
        level: of the tree.
        first: colour and mark of the largest node, counted from 0, for a picture that shows several levels.
    """
    place = paths.place(level)
    own, known = paths.nodes[:, place], paths.usable(level)
    sizes = np.bincount(own[known], minlength=len(paths.names[place]))
    order = sorted(np.flatnonzero(sizes).tolist(), key=lambda node: (-sizes[node], node))
    # An entry "other" that stands for a single node would only hide its name.
    named = order if len(order) <= MOST_COLOURED else order[:MOST_COLOURED]
    names = _names(paths, level, order)
    entries = [NodeLook(names[node], int(sizes[node]), *_look(first + i)) for i, node in enumerate(named)]
    of_nodes = np.full(len(paths.names[place]), -1, dtype=np.int64)
    of_nodes[named] = np.arange(len(named))
    if rest := order[len(named) :]:
        of_nodes[rest] = len(entries)
        entries.append(NodeLook(f"{len(rest)} more", int(sizes[rest].sum()), OTHER, _OTHER))
    if not known.all():
        of_nodes[of_nodes < 0] = len(entries)
        entries.append(NodeLook("unknown", int((~known).sum()), OTHER, _UNKNOWN))
    of_items = np.where(known, of_nodes[own], len(entries) - 1)
    return LevelLooks(level, tuple(entries), of_items, of_nodes)


def _names(paths: TreePaths, level: str, nodes: Sequence[int]) -> Sequence[str]:
    names = own_names(paths, level)
    return names if len({names[node] for node in nodes}) == len(nodes) else paths.names[paths.place(level)]


def _look(i: int) -> tuple[str, str]:
    return _COLOURS[i % MOST_COLOURED], MARKERS[i % MOST_COLOURED]


def own_names(paths: TreePaths, level: str) -> list[str]:
    """Return of every node of a level the last part of its path, what sets it apart from its siblings."""
    place = paths.place(level)
    if not place:
        return list(paths.names[0])
    above = paths.names[place - 1]
    parents = paths.parents(level).tolist()
    return [
        name.removeprefix(f"{above[parent]} / ") if parent >= 0 else name
        for name, parent in zip(paths.names[place], parents, strict=True)
    ]


def short(name: str) -> str:
    """Return a name as one line that fits beside a picture."""
    text = plain(name)
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def legend_mark(entry: NodeLook, label: str) -> Line2D:
    """Return the mark of an entry for a legend."""
    from matplotlib.lines import Line2D

    mark = Line2D([], [], linestyle="none", color=entry.colour, marker=entry.marker, markersize=6.5, label=label)
    if entry.marker == _UNKNOWN:
        mark.set_markeredgecolor(entry.colour)
    return mark


def several(paths: TreePaths, level: str) -> bool:
    """Return whether more than one node of a level is known, so that colours tell something."""
    own = paths.nodes[paths.usable(level), paths.place(level)]
    return len(own) > 0 and bool((own != own[0]).any())
