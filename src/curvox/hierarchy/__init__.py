"""Hierarchy: does the space hold the tree of voices? Measures of that, dendrograms, and pictures of the space.

Reads embeddings, never trains.
"""

from curvox.hierarchy.dendrogram import (
    cophenetic_correlation,
    cophenetic_distances,
    lowest_common_merges,
    purities,
    purity,
    purity_of_chance,
    sample_pairs,
    tree_correlation,
    tree_correlations,
)
from curvox.hierarchy.depth import Radii, radii, rank_correlation
from curvox.hierarchy.disk import disk_layout, spread_over_speakers
from curvox.hierarchy.distortion import Distortion, distortion
from curvox.hierarchy.hyperbolicity import (
    SampledDelta,
    base_point_delta,
    four_point_delta,
    relative_delta,
    sampled_delta,
)
from curvox.hierarchy.leakage import ReadOff, read_off, session_auc
from curvox.hierarchy.linkage import Dendrogram, average_linkage
from curvox.hierarchy.measures import measure_tree
from curvox.hierarchy.node_depth import NodeDepths, node_depths
from curvox.hierarchy.paths import TreePaths, planted_paths, tree_paths
from curvox.hierarchy.pictures import LevelMiddles, NodeDendrogram, TreePicture
from curvox.hierarchy.planted import planted_points, shuffled
from curvox.hierarchy.precision import AveragePrecisions, average_precisions, mean_average_precision
from curvox.hierarchy.tree_measures import Measure, TreeMeasures

__all__ = [
    "AveragePrecisions",
    "Dendrogram",
    "Distortion",
    "LevelMiddles",
    "Measure",
    "NodeDendrogram",
    "NodeDepths",
    "Radii",
    "ReadOff",
    "SampledDelta",
    "TreeMeasures",
    "TreePaths",
    "TreePicture",
    "average_linkage",
    "average_precisions",
    "base_point_delta",
    "cophenetic_correlation",
    "cophenetic_distances",
    "disk_layout",
    "distortion",
    "four_point_delta",
    "lowest_common_merges",
    "mean_average_precision",
    "measure_tree",
    "node_depths",
    "planted_paths",
    "planted_points",
    "purities",
    "purity",
    "purity_of_chance",
    "radii",
    "rank_correlation",
    "read_off",
    "relative_delta",
    "sample_pairs",
    "sampled_delta",
    "session_auc",
    "shuffled",
    "spread_over_speakers",
    "tree_correlation",
    "tree_correlations",
    "tree_paths",
]
