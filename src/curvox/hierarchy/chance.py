"""What the measures of a level give by chance: the same points, the labels of that level alone dealt anew.

Nodes are whole paths, so labels dealt over all items would credit a level with what those above it hold. They are dealt
within the node above instead, and whole speakers at a time where the level is above the speaker: what exceeds this
chance is the level's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.hierarchy.dendrogram import purities, purity_of_chance
from curvox.hierarchy.linkage import Dendrogram
from curvox.hierarchy.precision import mean_precisions
from curvox.hierarchy.setting import ABOVE, BELOW, SPEAKER, Setting

_DEALS_OF_SPEAKERS = 40
_DEALS_OF_ITEMS = 10
_DEALS_OF_PRECISION = 5
_FEWEST_QUERIES = 100
_MOST_RANKED = 5_000_000


@dataclass(frozen=True, eq=False)
class Dealing:
    """How the labels of a level are dealt anew.

    Attributes:
        labels: (n,) the nodes.
        known: (n,) whether they are certain; others are not dealt.
        units: (n,) speakers, each dealt one label; None where every item is dealt its own.
        groups: (n,) within which labels are dealt.
        words: the same for a note.
    """

    labels: NDArray[np.int64]
    known: NDArray[np.bool_]
    units: NDArray[np.int64] | None
    groups: NDArray[np.int64]
    words: str

    @staticmethod
    def of(setting: Setting, level: str) -> Dealing:
        """Say how the labels of a level are dealt.

        Above the speaker those of whole speakers within the node above; below it those of items within their speaker
        and the node above. Speakers themselves are set beside items dealt over all: telling them apart is what
        embeddings are trained for, by whatever means.
        """
        paths, place, standing = setting.paths, setting.paths.place(level), setting.standing(level)
        parent = paths.levels[place - 1] if place else None
        above = paths.nodes[:, place - 1] if place else np.zeros(len(paths), dtype=np.int64)
        within = f" within their {parent}" if parent else ""
        units, groups, words = None, above, f"labels of items shuffled{within}"
        if standing == ABOVE:
            units, words = setting.speakers, f"labels of speakers shuffled{within}"
        elif standing == SPEAKER:
            groups, words = np.zeros_like(above), "labels of items shuffled over all speakers"
        elif standing == BELOW:
            groups = np.unique(np.stack([setting.speakers, above]), axis=1, return_inverse=True)[1].ravel()
            nearer = parent is not None and setting.standing(parent) not in (ABOVE, SPEAKER)
            words = "labels of items shuffled within their speaker" + (f" and {parent}" if nearer else "")
        return Dealing(paths.nodes[:, place], paths.usable(level), units, groups, words)

    def dealt(self, count: int, seed: int) -> NDArray[np.int64]:
        """Return labels (count, n) dealt anew, each row by itself."""
        rng, made = np.random.default_rng(seed), np.repeat(self.labels[None], count, axis=0)
        rows = np.flatnonzero(self.known)
        units = rows if self.units is None else self.units[rows]
        _, first, unit = np.unique(units, return_index=True, return_inverse=True)
        of_unit, group = self.labels[rows[first]], self.groups[rows[first]]
        places = np.argsort(group, kind="stable")
        for row in made:
            new = np.empty_like(of_unit)
            new[places] = of_unit[np.lexsort((rng.random(len(group)), group))]
            row[rows] = new[unit]
        return made


def chance_of_precision(
    setting: Setting, dealing: Dealing, queries: NDArray[np.int64], *, apart: NDArray[np.int64] | None
) -> float | None:
    """Return the mean average precision of 5 deals of the labels, None where nothing is to be found.

    Not that of a random order: items of one speaker arrive together, and what is dealt within a node keeps the order of
    nodes. Of many items no more than 100 ask.

    Args:
        setting: the tree.
        dealing: of a level.
        queries: (Q,) items to choose those from that ask, at random.
        apart: (n,) as in `average_precisions`.
    """
    most = max(_FEWEST_QUERIES, _MOST_RANKED // len(setting.points))
    rng = np.random.default_rng(setting.seed)
    asking = np.sort(rng.choice(queries, most, replace=False)) if len(queries) > most else queries
    dealt = dealing.dealt(_DEALS_OF_PRECISION, setting.seed)
    found = mean_precisions(setting.space, setting.points, dealt, known=dealing.known, apart=apart, queries=asking)
    return _mean(found)


def chance_of_purity(setting: Setting, dealing: Dealing, dendrogram: Dendrogram) -> float | None:
    """Return the purity of deals of the labels, exactly where they are of items over all, None without any pair."""
    if dealing.units is None and len(np.unique(dealing.groups[dealing.known])) == 1:
        return purity_of_chance(dendrogram, dealing.labels, known=dealing.known)
    dealt = dealing.dealt(_DEALS_OF_ITEMS if dealing.units is None else _DEALS_OF_SPEAKERS, setting.seed)
    return _mean(np.array([purities(dendrogram, labels, known=dealing.known)[0] for labels in dealt]))


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
