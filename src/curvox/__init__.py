"""curvox: speaker embeddings with the loss in the middle.

``import curvox`` imports neither torch nor anything heavy; :func:`load` does, when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from curvox.embedder import Embedder

__all__ = ["load"]


def load(folder: str | Path, *, device: str = "cpu") -> Embedder:
    """Load a trained model: ``model.embed("a.wav")``, ``model.verify("a.wav", "b.wav")``.

    Args:
        folder: a run (``runs/x``, of which ``averaged`` is taken, else ``best``) or a model folder.
        device: where the model computes, such as ``cpu`` or ``cuda``.

    Raises:
        CheckpointError: a file is missing, damaged or does not belong; the message names it.
    """
    from curvox.embedder import load_embedder

    return load_embedder(folder, device=device)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("curvox")
    raise AttributeError(f"module 'curvox' has no attribute {name!r}")
