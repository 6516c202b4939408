"""Where each item hangs in a tree of labels, as numbers; and points that are planted along such a tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from curvox.corpora import COLUMNS, NOT_OF_SPEAKERS, UNKNOWN, Corpus, Utterance, label_paths, labels_of_speakers
from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace
from curvox.hierarchy.points import Bools, Floats, Ints

SEPARATOR = " / "


@dataclass(frozen=True, eq=False)
class TreePaths:
    """The paths of n items in a tree of L levels.

    A node is its whole path: session "1" of two speakers is two nodes. An item whose own label is not known hangs at
    the node "unknown" of its parent, as in `curvox.corpora.LabelTree`, and ``known`` is False there.

    Attributes:
        levels: the names of the levels, from the root down.
        nodes: (n, L) int64, the node of each item at each level, numbered from 0 within its level.
        names: of each level the label of every node, its path joined by " / ".
        known: (n, L) bool, whether the item's own label at that level is known.

    Raises:
        InputError: arrays that do not fit together, or a node that hangs below two others.
    """

    levels: tuple[str, ...]
    nodes: Ints
    names: tuple[tuple[str, ...], ...]
    known: Bools

    def __post_init__(self) -> None:
        depth = len(self.levels)
        if not depth or len(set(self.levels)) < depth or len(self.names) != depth:
            raise InputError(f"expected different levels, each with its names; got {self.levels}, {len(self.names)}")
        if self.nodes.ndim != 2 or self.nodes.shape[1] != depth or self.known.shape != self.nodes.shape:
            raise InputError(f"nodes and known must be (items, {depth}), got {self.nodes.shape} and {self.known.shape}")
        for level, column, names in zip(self.levels, self.nodes.T, self.names, strict=True):
            if len(column) and not 0 <= column.min() <= column.max() < len(names):
                raise InputError(f"the nodes of the level {level} must be below {len(names)}, the number of its names")
        for place in range(1, depth):
            if len(np.unique(self.nodes[:, place - 1 : place + 1], axis=0)) > len(np.unique(self.nodes[:, place])):
                raise InputError(f"a node of the level {self.levels[place]} hangs below two of the level above")

    def __len__(self) -> int:
        return len(self.nodes)

    def place(self, level: str) -> int:
        """Return how many levels lie above one.

        Raises:
            UnknownNameError: no such level.
        """
        require_name(level, self.levels, "level")
        return self.levels.index(level)

    def tree_distance(self, i: ArrayLike, j: ArrayLike) -> Ints:
        """Return the edges between the leaves of items i and j, two for each level in which they differ.

        Args:
            i: positions of items, of any shape.
            j: likewise, of a shape that broadcasts with that of i.
        """
        return 2 * (self.nodes[np.asarray(i)] != self.nodes[np.asarray(j)]).sum(axis=-1)

    def usable(self, level: str) -> Bools:
        """Return of each item (n,) whether its node at a level is known for certain.

        That takes its own label and those above, as nodes are whole paths; at the level "speaker" and below those
        from the speaker down, for a speaker is one whether or not its gender is known.
        """
        place = self.place(level)
        speaker = self.levels.index("speaker") if "speaker" in self.levels else 0
        return np.all(self.known[:, (speaker if speaker <= place else 0) : place + 1], axis=1)

    def certain(self, i: ArrayLike, j: ArrayLike) -> Bools:
        """Return whether the tree distance of items i and j is certain: whether they part at nodes that are known.

        Args:
            i: positions of items, of any shape.
            j: likewise, of a shape that broadcasts with that of i.
        """
        i, j = np.broadcast_arrays(np.asarray(i), np.asarray(j))
        certain, together = np.ones(i.shape, dtype=bool), np.ones(i.shape, dtype=bool)
        of_one_speaker = np.zeros(i.shape, dtype=bool)
        if "speaker" in self.levels:
            place = self.place("speaker")
            column = self.nodes[:, place]
            of_one_speaker = (column[i] == column[j]) & self.known[i, place] & self.known[j, place]
        for place, level in enumerate(self.levels):
            known = self.known[i, place] & self.known[j, place]
            above_speaker = "speaker" in self.levels[place + 1 :]
            certain &= known | ~together | (of_one_speaker & (above_speaker or level == "speaker"))
            together &= self.nodes[i, place] == self.nodes[j, place]
        return certain

    def parents(self, level: str) -> Ints:
        """Return the node of the level above that each node of a level hangs below, -1 for nodes without items.

        Of the uppermost level it is 0 for all, the root.
        """
        place = self.place(level)
        found = np.full(len(self.names[place]), -1, dtype=np.int64)
        found[self.nodes[:, place]] = self.nodes[:, place - 1] if place else 0
        return found

    def rows(self, index: ArrayLike) -> TreePaths:
        """Return the paths of some items, by their positions; nodes keep their numbers."""
        chosen = np.asarray(index)
        return TreePaths(self.levels, self.nodes[chosen], self.names, self.known[chosen])


def tree_paths(corpus: Corpus, utterances: Sequence[str], levels: Sequence[str]) -> TreePaths:
    """Return the paths of utterances in the tree that columns of their manifest span.

    A field that is empty, and a gender that somebody prefers not to say, is not known. Above the speaker a label that
    stands in some lines of a speaker, of whichever split, and is empty in others is the speaker's. Nodes are numbered
    in the order of their sorted paths.

    Args:
        corpus: where the labels stand.
        utterances: n of its ids, in the order of the items.
        levels: columns of the manifest, known or further ones, from the root down.

    Raises:
        UnknownNameError: no such column or utterance.
        CorpusError: a speaker hangs in two places, for instance below two genders.
        InputError: no levels, one twice, no utterances, or a level below the speaker that belongs above.
    """
    if isinstance(levels, str) or not levels or len(set(levels)) < len(levels):
        raise InputError(f"expected one or several different columns as levels, from the root down; got {levels!r}")
    if not len(utterances):
        raise InputError("expected at least one utterance, got none")
    chosen = [corpus[name] for name in utterances]
    _require_columns(corpus, levels)
    if "speaker" in levels:
        _require_order(corpus, chosen, levels)
    labels = label_paths(chosen, levels, further=corpus.utterances)
    # A label that reads "unknown" is one like others, and not the node of those that have none.
    leaves = [tuple((label or UNKNOWN, bool(label)) for label in path) for path in labels]
    columns, names = [], []
    for depth in range(1, len(levels) + 1):
        paths = sorted({leaf[:depth] for leaf in leaves})
        numbers = {path: number for number, path in enumerate(paths)}
        columns.append([numbers[leaf[:depth]] for leaf in leaves])
        names.append(tuple(SEPARATOR.join(label for label, _ in path) for path in paths))
    nodes = np.array(columns, dtype=np.int64).T.copy()
    known = np.array([[is_known for _, is_known in leaf] for leaf in leaves])
    return TreePaths(tuple(levels), nodes, tuple(names), known)


def planted_paths(branching: Sequence[int], items_per_leaf: int) -> TreePaths:
    """Return the paths of a full tree, to plant points along it.

    Args:
        branching: how many children each node of a level has, from the root down; each at least 1.
        items_per_leaf: how many items hang at each leaf, at least 1; those of one leaf follow each other.

    Raises:
        InputError: no level, or a number below 1.
    """
    if not len(branching) or min(*branching, items_per_leaf) < 1:
        raise InputError(f"expected numbers of at least 1, got branching {branching!r}, {items_per_leaf} items a leaf")
    widths = [math.prod(branching[:depth]) for depth in range(1, len(branching) + 1)]
    leaf = np.repeat(np.arange(widths[-1]), items_per_leaf)
    names: list[tuple[str, ...]] = []
    for children in branching:
        above = names[-1] if names else ("",)
        starts = [f"{name}{SEPARATOR}" if name else "" for name in above]
        names.append(tuple(f"{start}{child + 1}" for start in starts for child in range(children)))
    return TreePaths(
        levels=tuple(f"level {depth}" for depth in range(1, len(branching) + 1)),
        nodes=np.stack([leaf // (widths[-1] // width) for width in widths], axis=1).astype(np.int64),
        names=tuple(names),
        known=np.ones((len(leaf), len(branching)), dtype=bool),
    )


def _require_columns(corpus: Corpus, levels: Sequence[str]) -> None:
    known = {*COLUMNS, *(column for utterance in corpus.utterances for column in utterance.extra)}
    for level in levels:
        require_name(level, known, f'column of the corpus "{corpus.name}"')


def _require_order(corpus: Corpus, chosen: Sequence[Utterance], levels: Sequence[str]) -> None:
    """Refuse below the speaker what speakers share: its nodes would be the speakers, under the name of a level above.

    A session may be one for each speaker, and "1" for all of them: a column of one recording is not meant.
    """
    place = levels.index("speaker")
    speakers = {utterance.speaker for utterance in chosen}
    lines = [utterance for utterance in corpus.utterances if utterance.speaker in speakers]
    shared = [level for level in levels[place + 1 :] if level not in NOT_OF_SPEAKERS and _is_shared(lines, level)]
    if shared:
        right = [*levels[:place], *shared, *(level for level in levels[place:] if level not in shared)]
        raise InputError(
            f"every speaker has one {' and one '.join(shared)}, as others have too, so that below the speaker this "
            f"level would be that of the speakers once more: put it before the speaker, as in {','.join(right)}, or "
            "leave it out"
        )


def _is_shared(lines: Sequence[Utterance], level: str) -> bool:
    """Return whether no speaker has two labels, and two speakers have the same."""
    labels = [tuple(of) for of in labels_of_speakers(lines, level).values()]
    return all(len(of) == 1 for of in labels) and len(set(labels)) < len(labels)


# The first step in the ball, in units of 1/sqrt(c): long enough for siblings to part as on a tree, and five levels of
# such steps stay where float64 knows distances well.
_FIRST_STEP = 2.0


@torch.no_grad()
def planted_points(paths: TreePaths, space: AbstractSpace, *, dim: int, spread_ratio: float, seed: int) -> Floats:
    """Return points (n, dim) of the space that grow along the tree.

    From the root each node is a step in a random direction away from the node above, each item one from its leaf; the
    steps of a level are all equally long, those of the next ``spread_ratio`` times that. The sums of the steps are
    projected into the space. In the ball a step is a geodesic: it leads further out the deeper it is, for in many
    dimensions a random direction is across the radius, and siblings are about as far apart as the way by their parent.

    Args:
        paths: of n items.
        space: where the points shall live.
        dim: at least 2.
        spread_ratio: above 0, below 1; at 0.6 or less the levels are well apart.
        seed: of the directions.

    Raises:
        InputError: options out of range.
    """
    if dim < 2 or not 0 < spread_ratio < 1:
        raise InputError(f"expected dim of at least 2 and 0 < spread_ratio < 1, got {dim} and {spread_ratio}")
    rng = np.random.default_rng(seed)
    curvature = space.curvature
    first_step = None if curvature is None or curvature >= 0 else _FIRST_STEP / (-curvature) ** 0.5
    points = torch.zeros(len(paths), dim, dtype=torch.float64)
    columns = [*paths.nodes.T, np.arange(len(paths))]
    for depth, nodes in enumerate(columns):
        directions = rng.normal(size=(int(nodes.max()) + 1, dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        steps = torch.from_numpy(spread_ratio**depth * directions[nodes])
        points = points + steps if first_step is None else space.exp_map(points, first_step * steps)
    return (space.project(points) if first_step is None else points).numpy()
