"""Figures of a label tree in a space as inline SVG: the dendrogram of its nodes, how far out they lie.

``name`` stands before every id in a figure; figures on one page need different names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.reports.figures.drawing import GRID, INK, OTHER, PAPER, SERIES, draw, plain
from curvox.reports.figures.hierarchy_disk import (
    MOST_COLOURED,
    LevelLooks,
    NodeLook,
    legend_mark,
    level_looks,
    own_names,
    several,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from curvox.hierarchy import NodeDendrogram, TreePaths, TreePicture


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
                    [x],
                    [row[leaf]],
                    marker=entry.marker,
                    color=entry.colour,
                    markersize=5,
                    linestyle="none",
                    markeredgecolor=entry.colour if entry.marker == "+" else PAPER,
                    clip_on=False,
                )
        axes.set(xlim=(1.02 * right, -right * (0.02 + 0.045 * len(looks))), ylim=(len(order) - 0.3, -0.7))
        axes.yaxis.tick_right()
        axes.set_yticks(range(len(order)), [names[leaf] for leaf in order], fontsize=8.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= right])
        axes.set_xlabel("distance at which they merge")
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
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
        (f"{level.level}\n{len(level):,}", level.radii, level.chance_radius)
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
                    [chance] * 2, [base, base + 0.86], color=SERIES[1], linewidth=1.4, linestyle=(0, (3, 1.5)), zorder=4
                )
            axes.axhline(base, color=GRID, linewidth=0.8)
        axes.set_yticks([len(rows) - 1 - i + 0.35 for i in range(len(rows))], [plain2(title) for title, _, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set(xlim=(0, edges[-1]), ylim=(0, len(rows)), xlabel="distance from the origin of the space")
        axes.grid(True, axis="x")
        figure.legend(handles=_radius_handles(), loc="outside lower center", ncols=2)

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


def plain2(title: str) -> str:
    """Return a label of two lines, each as XML can hold it."""
    return "\n".join(plain(line) for line in title.split("\n"))


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


def _radius_handles() -> list[object]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=INK, linewidth=1.4, label="mean"),
        Line2D([], [], color=SERIES[1], linewidth=1.4, linestyle=(0, (3, 1.5)), label="mean, drawn at random"),
    ]


def _beside(axes: Axes, x: float, base: float, text: str, *, left: bool) -> None:
    shift, side = (-3, "right") if left else (3, "left")
    axes.annotate(text, (x, base + 0.86), (shift, 0), textcoords="offset points", ha=side, va="top", fontsize=9)
