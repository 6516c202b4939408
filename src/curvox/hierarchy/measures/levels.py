"""Measures of one level of a tree: mean average precision, dendrogram purity, leakage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from curvox.hierarchy.dendrogram import purities, purity_of_chance
from curvox.hierarchy.leakage import FEWEST_SPEAKERS, read_off, session_auc
from curvox.hierarchy.linkage import Dendrogram
from curvox.hierarchy.measures.setting import (
    ABOVE,
    BELOW,
    SPEAKER,
    Kind,
    Measure,
    Setting,
    jackknife_interval,
    rate_like,
)
from curvox.hierarchy.points import Bools, Floats, Ints
from curvox.hierarchy.precision import AveragePrecisions, average_precisions, mean_precisions
from curvox.metrics import Interval

MOST_QUERIES = 1000
_DEALS_OF_SPEAKERS = 40
_DEALS_OF_ITEMS = 10
_DEALS_OF_PRECISION = 5
_FEWEST_QUERIES = 100
_MOST_RANKED = 5_000_000


@dataclass(frozen=True, eq=False)
class Dealing:
    """How the labels of a level are dealt anew, for what its measures give by chance on the same points.

    Nodes are whole paths, so labels dealt over all items would credit a level with what those above it hold. They are
    dealt within the node above instead, and whole speakers at a time where the level is above the speaker: what exceeds
    this chance is the level's own.

    Attributes:
        labels: (n,) the nodes.
        known: (n,) whether they are certain; others are not dealt.
        units: (n,) speakers, each dealt one label; None where every item is dealt its own.
        groups: (n,) within which labels are dealt.
        words: the same for a note.
    """

    labels: Ints
    known: Bools
    units: Ints | None
    groups: Ints
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

    def dealt(self, count: int, seed: int) -> Ints:
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


def chance_of_precision(setting: Setting, dealing: Dealing, queries: Ints, *, apart: Ints | None) -> float | None:
    """Return the mean average precision of 5 deals of the labels, None where nothing is to be found.

    Not that of a random order: items of one speaker arrive together, and what is dealt within a node keeps the order of
    nodes. Of many ``queries`` no more than 100 ask, chosen at random; ``apart`` is that of `average_precisions`.
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


def _mean(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def precision_measure(setting: Setting, level: str) -> Measure:
    """Return the mean average precision at a level.

    Above the speaker, items of the query's own speaker are left out. At most 1,000 items ask, drawn at random, and all
    are ranked. The bootstrap over speakers is to first order in their multiplicities, for those that ask and those
    that are ranked alike: a measure of draw n is the estimate plus ``sum of (n_s - 1) u_s``, with u_s its derivative.
    """
    kind, usable = Kind("map", "Mean average precision", level, "higher"), setting.paths.usable(level)
    above = setting.standing(level) == ABOVE
    apart = setting.speakers if above else None
    rng = np.random.default_rng(setting.seed)
    asking = np.flatnonzero(usable)
    asking = np.sort(rng.choice(asking, MOST_QUERIES, replace=False)) if len(asking) > MOST_QUERIES else asking
    why = _why_none(setting, level)
    if why is not None:
        return kind.none(why)
    found = average_precisions(
        setting.space,
        setting.points,
        setting.paths.nodes[:, setting.paths.place(level)],
        known=usable,
        apart=apart,
        fixed=setting.speakers,
        queries=asking,
    )
    if not len(found.values):
        alone = "no item has another of its node" + (" of another speaker" if above else "")
        return kind.none(alone)
    dealing = Dealing.of(setting, level)
    # Labels dealt over all items leave each query a random order, of which the mean is known.
    random = setting.standing(level) == SPEAKER
    among = "items of other speakers" if above else "all other items"
    return kind.found(
        float(found.values.mean()),
        interval=_precision_interval(setting, found, usable),
        chance=float(found.chance.mean()) if random else chance_of_precision(setting, dealing, asking, apart=apart),
        pairs=len(found.values),
        note=f"{len(found.values)} of {int(usable.sum())} items ask, ranked are {among}; chance by {dealing.words}; "
        "bootstrap to first order",
    )


def _precision_interval(setting: Setting, found: AveragePrecisions, usable: Bools) -> Interval | None:
    value, owners = float(found.values.mean()), setting.speakers[found.queries]
    influence = np.bincount(setting.speakers, found.pull, minlength=setting.count)
    influence += np.bincount(owners, found.values - value, minlength=setting.count) / len(found.values)

    def of_draw(drawn: Floats) -> float:
        return float(np.clip(value + (drawn - 1) @ influence, 0, 1))

    # All that are ranked have a part in it, but it is a mean over those that find something.
    behind = len(np.unique(owners))
    return setting.interval(rate_like, value, of_draw, setting.speakers_of(usable), behind=behind)


def purity_measure(setting: Setting, level: str, dendrogram: Dendrogram) -> Measure:
    """Return the dendrogram purity at a level; Heller & Ghahramani 2005.

    Chance is this dendrogram with the labels dealt anew, see `Dealing.of`. The interval is by jackknife over speakers:
    among draws with replacement some speakers are missing, so that those left are purer than all are.
    """
    kind, usable = Kind("purity", "Dendrogram purity", level, "higher"), setting.paths.usable(level)
    labels = setting.paths.nodes[:, setting.paths.place(level)]
    why = _why_none(setting, level)
    counts = np.bincount(labels[usable], minlength=labels.max() + 1)
    if why is None and counts.max(initial=0) < 2:
        why = "no item has another of its node"
    if why is not None:
        return kind.none(why)
    value = float(purities(dendrogram, labels, known=usable)[0])
    dealing = Dealing.of(setting, level)
    left_out = setting.left_out(setting.speakers_of(usable))[:, setting.speakers]
    blocks = np.array_split(left_out, len(left_out) // 20 + 1)
    values = np.concatenate([purities(dendrogram, labels, known=usable, weights=rows) for rows in blocks])
    return kind.found(
        value,
        interval=jackknife_interval(value, values, len(setting.speakers_of(usable & (counts[labels] > 1)))),
        chance=chance_of_purity(setting, dealing, dendrogram),
        pairs=int((counts * (counts - 1)).sum()) // 2,
        note=f"all pairs of one node; chance by {dealing.words}; interval by jackknife over speakers, the dendrogram "
        "held fixed",
    )


def leakage_measure(setting: Setting, level: str) -> Measure:
    """Return how well a level is read off: above the speaker by a discriminant, below it by distances."""
    kind = Kind("leakage", "Leakage", level)
    if not setting.paths.usable(level).any():
        return kind.none("no label at this level is known")
    standing = setting.standing(level)
    if standing == ABOVE:
        return _read_off_measure(setting, level)
    if standing == BELOW:
        return _session_measure(setting, level)
    why = "nothing leaks at the level of speakers themselves" if standing == SPEAKER else "speakers have several nodes"
    return kind.none(why)


def _read_off_measure(setting: Setting, level: str) -> Measure:
    place, usable = setting.paths.place(level), setting.paths.usable(level)
    parent = setting.paths.levels[place - 1] if place else None
    kind = Kind("leakage", f"Leakage: {level} read off" + (f" within {parent}" if parent else ""), level)
    within = f" within their {parent}" if parent else ""
    above = setting.paths.nodes[usable, place - 1] if place else np.zeros(int(usable.sum()), dtype=np.int64)
    owners = setting.speakers[usable]
    found = read_off(
        setting.space, setting.points[usable], setting.paths.nodes[usable, place], above, owners, seed=setting.seed
    )
    if found is None:
        why = f"no {parent or 'tree'} has two nodes of this level with {FEWEST_SPEAKERS} speakers each"
        return kind.none(why)
    value = found.balanced_accuracy()
    return kind.found(
        value,
        interval=setting.interval(
            rate_like, value, lambda drawn: found.balanced_accuracy(drawn[found.speakers]), np.unique(found.speakers)
        ),
        chance=found.chance,
        pairs=found.items,
        note=f"balanced accuracy of a linear discriminant on {len(found.rates)} speakers it did not learn from; "
        f"chance by labels of speakers shuffled{within}; in the bootstrap the discriminant is held fixed",
    )


def _session_measure(setting: Setting, level: str) -> Measure:
    kind = Kind("leakage", f"Leakage: {level} told within a speaker", level, "lower")
    usable = setting.paths.usable(level)
    nodes = setting.paths.nodes[usable, setting.paths.place(level)]
    speakers, areas, pairs = session_auc(
        setting.space, setting.points[usable], nodes, setting.speakers[usable], seed=setting.seed
    )
    if not len(speakers):
        return kind.none("no speaker has pairs of items of one such node and of two")

    def of_draw(drawn: Floats) -> float:
        weights = drawn[speakers]
        return float(weights @ areas / weights.sum()) if weights.any() else math.nan

    value = float(areas.mean())
    return kind.found(
        value,
        interval=setting.interval(rate_like, value, of_draw, speakers),
        chance=0.5,
        pairs=pairs,
        note=f"area under the ROC of distances, mean over {len(speakers)} speakers: are pairs of one {level} nearer "
        "than pairs of two?",
    )


def _why_none(setting: Setting, level: str) -> str | None:
    usable = setting.paths.usable(level)
    nodes = len(np.unique(setting.paths.nodes[usable, setting.paths.place(level)]))
    if nodes > 1:
        return None
    return "no label at this level is known" if nodes == 0 else "all items whose label is known hang at one node"
