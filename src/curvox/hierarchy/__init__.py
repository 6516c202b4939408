"""Hierarchy: does the space hold the tree of voices? Measures of that, dendrograms, and pictures of the space.

Reads embeddings, never trains.
"""

from curvox.hierarchy.choice import ChosenRecordings, ChosenTree, choose_recordings, notes_of, tree_of
from curvox.hierarchy.dendrogram import lowest_common_merges, purities, purity_of_chance
from curvox.hierarchy.layout import Length, corpus_layout, disk_layout, spread_over_speakers, unit_in_words
from curvox.hierarchy.linkage import Dendrogram, average_linkage
from curvox.hierarchy.measures.measure_tree import measure_tree
from curvox.hierarchy.measures.setting import Measure, TreeMeasures
from curvox.hierarchy.paths import TreePaths, planted_paths, planted_points, tree_paths
from curvox.hierarchy.pictures import LevelMiddles, NodeDendrogram, TreePicture, node_dendrogram, tree_picture
from curvox.hierarchy.points import sample_pairs

__all__ = [
    "ChosenRecordings",
    "ChosenTree",
    "Dendrogram",
    "Length",
    "LevelMiddles",
    "Measure",
    "NodeDendrogram",
    "TreeMeasures",
    "TreePaths",
    "TreePicture",
    "average_linkage",
    "choose_recordings",
    "corpus_layout",
    "disk_layout",
    "lowest_common_merges",
    "measure_tree",
    "node_dendrogram",
    "notes_of",
    "planted_paths",
    "planted_points",
    "purities",
    "purity_of_chance",
    "sample_pairs",
    "spread_over_speakers",
    "tree_of",
    "tree_paths",
    "tree_picture",
    "unit_in_words",
]
