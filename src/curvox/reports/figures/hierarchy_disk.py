"""The Poincaré disk of a whole corpus as inline SVG, with its label tree drawn in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.reports.figures.drawing import GRID, INK, MARKERS, OTHER, PAPER, SERIES, draw, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from curvox.hierarchy import LevelMiddles, TreePaths, TreePicture

# How the nodes of a label tree look in its pictures: the largest eight of a level by colour and mark, then others.

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


MOST_POINTS = 1500
"""Recordings in the still picture of a disk; those of a larger corpus are drawn at random."""
MOST_MIDDLES = 400
"""Nodes of a level whose arcs are drawn in the still picture; a level of more has none."""
FILLED = 0.88
"""The radius of the disk that 95 % of the recordings lie within, once distances are stretched to fill it."""


def stretch_of(coordinates: NDArray[np.float64]) -> float:
    """Return by how much distances from the centre are drawn longer, to fill the disk and not to crowd at its rim."""
    lengths = np.linalg.norm(coordinates, axis=1)
    wanted = 2.0 * math.atanh(FILLED) / max(float(np.quantile(lengths, 0.95)), 1e-9)
    return float(f"{wanted:.2g}")


def ring_distances(stretch: float) -> list[float]:
    """Return round distances from the centre whose circles are drawn, three to six of them inside the disk."""
    most = 2.0 * math.atanh(0.95) / stretch
    power = 10.0 ** math.floor(math.log10(most / 3))
    step = next(power * factor for factor in (5, 2, 1) if most / (power * factor) >= 3)
    return [step * i for i in range(1, int(most / step + 1e-9) + 1)]


def in_disk(coordinates: NDArray[np.float64], stretch: float) -> NDArray[np.float64]:
    """Return where tangent coordinates (n, 2) are drawn in the unit disk."""
    lengths = np.linalg.norm(coordinates, axis=1, keepdims=True)
    return coordinates * np.where(lengths > 0, np.tanh(stretch * lengths / 2) / np.maximum(lengths, 1e-300), 0.0)


def geodesic(start: NDArray[np.float64], end: NDArray[np.float64], steps: int = 12) -> NDArray[np.float64]:
    """Return points (steps, 2) along the geodesic of the unit disk between two of its points."""
    a, b = complex(*start), complex(*end)
    away = (b - a) / (1 - a.conjugate() * b)
    if away == 0:
        return np.repeat(start[None], steps, axis=0)
    length = math.atanh(min(abs(away), 1 - 1e-15))
    along = np.tanh(np.linspace(0, length, steps)) * away / abs(away)
    back = (along + a) / (1 + a.conjugate() * along)
    return np.stack([back.real, back.imag], axis=1)


def tree_disk_figure(
    picture: TreePicture, paths: TreePaths, level: str, *, name: str = "tree-disk", title: str = "", seed: int = 0
) -> str:
    """Return the recordings in the disk, coloured and marked by one level, with the label tree drawn over them.

    Args:
        picture: what to draw.
        paths: of its items.
        level: what colours stand for.
        name: stands before the ids.
        title: whose embeddings they are, for a screen reader.
        seed: of the sample of recordings where they are more than `MOST_POINTS`.
    """
    looks = level_looks(paths, level)
    coordinates = picture.layout.coordinates
    stretch = stretch_of(coordinates)
    shown = np.arange(len(coordinates))
    if len(shown) > MOST_POINTS:
        shown = np.sort(np.random.default_rng(seed).choice(len(shown), MOST_POINTS, replace=False))
    points = in_disk(coordinates[shown], stretch)

    def paint(figure: Figure, axes: Axes) -> None:
        _rings(axes, stretch)
        for i in reversed(range(len(looks.entries))):
            look, own = looks.entries[i], looks.of_items[shown] == i
            size = 3.4 if look.marker not in ".+" else 4.0
            axes.plot(
                *points[own].T,
                linestyle="none",
                marker=look.marker,
                color=look.colour,
                markersize=size,
                markeredgewidth=0.2 if look.marker != "+" else 0.7,
                markeredgecolor=PAPER if look.marker != "+" else look.colour,
                zorder=2,
            )
        _tree(axes, picture, stretch)
        if picture.origin is not None:
            axes.plot(
                *in_disk(picture.origin[None], stretch).T,
                marker="x",
                color=INK,
                markersize=7,
                markeredgecolor=INK,
                markeredgewidth=1.6,
                linestyle="none",
                zorder=6,
            )
        _disk_legend(figure, looks, picture)

    label = (
        f"{title or 'Embeddings'} in the Poincaré disk: {len(shown)} recordings coloured by {level}, stress "
        f"{picture.layout.stress:.2f}."
    )
    return draw((6.4, 7.3), paint, name=name, label=label)


def middles_drawn(levels: Sequence[LevelMiddles]) -> list[str]:
    """Return the levels whose nodes are too many for the still picture."""
    return [level.level for level in levels if len(level) > MOST_MIDDLES]


def _rings(axes: Axes, stretch: float) -> None:
    from matplotlib.patches import Circle

    for distance in ring_distances(stretch):
        radius = math.tanh(stretch * distance / 2)
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=GRID, linewidth=0.7, zorder=1))
        axes.annotate(
            f"{distance:g}",
            (0, radius),
            (0, -1),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7.5,
            color=OTHER,
            zorder=5,
        )
    axes.add_patch(Circle((0, 0), 1.0, fill=False, edgecolor=INK, linewidth=1.0, clip_on=False))
    axes.set(xlim=(-1.01, 1.01), ylim=(-1.01, 1.01), aspect="equal")
    axes.set_axis_off()


def _tree(axes: Axes, picture: TreePicture, stretch: float) -> None:
    drawn = [level for level in picture.levels if 0 < len(level) <= MOST_MIDDLES]
    for depth, level in enumerate(drawn):
        places = in_disk(level.coordinates, stretch)
        width = max(1.6 - 0.45 * depth, 0.5)
        for place, (above, at) in zip(places, level.parents.tolist(), strict=True):
            start = np.zeros(2) if above < 0 else in_disk(picture.levels[above].coordinates[[at]], stretch)[0]
            axes.plot(*geodesic(start, place).T, color=INK, linewidth=width, alpha=0.55, zorder=3)
        axes.plot(
            *places.T,
            linestyle="none",
            marker="o",
            color=PAPER,
            markeredgecolor=INK,
            markersize=max(6.5 - 1.6 * depth, 2.2),
            markeredgewidth=0.9,
            zorder=4,
        )


def _disk_legend(figure: Figure, looks: LevelLooks, picture: TreePicture) -> None:
    from matplotlib.lines import Line2D

    handles = [legend_mark(entry, f"{short(entry.name)} ({entry.items:,})") for entry in looks.entries]
    handles.append(
        Line2D(
            [],
            [],
            color=INK,
            alpha=0.6,
            marker="o",
            markerfacecolor=PAPER,
            markeredgecolor=INK,
            linewidth=1.2,
            markersize=5,
            label="label tree",
        )
    )
    if picture.origin is not None:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                color=INK,
                marker="x",
                markeredgecolor=INK,
                markeredgewidth=1.4,
                markersize=6,
                label="origin",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, title=plain(looks.level), fontsize=9)


def shown_in_still(recordings: Sequence[object]) -> int:
    """Return how many recordings the still picture shows."""
    return min(len(recordings), MOST_POINTS)
