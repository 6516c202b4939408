"""What the measures of hierarchy cost, on a planted tree of embeddings: dendrogram, purity, correlations, all of them.

    python benchmarks/hierarchy.py [--items 50000] [--dim 192] [--threads 2] [--space poincare_ball] [--pairs 200000]
                                   [--no-measures] [--scipy] [--save FILE]

The tree has 5 languages of 2 genders, a speaker for every 10 recordings, 2 sessions a speaker and 5 recordings a
session. The dendrogram is set beside its floor, one product of all points with all points, timed before and after it.
Seconds of processors are those of all threads together: on a machine that others use as well they are nearer to what a
quiet one would take. --scipy also gives SciPy the matrix of all dissimilarities (8 n^2 bytes at its peak). Prints the
tables; --save writes them under benchmarks/results/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measuring import Result, give_back_freed_memory, once, setting
from numpy.typing import NDArray

from curvox.geometry import AbstractSpace, Hypersphere, PoincareBall, create_space
from curvox.hierarchy import (
    Dendrogram,
    TreePaths,
    average_linkage,
    lowest_common_merges,
    measure_tree,
    planted_paths,
    planted_points,
    purities,
    purity_of_chance,
    sample_pairs,
)

LEVELS = ("language", "gender", "speaker", "session")
OF_SPEAKER, SPREAD_RATIO, GROUPS, CHECKED = 10, 0.7, 20, 300
Row = tuple[str, str, float, float, int]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=50_000, help="a multiple of 100")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--space", default="poincare_ball", choices=("poincare_ball", "hypersphere", "euclidean"))
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--no-measures", action="store_true", help="leave measure_tree out")
    parser.add_argument("--scipy", action="store_true", help="SciPy's linkage beside it")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    give_back_freed_memory()
    space = create_space({"name": arguments.space})
    paths = _paths(arguments.items)
    points = planted_points(paths, space, dim=arguments.dim, spread_ratio=SPREAD_RATIO, seed=1)
    lines = _dendrogram(space, points, paths, arguments.pairs, with_scipy=arguments.scipy)
    if not arguments.no_measures:
        lines += _measures(space, points, paths, arguments.pairs)
    text = "\n".join([_head(arguments), "", *lines, ""])
    print(text)
    if arguments.save is not None:
        arguments.save.write_text(text, encoding="utf-8")


def _head(arguments: argparse.Namespace) -> str:
    given = " ".join(argument for argument in sys.argv[1:] if argument != "--save" and not argument.endswith(".md"))
    return (
        f"`python benchmarks/hierarchy.py {given}`, {setting(arguments.threads)}, NumPy {np.__version__}: "
        f"{arguments.items:,} planted embeddings of {arguments.dim} numbers, space {arguments.space}, each step "
        f"{SPREAD_RATIO} times as long as the one above."
    )


def _paths(items: int) -> TreePaths:
    full = planted_paths([5, 2, items // (10 * OF_SPEAKER), 2], OF_SPEAKER // 2)
    return TreePaths(LEVELS, full.nodes, full.names, full.known)


def _dendrogram(
    space: AbstractSpace, points: NDArray[np.float64], paths: TreePaths, pairs: int, *, with_scipy: bool
) -> list[str]:
    rows: list[Row] = []

    def timed(name: str, how: str, step: Callable[[], Result]) -> Result:
        result, seconds, cpu_seconds, peak = once(step)
        rows.append((name, how, seconds, cpu_seconds, peak))
        return result

    floor = [_floor_seconds(points)]
    tree = timed("average linkage", "exact", lambda: average_linkage(space, points))
    floor.append(_floor_seconds(points))
    labels = paths.nodes[:, LEVELS.index("speaker")]
    weights = np.random.default_rng(0).integers(0, 3, (200, len(points))).astype(np.float64)
    every = "exact, all pairs"
    timed("purity of one level", every, lambda: purities(tree, labels))
    timed("purity of one level for 200 resamples", every, lambda: purities(tree, labels, weights=weights))
    sampled = sample_pairs(len(points), pairs, np.random.default_rng(0))
    some = f"{len(sampled[0]):,} sampled pairs"
    timed("cophenetic correlation", some, lambda: _cophenetic(tree, space, points, sampled))
    timed("correlation with the label tree", some, lambda: _with_labels(tree, paths, sampled))
    if with_scipy:
        rows.append(("SciPy's linkage, with its matrix", "exact", *_scipy(space, points, tree)))
    product = (np.array(floor) / rows[0][2]).mean()
    return [
        "| what | how | s | s of processors | peak MiB above the points |",
        "|---|---|---|---|---|",
        *(f"| {name} | {how} | {s:,.2f} | {cpu:,.2f} | {peak / 2**20:,.0f} |" for name, how, s, cpu, peak in rows),
        "",
        f"The floor of the linkage, the product of all points with all points in float64 in blocks, takes "
        f"{floor[0]:,.1f} s before and {floor[1]:,.1f} s after it, {product:.2f} of its time. The points take "
        f"{points.nbytes / 2**20:,.0f} MiB, the matrix of all distances would take "
        f"{len(points) ** 2 * 8 / 2**20:,.0f} MiB. {_height_error(space, points, tree)}",
        "",
        *_found(space, points, paths, tree, sampled),
        "",
    ]


def _found(
    space: AbstractSpace,
    points: NDArray[np.float64],
    paths: TreePaths,
    tree: Dendrogram,
    sampled: Pairs,
) -> list[str]:
    rng = np.random.default_rng(3)
    order = rng.permutation(len(points))
    mixed = TreePaths(paths.levels, paths.nodes[order], paths.names, paths.known[order])
    lines = ["| measure | tree-true | labels shuffled | chance, exact | sampling error |", "|---|---|---|---|---|"]
    for place, level in enumerate(LEVELS):
        true, dealt = paths.nodes[:, place], mixed.nodes[:, place]
        of_true, of_dealt, chance = purities(tree, true)[0], purities(tree, dealt)[0], purity_of_chance(tree, true)
        lines.append(f"| purity, {level} | {of_true:.4f} | {of_dealt:.4f} | {chance:.4f} | none |")
    groups = list(zip(*(np.array_split(side, GROUPS) for side in sampled), strict=True))
    for name, measure in (
        ("cophenetic correlation", lambda pairs, _: _cophenetic(tree, space, points, pairs)),
        ("correlation with the label tree", lambda pairs, labels: _with_labels(tree, labels, pairs)),
    ):
        error = np.std([measure(group, paths) for group in groups], ddof=1) / GROUPS**0.5
        other = "–" if name.startswith("coph") else f"{measure(sampled, mixed):.4f}"
        lines.append(f"| {name} | {measure(sampled, paths):.4f} | {other} | – | {error:.4f} |")
    return [*lines, "", f"The sampling error is the standard error over {GROUPS} groups of the pairs."]


def _cophenetic(tree: Dendrogram, space: AbstractSpace, points: NDArray[np.float64], pairs: Pairs) -> float:
    """Pearson's correlation of heights, as distances, and distances in the space."""
    x, (i, j) = torch.from_numpy(points), pairs
    parts = [space.distance(x[a], x[b]) for a, b in zip(np.array_split(i, 200), np.array_split(j, 200), strict=True)]
    return float(np.corrcoef(tree.distances[lowest_common_merges(tree, i, j)], torch.cat(parts).numpy())[0, 1])


def _with_labels(tree: Dendrogram, paths: TreePaths, pairs: Pairs) -> float:
    """Pearson's correlation of heights and distances in the label tree."""
    heights = tree.distances[lowest_common_merges(tree, *pairs)]
    return float(np.corrcoef(heights, paths.tree_distance(*pairs))[0, 1])


def _floor_seconds(points: NDArray[np.float64], rows: int = 512, blocks: int = 8) -> float:
    """Of the product of all points with all, from a few blocks of it."""
    x = torch.from_numpy(points)
    starts = np.linspace(0, max(0, len(x) - rows), blocks).astype(int)
    block = min(rows, len(x))
    _, seconds, _, _ = once(lambda: [torch.mm(x[start : start + block], x.T) for start in starts] and None)
    return seconds * len(x) / (block * blocks)


def _height_error(space: AbstractSpace, points: NDArray[np.float64], tree: Dendrogram) -> str:
    """Some merges beside the plain mean over all their pairs."""
    count = tree.items
    sizes = np.concatenate([np.ones(count, dtype=np.int64), tree.sizes])
    few = np.flatnonzero(sizes[tree.merges].prod(1) <= 250_000)
    chosen = np.random.default_rng(0).choice(few, min(CHECKED, len(few)), replace=False)
    worst = 0.0
    for merge in chosen:
        first, second = (_members(tree, int(cluster)) for cluster in tree.merges[merge])
        plain = _dissimilarities(space, points[first], points[second]).mean()
        worst = max(worst, abs(tree.heights[merge] / plain - 1.0))
    return f"Of {len(chosen)} merges the heights differ from the plain mean over their pairs by {worst:.0e} at most."


def _members(tree: Dendrogram, cluster: int) -> list[int]:
    stack, found = [cluster], []
    while stack:
        top = stack.pop()
        if top < tree.items:
            found.append(top)
        else:
            stack += tree.merges[top - tree.items].tolist()
    return found


def _dissimilarities(space: AbstractSpace, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    with torch.no_grad():
        d = space.pairwise_distance(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    if isinstance(space, PoincareBall):
        return 2.0 * np.sinh(space.initial_c**0.5 * d / 2.0) ** 2
    return 2.0 * np.sin(d / 2.0) ** 2 if isinstance(space, Hypersphere) else d**2


def _scipy(space: AbstractSpace, points: NDArray[np.float64], tree: Dendrogram) -> tuple[float, float, int]:
    from scipy.cluster.hierarchy import linkage

    def run() -> NDArray[np.float64]:
        above = []
        for start in range(0, len(points), 256):
            block = _dissimilarities(space, points[start : start + 256], points)
            above += [row[start + k + 1 :] for k, row in enumerate(block)]
        return linkage(np.concatenate(above), "average")

    wanted, seconds, cpu, peak = once(run)
    print(f"largest difference of a height: {np.abs(tree.heights / wanted[:, 2] - 1).max():.1e}", file=sys.stderr)
    return seconds, cpu, peak


def _measures(space: AbstractSpace, points: NDArray[np.float64], paths: TreePaths, pairs: int) -> list[str]:
    speakers = paths.nodes[:, LEVELS.index("speaker")]
    found, seconds, cpu, peak = once(lambda: measure_tree(space, points, paths, speakers, pairs=pairs))
    rows = []
    for measure in found.measures:
        note = measure.note.replace("|", "\\|")
        value = measure.why_none if measure.value is None else f"{measure.value:.4f}"
        interval = "–" if measure.interval is None else f"{measure.interval.low:.4f} to {measure.interval.high:.4f}"
        rows.append(f"| {measure.title} | {measure.level or 'all'} | {value} | {interval} | {note} |")
    return [
        f"#### All of `measure_tree`: {seconds:,.0f} s, {cpu:,.0f} s of processors, {peak / 2**20:,.0f} MiB above "
        "the points, the linkage included",
        "",
        f"{found.resamples} resamples, {found.sampled_pairs:,} sampled pairs.",
        "",
        "| measure | level | value | interval | how, and how well |",
        "|---|---|---|---|---|",
        *rows,
    ]


if __name__ == "__main__":
    main()
