"""From the folder of a published corpus, as unpacked, to a manifest and its official trials: one file a corpus."""

from __future__ import annotations

from curvox.corpora.preparing.lhotse_recipes import lhotse_recipes
from curvox.corpora.preparing.prepare import PREPARATIONS, Prepared, prepare_corpus

__all__ = ["PREPARATIONS", "Prepared", "lhotse_recipes", "prepare_corpus"]
