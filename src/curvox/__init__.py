"""curvox: speaker embeddings with the loss in the middle.

``import curvox`` imports neither torch nor anything heavy: each name below is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curvox.corpora import read_corpus, read_trials
    from curvox.embedder import load
    from curvox.encoders import ENCODERS
    from curvox.errors import CurvoxError
    from curvox.evaluating import calibrate, compare, diagnose, evaluate
    from curvox.geometry import SPACES
    from curvox.losses import LOSSES
    from curvox.scoring import BACK_ENDS
    from curvox.training import Recipe, train

_HOMES = {
    "BACK_ENDS": "scoring",
    "ENCODERS": "encoders",
    "LOSSES": "losses",
    "SPACES": "geometry",
    "CurvoxError": "errors",
    "Recipe": "training",
    "calibrate": "evaluating",
    "compare": "evaluating",
    "diagnose": "evaluating",
    "evaluate": "evaluating",
    "load": "embedder",
    "read_corpus": "corpora",
    "read_trials": "corpora",
    "train": "training",
}
"""Where each name of the public face lives."""

__all__ = [
    "BACK_ENDS",
    "ENCODERS",
    "LOSSES",
    "SPACES",
    "CurvoxError",
    "Recipe",
    "calibrate",
    "compare",
    "diagnose",
    "evaluate",
    "load",
    "read_corpus",
    "read_trials",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"curvox.{_HOMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("curvox")
    raise AttributeError(f"module 'curvox' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
