"""Hierarchy: does the space hold the tree of voices? So far: a picture of it. Reads embeddings, never trains."""

from curvox.hierarchy.disk import disk_layout, spread_over_speakers

__all__ = ["disk_layout", "spread_over_speakers"]
