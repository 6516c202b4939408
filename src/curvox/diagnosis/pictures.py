"""What can be drawn of embedded recordings: how far pairs lie apart, and how long the embeddings are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.diagnosis.observation import EmbeddedSet

MOST_RECORDINGS = 1024
"""Of more recordings as many at even distances are taken: half a million pairs make a smooth histogram."""

BINS = 60


@dataclass(frozen=True, eq=False)
class DistanceHistogram:
    """Distances of all pairs of different recordings, in the loss's space.

    Attributes:
        edges: (bins + 1,) of the bins, rising.
        same: (bins,) shares of the same-speaker pairs, which sum to 1.
        different: (bins,) shares of the other pairs.
        same_pairs, different_pairs: how many there are.
        space: its name, as recipes have it.
    """

    edges: NDArray[np.float64]
    same: NDArray[np.float64]
    different: NDArray[np.float64]
    same_pairs: int
    different_pairs: int
    space: str


@dataclass(frozen=True, eq=False)
class RadiusHistogram:
    """How far embeddings lie from the origin.

    Attributes:
        edges: (bins + 1,) of the bins, rising.
        shares: (bins,) of the recordings, which sum to 1.
        recordings: how many there are.
        on_ball: radii of the points over that of the ball, in [0, 1]; otherwise lengths of the raw embeddings.
    """

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    recordings: int
    on_ball: bool


def distance_histogram(items: EmbeddedSet, *, bins: int = BINS) -> DistanceHistogram | None:
    """Return the distances of pairs; None without both kinds, or where numbers are not finite."""
    # Asked of the embeddings: some distances of NaN are 0.
    if not torch.isfinite(items.raw).all():
        return None
    count = len(items.raw)
    rows = torch.linspace(0, max(0, count - 1), min(count, MOST_RECORDINGS)).round().long()
    points, speakers = _points(items, items.raw[rows]), items.speakers[rows]
    distances = items.space.pairwise_distance(points, points).detach().double().cpu()
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    values = distances[first, second].numpy()
    same = (speakers[first] == speakers[second]).cpu().numpy()
    if same.all() or not same.any() or not np.isfinite(values).all():
        return None
    edges = _edges(values, bins)
    shares = (_shares(values[same], edges), _shares(values[~same], edges))
    return DistanceHistogram(edges, *shares, int(same.sum()), int((~same).sum()), str(items.space.describe()["name"]))


def radius_histogram(items: EmbeddedSet, *, bins: int = BINS) -> RadiusHistogram | None:
    """Return how far the embeddings lie from the origin; None where one is not finite."""
    ball = items.space.ball
    vectors = items.raw if ball is None else _points(items, items.raw)
    radii = torch.linalg.vector_norm(vectors.double(), dim=-1) * (1.0 if ball is None else ball.c_value**0.5)
    values = radii.detach().cpu().numpy()
    if len(values) == 0 or not np.isfinite(values).all():
        return None
    edges = _edges(values, bins) if ball is None else np.linspace(0.0, 1.0, bins + 1)
    return RadiusHistogram(edges, _shares(np.clip(values, edges[0], edges[-1]), edges), len(values), ball is not None)


@torch.no_grad()
def _points(items: EmbeddedSet, raw: Tensor) -> Tensor:
    return items.space.project(raw.double())


def _edges(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """From 0 to the largest value: how far all lie from 0 is what collapse is about."""
    return np.linspace(0.0, float(values.max()) or 1.0, bins + 1)


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.histogram(values, bins=edges)[0] / len(values)
