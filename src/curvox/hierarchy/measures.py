"""All measures of a tree in a space, with intervals by bootstrap over speakers."""

from __future__ import annotations

from curvox.hierarchy.tree_measures import Measure, TreeMeasures

__all__ = ["Measure", "TreeMeasures"]
