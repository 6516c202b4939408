"""The embedder: waveform in, embedding out, with the space the embedding lives in; and its folder on disk."""

from curvox.embedder.checkpoint import load_embedder, save_embedder, write_embedder
from curvox.embedder.embedder import DevResult, Embedder, Verification, batches_by_length, pad
from curvox.embedder.folders import (
    new_folder,
    replace_folder,
    replace_text,
    settle_folder,
    tensors_from_file,
    tensors_to_file,
)
from curvox.embedder.verification import ScoredTrials, evaluate_scores, find_recordings, score_trials

__all__ = [
    "DevResult",
    "Embedder",
    "ScoredTrials",
    "Verification",
    "batches_by_length",
    "evaluate_scores",
    "find_recordings",
    "load_embedder",
    "new_folder",
    "pad",
    "replace_folder",
    "replace_text",
    "save_embedder",
    "score_trials",
    "settle_folder",
    "tensors_from_file",
    "tensors_to_file",
    "write_embedder",
]
