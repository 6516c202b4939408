"""All measures of a tree in a space, with intervals by bootstrap over speakers."""

from __future__ import annotations

from collections.abc import Callable

from curvox.geometry import AbstractSpace
from curvox.hierarchy.linkage import Dendrogram, average_linkage
from curvox.hierarchy.measures.depths import depth_measures
from curvox.hierarchy.measures.levels import leakage_measure, precision_measure, purity_measure
from curvox.hierarchy.measures.pairs import delta_measure, dendrogram_measures, distortion_measures
from curvox.hierarchy.measures.setting import Measure, Setting, TreeMeasures
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.points import Floats, Ints

__all__ = ["Measure", "TreeMeasures", "measure_tree"]


def measure_tree(
    space: AbstractSpace,
    points: Floats,
    paths: TreePaths,
    speakers: Ints,
    *,
    durations_s: Floats | None = None,
    qualities_db: Floats | None = None,
    resamples: int = 200,
    seed: int = 0,
    pairs: int = 200_000,
    dendrogram: Dendrogram | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TreeMeasures:
    """Measure how well points of a space keep a tree of labels.

    The measures, in this order: δ-hyperbolicity over the diameter, average and worst-case distortion, mean average
    precision and dendrogram purity at each level, cophenetic correlation, correlation of dendrogram and label tree,
    depth against level, duration and quality, and leakage of each level but the speaker's. Those that have no value
    here are there too, and say why. Labels that are not known are left out, pair by pair and level by level.

    Intervals come from drawing speakers with replacement; a pair of two speakers weighs the product of their
    multiplicities. The dendrogram, and the discriminant that reads labels off, are held fixed in that. Where a measure
    goes by sampled pairs or queries, the same sample serves all resamples; 200,000 pairs add an error of about 0.002 to
    a correlation.

    Args:
        space: where the points lie.
        points: (n, D), n >= 4.
        paths: where each item hangs.
        speakers: (n,) whole numbers, two speakers at least.
        durations_s: (n,) lengths of the recordings, NaN for unknown.
        qualities_db: (n,) their signal-to-noise ratios, NaN for unknown.
        resamples: of the bootstrap; 0 leaves intervals out.
        seed: of everything that is drawn.
        pairs: how many pairs of items are drawn; all are taken where they are no more.
        dendrogram: of the points, where it is there already; else it is made by `average_linkage`.
        progress: called with steps done and steps to do.

    Raises:
        InputError: arrays that do not fit each other or the space, too few items or speakers.
    """
    done, steps = 0, 5 + 3 * len(paths.levels)

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, steps)

    setting = Setting.of(space, points, paths, speakers, pairs=pairs, resamples=resamples, seed=seed)
    tree = average_linkage(space, setting.points) if dendrogram is None else dendrogram
    step()
    measures: list[Measure] = [delta_measure(setting)]
    step()
    measures += distortion_measures(setting)
    step()
    for level in paths.levels:
        measures.append(precision_measure(setting, level))
        step()
        measures.append(purity_measure(setting, level, tree))
        step()
    measures += dendrogram_measures(setting, tree)
    step()
    measures += depth_measures(setting, durations_s, qualities_db)
    step()
    for level in paths.levels:
        measures.append(leakage_measure(setting, level))
        step()
    return TreeMeasures(
        space=str(space.describe()["name"]),
        utterances=len(setting.points),
        speakers=setting.count,
        levels=paths.levels,
        measures=tuple(measures),
        resamples=resamples,
        seed=seed,
        sampled_pairs=len(setting.i),
    )
