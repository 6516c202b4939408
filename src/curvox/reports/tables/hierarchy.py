"""The measures of a label tree as text: for the page, and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curvox.reports.tables.tables import NOTHING, Cell, count, rich_table

if TYPE_CHECKING:
    from rich.table import Table

    from curvox.hierarchy import Measure, TreeMeasures, TreePaths

WHOLE_TREE = "whole tree"

SENTENCES: Mapping[str, str] = {
    "delta_relative": (
        "How far distances are from those of a tree, as twice δ over the diameter: 0 in a tree, at most 1. It knows no "
        "labels: any space of this shape has it, whatever its branches mean."
    ),
    "distortion": (
        "By how much distances in the space differ from edges in the label tree, as a share of the edges, after the "
        "best common scale: 0 where the space is the tree."
    ),
    "worst_distortion": "The most stretched distance over the least stretched one: 1 where the space is the tree.",
    "map": (
        "All others are put in the order of their distance from one recording: how early do those of its node come? 1 "
        "where they come before everybody else."
    ),
    "purity": (
        "Of two recordings of one node, the smallest branch of the dendrogram that holds both: what share of it is of "
        "that node? 1 where every node is a branch of its own."
    ),
    "cophenetic": (
        "Correlation of distances in the space with the heights at which the dendrogram merges: how much of the space "
        "any tree can show, whatever its labels."
    ),
    "tree_correlation": "Correlation of the heights of the dendrogram with the edges between two in the label tree.",
    "depth_specificity": (
        "Rank correlation of the radius of a node with its level: 1 where what is more particular lies further out. "
        "Means lie further in than what they are means of, so only the distance from chance counts."
    ),
    "depth_steps": "The share of nodes that lie further out than what they hang at; only what exceeds chance counts.",
    "depth_duration": "Rank correlation of the radius of a recording with its length.",
    "depth_duration_within": "The same within each speaker, so that neither corpus nor voice has a part.",
    "depth_quality": "Rank correlation of the radius of a recording with its signal-to-noise ratio.",
    "depth_quality_within": "The same within each speaker, so that neither corpus nor voice has a part.",
    "leakage": (
        "What an embedding gives away: labels above the speaker, read off by a linear rule from speakers that it has "
        "not met; below the speaker, whether recordings of one node are nearer than those of two."
    ),
}
"""What each measure means, in a sentence."""

PAPERS: Mapping[str, tuple[str, ...]] = {
    "page": ("fletcher2004geodesic", "lamping1995focus", "nickel2017poincare", "law2019lorentz"),
    "delta_relative": ("gromov1987hyperbolic", "khrulkov2020hyperbolic"),
    "map": ("nickel2017poincare",),
    "purity": ("heller2005hierarchical", "sokal1958statistical"),
    "distortion": ("sala2018tradeoffs",),
    "worst_distortion": ("sala2018tradeoffs",),
    "cophenetic": ("sokal1962comparison",),
    "tree_correlation": ("sokal1962comparison",),
}
"""The papers of each measure, and of the page itself, by their keys."""


@dataclass(frozen=True)
class MeasureRow:
    """A measure as text; every column is filled, with a dash where there is nothing."""

    level: str
    value: str
    interval: str
    chance: str
    pairs: str
    note: str


@dataclass(frozen=True)
class MeasureGroup:
    """The measures of one key: of several levels, or of the whole tree."""

    title: str
    sentence: str
    better: str
    rows: tuple[MeasureRow, ...]


def measure_groups(measures: TreeMeasures) -> list[MeasureGroup]:
    """Return all measures as text, those of one key together; without keys that have no value at any level."""
    groups = []
    for key in dict.fromkeys(measure.key for measure in measures.measures if measure.value is not None):
        own = [measure for measure in measures.measures if measure.key == key]
        title, better = own[0].title, own[0].better or ""
        if any(measure.title != title for measure in own):
            title = title.partition(":")[0]
        groups.append(
            MeasureGroup(title, SENTENCES.get(key, ""), better, tuple(_row(measure, title) for measure in own))
        )
    return groups


def without_value(measures: TreeMeasures) -> list[tuple[str, str]]:
    """Return the measures that have no value at any level, as their titles, with the reason they share."""
    valued = {measure.key for measure in measures.measures if measure.value is not None}
    titles: dict[str, list[str]] = {}
    for measure in measures.measures:
        if measure.key not in valued:
            titles.setdefault(measure.why_none or "", []).append(measure.title)
    return [("; ".join(dict.fromkeys(own)), why) for why, own in titles.items()]


def known_shares(paths: TreePaths) -> list[tuple[str, str, str, str]]:
    """Return the name of each level, its known nodes, and how many recordings have a label, with their share."""
    rows = []
    for place, level in enumerate(paths.levels):
        known = paths.known[:, place]
        nodes = len(set(paths.nodes[paths.usable(level), place].tolist()))
        rows.append((level, count(nodes), count(int(known.sum())), f"{100 * known.mean():.1f} %"))
    return rows


def measures_table(measures: TreeMeasures) -> Table:
    """Return all measures as a table for the terminal."""
    rows = []
    for group in measure_groups(measures):
        for i, row in enumerate(group.rows):
            value = Cell(row.value, "" if row.interval == NOTHING else row.interval)
            rows.append([group.title if not i else "", row.level, str(value), row.chance, group.better or NOTHING])
    below = ["in brackets the 95 % interval; chance is what shuffled labels give"]
    below += [f"without a value: {titles} ({why})" for titles, why in without_value(measures)]
    head = ["measure", "level", "value", "chance", "better"]
    return rich_table(head, rows, caption="\n".join(below), words=2, wrap=False)


def _row(measure: Measure, title: str) -> MeasureRow:
    ends = measure.interval
    own = measure.title.removeprefix(title).removeprefix(":").strip()
    return MeasureRow(
        level=own or measure.level or WHOLE_TREE,
        value=NOTHING if measure.value is None else f"{measure.value:.3f}",
        interval=NOTHING if ends is None else f"[{ends.low:.3f}, {ends.high:.3f}]",
        chance=NOTHING if measure.chance is None else f"{measure.chance:.3f}",
        pairs=count(measure.pairs),
        note=". ".join(part for part in (measure.why_none or "", measure.note) if part),
    )
