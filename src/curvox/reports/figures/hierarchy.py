"""Figures of a label tree in a space as inline SVG: the disk with the tree in it, the dendrogram, the radii.

``name`` stands before every id in a figure; figures on one page need different names. In all of them the largest eight
nodes of a level are told apart by colour and mark, the others share a look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.reports.figures.drawing import (
    GRID,
    INK,
    MARKERS,
    OTHER,
    PAPER,
    SERIES,
    draw,
    empty_disk,
    legend_handle,
    name_rows,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from curvox.hierarchy import LevelMiddles, NodeDendrogram, TreePaths, TreePicture

MOST_COLOURED = 8
"""Nodes of a level that have a look of their own."""

_COLOURS = (*SERIES, INK)[:MOST_COLOURED]
_OTHER, _UNKNOWN = ".", "+"
_LETTERS = 22
_DASHED = (0, (3, 1.5))


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
    """

    level: str
    entries: tuple[NodeLook, ...]
    of_items: NDArray[np.int64]


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
    return LevelLooks(level, tuple(entries), of_items)


def _names(paths: TreePaths, level: str, nodes: Sequence[int]) -> Sequence[str]:
    names = own_names(paths, level)
    return names if len({names[node] for node in nodes}) == len(nodes) else paths.names[paths.place(level)]


def _look(i: int) -> tuple[str, str]:
    return _COLOURS[i % MOST_COLOURED], MARKERS[i % MOST_COLOURED]


def own_names(paths: TreePaths, level: str) -> list[str]:
    """Return the last part of the path of every node of a level, which sets it apart from its siblings."""
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
    return legend_handle(entry.colour, entry.marker, label=label, size=6.5, edge=_edge(entry))


def _edge(entry: NodeLook) -> str:
    """Return the colour of a mark's rim: its own where the mark is nothing but lines."""
    return entry.colour if entry.marker == _UNKNOWN else PAPER


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
            entry, own = looks.entries[i], looks.of_items[shown] == i
            axes.plot(
                *points[own].T, linestyle="none", marker=entry.marker, color=entry.colour, zorder=2,
                markersize=3.4 if entry.marker not in (_OTHER, _UNKNOWN) else 4.0,
                markeredgewidth=0.7 if entry.marker == _UNKNOWN else 0.2, markeredgecolor=_edge(entry),
            )  # fmt: skip
        _tree(axes, picture, stretch)
        if picture.origin is not None:
            axes.plot(
                *in_disk(picture.origin[None], stretch).T, linestyle="none", marker="x", color=INK, zorder=6,
                markersize=7, markeredgecolor=INK, markeredgewidth=1.6,
            )  # fmt: skip
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
    radii = {distance: math.tanh(stretch * distance / 2) for distance in ring_distances(stretch)}
    empty_disk(axes, radii.values(), width=0.7)
    for distance, radius in radii.items():
        axes.annotate(
            f"{distance:g}", (0, radius), (0, -1), textcoords="offset points", ha="center", va="top", fontsize=7.5,
            color=OTHER, zorder=5,
        )  # fmt: skip


def _tree(axes: Axes, picture: TreePicture, stretch: float) -> None:
    drawn = [level for level in picture.levels if 0 < len(level) <= MOST_MIDDLES]
    for depth, level in enumerate(drawn):
        places = in_disk(level.coordinates, stretch)
        width = max(1.6 - 0.45 * depth, 0.5)
        for place, (above, at) in zip(places, level.parents.tolist(), strict=True):
            start = np.zeros(2) if above < 0 else in_disk(picture.levels[above].coordinates[[at]], stretch)[0]
            axes.plot(*geodesic(start, place).T, color=INK, linewidth=width, alpha=0.55, zorder=3)
        size = max(6.5 - 1.6 * depth, 2.2)
        axes.plot(
            *places.T, linestyle="none", marker="o", color=PAPER, zorder=4, markersize=size, markeredgecolor=INK,
            markeredgewidth=0.9,
        )  # fmt: skip


def _disk_legend(figure: Figure, looks: LevelLooks, picture: TreePicture) -> None:
    handles = [legend_mark(entry, f"{short(entry.name)} ({entry.items:,})") for entry in looks.entries]
    tree = legend_handle(INK, "o", "-", label="label tree", size=5, face=PAPER, edge=INK, width=1.2)
    tree.set_alpha(0.6)
    handles.append(tree)
    if picture.origin is not None:
        handles.append(legend_handle(INK, "x", label="origin", size=6, edge=INK, edge_width=1.4))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, title=plain(looks.level), fontsize=9)


def shown_in_still(recordings: Sequence[object]) -> int:
    """Return how many recordings the still picture shows."""
    return min(len(recordings), MOST_POINTS)


def dendrogram_figure(grown: NodeDendrogram, paths: TreePaths, *, name: str = "dendrogram") -> str:
    """Return the dendrogram of nodes, root at the left, with the nodes of the levels above beside each leaf.

    A branch has the colour of the uppermost level with several nodes where all its leaves have one.
    """
    above = [level for level in paths.levels[: paths.place(grown.level)] if several(paths, level)]
    items = [int(np.flatnonzero(paths.nodes[:, paths.place(grown.level)] == node)[0]) for node in grown.nodes]
    looks: list[LevelLooks] = []
    for level in above:
        taken = sum(min(len(look.entries), MOST_COLOURED) for look in looks)
        looks.append(level_looks(paths, level, first=taken))
    order = leaf_order(grown.dendrogram.merges)
    row = {leaf: i for i, leaf in enumerate(order)}
    own = own_names(paths, grown.level)
    names = [short(own[node]) for node in grown.nodes.tolist()]
    height = 0.95 + 0.17 * len(order) + 0.22 * sum(1 + math.ceil(len(look.entries) / 3) for look in looks)

    def paint(figure: Figure, axes: Axes) -> None:
        groups = [_group(looks[0], item) for item in items] if looks else [-1] * len(items)
        _branches(axes, grown, row, groups, looks[0].entries if looks else ())
        right = float(grown.dendrogram.distances[-1])
        for column, look in enumerate(looks):
            x = -right * (0.035 + 0.045 * column)
            for leaf, item in enumerate(items):
                entry = look.entries[int(look.of_items[item])]
                axes.plot(
                    [x], [row[leaf]], marker=entry.marker, color=entry.colour, markersize=5, linestyle="none",
                    markeredgecolor=_edge(entry), clip_on=False,
                )  # fmt: skip
        axes.set(xlim=(1.02 * right, -right * (0.02 + 0.045 * len(looks))), ylim=(len(order) - 0.3, -0.7))
        axes.yaxis.tick_right()
        name_rows(axes, range(len(order)), [names[leaf] for leaf in order], size=8.5)
        axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= right])
        axes.set_xlabel("distance at which they merge")
        _level_legends(figure, looks)

    label = f"Dendrogram of {len(order)} nodes of the level {grown.level}, by average linkage."
    return draw((5.4, height), paint, name=name, label=label)


def tree_radius_figure(picture: TreePicture, *, name: str = "tree-radius") -> str:
    """Return how far from the origin of the space the nodes of each level lie, the recordings at the bottom.

    Args:
        picture: of a space other than the sphere, where all radii are 1.
        name: stands before the ids.
    """
    rows: list[tuple[str, NDArray[np.float64], float | None]] = [
        (f"{plain(level.level)}\n{len(level):,}", level.radii, level.chance_radius)
        for level in picture.levels
        if level.radii is not None and len(level)
    ]
    if picture.radii is not None:
        rows.append((f"recordings\n{len(picture.radii):,}", picture.radii, None))
    highest = max((float(values.max()) for _, values, _ in rows), default=1.0) or 1.0
    edges = np.linspace(0, 1.02 * highest, 52)

    def paint(figure: Figure, axes: Axes) -> None:
        for i, (_, values, chance) in enumerate(rows):
            base = len(rows) - 1 - i
            counts = np.histogram(values, edges)[0]
            heights = 0.8 * counts / max(counts.max(), 1)
            axes.stairs(base + heights, edges, baseline=base, color=SERIES[0], fill=True, alpha=0.35, linewidth=0)
            axes.stairs(base + heights, edges, baseline=base, color=SERIES[0], linewidth=1.0)
            mean = float(values.mean())
            axes.plot([mean] * 2, [base, base + 0.86], color=INK, linewidth=1.4, zorder=4)
            _beside(axes, mean, base, f"{mean:.2f}", left=mean > 0.85 * edges[-1])
            if chance is not None:
                _beside(axes, chance, base, f"{chance:.2f}", left=chance < mean)
                axes.plot(
                    [chance] * 2, [base, base + 0.86], color=SERIES[1], linewidth=1.4, linestyle=_DASHED, zorder=4
                )
            axes.axhline(base, color=GRID, linewidth=0.8)
        name_rows(axes, [len(rows) - 1 - i + 0.35 for i in range(len(rows))], [title for title, _, _ in rows])
        axes.set(xlim=(0, edges[-1]), ylim=(0, len(rows)), xlabel="distance from the origin of the space")
        handles = [
            legend_handle(INK, line="-", width=1.4, label="mean"),
            legend_handle(SERIES[1], line=_DASHED, width=1.4, label="mean, drawn at random"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)

    means = "; ".join(f"{title.splitlines()[0]} {values.mean():.2f}" for title, values, _ in rows)
    return draw((5.4, 1.1 + 0.72 * len(rows)), paint, name=name, label=f"Mean distance from the origin: {means}.")


def leaf_order(merges: NDArray[np.int64]) -> list[int]:
    """Return the leaves so that the branches of a dendrogram do not cross."""
    leaves = len(merges) + 1
    order: list[int] = []
    stack = [leaves + len(merges) - 1]
    while stack:
        cluster = stack.pop()
        if cluster < leaves:
            order.append(cluster)
        else:
            first, second = merges[cluster - leaves].tolist()
            stack += [second, first]
    return order


def _group(looks: LevelLooks, item: int) -> int:
    """Return the entry of an item, −1 for those that are no one node."""
    entry = int(looks.of_items[item])
    return -1 if looks.entries[entry].colour == OTHER else entry


def _branches(
    axes: Axes, grown: NodeDendrogram, row: dict[int, int], groups: Sequence[int], entries: Sequence[NodeLook]
) -> None:
    leaves = len(groups)
    places: dict[int, tuple[float, float, int]] = {leaf: (0.0, row[leaf], groups[leaf]) for leaf in range(leaves)}
    for k, (first, second) in enumerate(grown.dendrogram.merges.tolist()):
        height = float(grown.dendrogram.distances[k])
        (x, y, group), (u, v, other) = places[first], places[second]
        own = group if group == other else -1
        colour = entries[own].colour if own >= 0 else INK
        axes.plot([x, height, height, u], [y, y, v, v], color=colour, linewidth=1.1, solid_joinstyle="miter", zorder=2)
        places[leaves + k] = (height, (y + v) / 2, own)


def _level_legends(figure: Figure, looks: Sequence[LevelLooks]) -> None:
    handles = []
    for look in looks:
        handles += [legend_mark(entry, f"{look.level}: {short(entry.name)}") for entry in look.entries]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5)


def _beside(axes: Axes, x: float, base: float, text: str, *, left: bool) -> None:
    shift, side = (-3, "right") if left else (3, "left")
    axes.annotate(text, (x, base + 0.86), (shift, 0), textcoords="offset points", ha=side, va="top", fontsize=9)
