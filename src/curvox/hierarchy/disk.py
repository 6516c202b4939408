"""Embeddings of any space laid out in the Poincaré disk, by their own distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from curvox.geometry import AbstractSpace, DiskEmbedding, embed_in_disk


def disk_layout(space: AbstractSpace, points: np.ndarray, *, seed: int = 0) -> DiskEmbedding:
    """Lay points of a space out in the disk of curvature −1 so that hyperbolic distances are as near as can be to
    theirs.

    Distances are not rescaled to look well: those of a ball are taken in units of its curvature radius (√c d), those of
    the sphere as angles in radians. The stress says how much of them two dimensions could keep.

    Args:
        space: where the points live.
        points: (M, D) with M at most 400.
        seed: of the layout.
    """
    x = torch.from_numpy(np.asarray(points, dtype=np.float64))
    distances = space.pairwise_distance(x, x)
    if space.curvature:
        distances = distances * abs(space.curvature) ** 0.5
    distances = 0.5 * (distances + distances.T)
    return embed_in_disk(distances.fill_diagonal_(0.0).detach(), seed=seed)


def spread_over_speakers(speakers: Sequence[str], *, at_most: int, seed: int | None = None) -> np.ndarray:
    """Return positions of at most ``at_most`` utterances, as many a speaker as fit, in ascending order.

    Speakers take turns, each with its next utterance.

    Args:
        speakers: of n utterances.
        at_most: at least 0.
        seed: of the order in which speakers and their utterances come; without one it is the order given, so that
            those of a sorted list are its first: one session of each speaker, or the first speakers alone.
    """
    visited = np.arange(len(speakers)) if seed is None else np.random.default_rng(seed).permutation(len(speakers))
    turns: dict[str, int] = {}
    order = []
    for rank, position in enumerate(visited.tolist()):
        speaker = speakers[position]
        turns[speaker] = turns.get(speaker, -1) + 1
        order.append((turns[speaker], rank, position))
    return np.sort(np.array([position for *_, position in sorted(order)[:at_most]], dtype=np.int64))
