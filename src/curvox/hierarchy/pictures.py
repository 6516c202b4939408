"""What is drawn of a tree in a space: the middles of its nodes in the disk, their radii, the tree grown from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.layout import CorpusLayout
from curvox.hierarchy.linkage import Dendrogram, average_linkage
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.points import Floats, Ints

MOST_LEAVES = 80
"""Leaves of a dendrogram that one can still read."""


@dataclass(frozen=True, eq=False)
class LevelMiddles:
    """The middles of the k known nodes of one level, by the mean of the space.

    Attributes:
        level: its name.
        nodes: (k,) their numbers in the tree.
        parents: (k, 2) the nearest known node above each, as the place of its level and its place there; −1 for the
            root.
        sizes: (k,) how many items each has.
        coordinates: (k, 2) in the disk, with kept lengths; see `curvox.hierarchy.layout.DiskChart`.
        projected: (k, 2) likewise, with projected lengths.
        radii: (k,) how far from the origin of the space; None without one.
        chance_radius: mean radius of the middles of as many items drawn at random; None without one.
    """

    level: str
    nodes: Ints
    parents: Ints
    sizes: Ints
    coordinates: Floats
    projected: Floats
    radii: Floats | None
    chance_radius: float | None

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True, eq=False)
class TreePicture:
    """A label tree in the disk.

    Attributes:
        layout: of the n items.
        projected: (n, 2) the items with projected lengths.
        levels: the middles of the nodes of each level, from the root down.
        origin: (2,) where the origin of the space lies in the disk, with kept length; None without one.
        projected_origin: (2,) likewise, with projected length.
        radii: (n,) how far from the origin the items lie, in distances of the space; None without one.
    """

    layout: CorpusLayout
    projected: Floats
    levels: tuple[LevelMiddles, ...]
    origin: Floats | None
    projected_origin: Floats | None
    radii: Floats | None


@dataclass(frozen=True, eq=False)
class NodeDendrogram:
    """The tree that agglomeration makes of the middles of nodes.

    Attributes:
        level: what its leaves are.
        nodes: (k,) the node of each leaf.
        dendrogram: the merges.
        left_out: how many nodes of the level have no leaf.
    """

    level: str
    nodes: Ints
    dendrogram: Dendrogram
    left_out: int


def tree_picture(
    space: AbstractSpace, points: NDArray[np.floating], paths: TreePaths, layout: CorpusLayout, *, seed: int = 0
) -> TreePicture:
    """Return what is drawn of a label tree.

    A node whose label is not known has no middle, and what hangs below it hangs at the nearest known node above. Points
    (n, D) of the space, paths and layout are of the same items; the seed is that of the draw behind ``chance_radius``.

    Raises:
        InputError: paths or a layout of another number of items.
    """
    if not len(points) == len(paths) == len(layout.coordinates):
        raise InputError(
            f"expected a path and a place for each of {len(points)} points, got {len(paths)} and "
            f"{len(layout.coordinates)}"
        )
    x = torch.from_numpy(np.asarray(points, dtype=np.float64))
    shuffled = x[torch.from_numpy(np.random.default_rng(seed).permutation(len(x)))]
    levels: list[LevelMiddles] = []
    with torch.no_grad():
        for place in range(len(paths.levels)):
            levels.append(_level(space, x, shuffled, paths, place, layout, levels))
        radii = space_radii(space, x)
    chart, origin = layout.chart, None if space.origin is None else np.zeros((1, x.shape[1]))
    return TreePicture(
        layout=layout,
        projected=chart.coordinates(points, "projected"),
        levels=tuple(levels),
        origin=None if origin is None else chart.coordinates(origin)[0],
        projected_origin=None if origin is None else chart.coordinates(origin, "projected")[0],
        radii=radii,
    )


def node_dendrogram(
    space: AbstractSpace,
    points: NDArray[np.floating],
    paths: TreePaths,
    *,
    most_leaves: int = MOST_LEAVES,
    progress: Callable[[int, int], None] | None = None,
) -> NodeDendrogram | None:
    """Return the dendrogram of the middles of speakers, or of the lowest level of a tree without speakers.

    Args:
        space: where the points live.
        points: (n, D) of the space.
        paths: of the n items.
        most_leaves: of so many nodes at most, as many of each node above as fit, those of the most items.
        progress: told how many merges of how many are done.

    Returns:
        None where fewer than 3 nodes of the level are known.
    """
    level = "speaker" if "speaker" in paths.levels else paths.levels[-1]
    nodes, groups = _members(paths, level)
    if len(nodes) < 3:
        return None
    chosen = _spread_over_parents(paths, paths.place(level), groups)[:most_leaves]
    chosen = np.sort(np.array(chosen))
    x = torch.from_numpy(np.asarray(points, dtype=np.float64))
    with torch.no_grad():
        middles = _middles(space, x, [groups[k] for k in chosen.tolist()])
    dendrogram = average_linkage(space, middles.numpy(), progress=progress)
    return NodeDendrogram(level, nodes[chosen], dendrogram, len(nodes) - len(chosen))


def _spread_over_parents(paths: TreePaths, place: int, groups: Sequence[Ints]) -> list[int]:
    """Return the places of nodes, by turns those of each node above, of these the one with the most items first."""
    turns: dict[int, int] = {}
    order = []
    for k in sorted(range(len(groups)), key=lambda k: -len(groups[k])):
        parent = int(paths.nodes[groups[k][0], place - 1]) if place else 0
        turns[parent] = turns.get(parent, -1) + 1
        order.append((turns[parent], -len(groups[k]), k))
    return [k for _, _, k in sorted(order)]


def space_radii(space: AbstractSpace, x: Tensor) -> Floats | None:
    """Return how far from the origin points (n, D) lie, in distances of the space; None without an origin."""
    if space.origin is None:
        return None
    with torch.no_grad():
        return space.origin.depths(x).numpy()


def _level(
    space: AbstractSpace,
    x: Tensor,
    shuffled: Tensor,
    paths: TreePaths,
    place: int,
    layout: CorpusLayout,
    above: Sequence[LevelMiddles],
) -> LevelMiddles:
    nodes, groups = _members(paths, paths.levels[place])
    middles = _middles(space, x, groups)
    chance = space_radii(space, _middles(space, shuffled, groups)) if groups else None
    return LevelMiddles(
        level=paths.levels[place],
        nodes=nodes,
        parents=np.array([_parent(paths, group[0], above) for group in groups], dtype=np.int64).reshape(-1, 2),
        sizes=np.array([len(group) for group in groups], dtype=np.int64),
        coordinates=layout.chart.coordinates(middles.numpy()),
        projected=layout.chart.coordinates(middles.numpy(), "projected"),
        radii=space_radii(space, middles),
        chance_radius=None if chance is None else float(chance.mean()),
    )


def _members(paths: TreePaths, level: str) -> tuple[Ints, list[Ints]]:
    """Return the known nodes of a level and the items of each."""
    rows = np.flatnonzero(paths.usable(level))
    own = paths.nodes[rows, paths.place(level)]
    order = np.argsort(own, kind="stable")
    nodes, starts = np.unique(own[order], return_index=True)
    return nodes, [group.astype(np.int64) for group in np.split(rows[order], starts[1:])] if len(nodes) else []


def _middles(space: AbstractSpace, x: Tensor, groups: Sequence[Ints]) -> Tensor:
    means = [space.mean(x[torch.from_numpy(group)]) for group in groups]
    return torch.stack(means) if means else x[:0]


def _parent(paths: TreePaths, item: int, above: Sequence[LevelMiddles]) -> tuple[int, int]:
    for place in reversed(range(len(above))):
        found = np.searchsorted(above[place].nodes, paths.nodes[item, place])
        if found < len(above[place]) and above[place].nodes[found] == paths.nodes[item, place]:
            return place, int(found)
    return -1, -1
