"""What tests of pair losses share: spaces, batches, and distances and means written another way, in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from curvox.geometry import AbstractSpace, Clip, Euclidean, Hypersphere, PoincareBall

Distance = Callable[[np.ndarray, np.ndarray], float]
Mean = Callable[[np.ndarray], np.ndarray]
RADIUS, C = 0.9, 0.7

SPACES: dict[str, Callable[[], AbstractSpace]] = {
    "euclidean": Euclidean,
    "hypersphere": Hypersphere,
    "ball": lambda: PoincareBall(c=C, lift=Clip(RADIUS)),
}


def _unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z)


def _clipped(z: np.ndarray) -> np.ndarray:
    return z * min(1.0, RADIUS / float(np.linalg.norm(z)))


PROJECT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "euclidean": lambda z: z,
    "hypersphere": _unit,
    "ball": _clipped,
}


def _ball_distance(x: np.ndarray, y: np.ndarray) -> float:
    gaps = (1 - C * (x @ x)) * (1 - C * (y @ y))
    return float(np.arccosh(1 + 2 * C * ((x - y) @ (x - y)) / gaps) / np.sqrt(C))


DISTANCE: dict[str, Distance] = {
    "euclidean": lambda x, y: float(np.sqrt(((x - y) ** 2).sum())),
    "hypersphere": lambda x, y: float(np.arccos(np.clip(x @ y, -1.0, 1.0))),
    "ball": _ball_distance,
}


def _ball_mean(points: np.ndarray) -> np.ndarray:
    """The mean on the hyperboloid, scaled back onto it, and projected to the ball again."""
    x = np.sqrt(C) * points
    squares = (x**2).sum(-1, keepdims=True)
    time, place = (1 + squares) / (1 - squares), 2 * x / (1 - squares)
    mean_time, mean_place = float(time.mean()), place.mean(0)
    length = np.sqrt(mean_time**2 - mean_place @ mean_place)
    return mean_place / length / (1 + mean_time / length) / np.sqrt(C)


MEAN: dict[str, Mean] = {
    "euclidean": lambda points: points.mean(0),
    "hypersphere": lambda points: _unit(points.sum(0)),
    "ball": _ball_mean,
}


def random_batch(seed: int = 0, *, dim: int = 5) -> tuple[Tensor, Tensor]:
    """Nine recordings of four speakers: four, two, two and one."""
    generator = torch.Generator().manual_seed(seed)
    speakers = torch.tensor([0, 1, 0, 2, 1, 0, 3, 2, 0])
    voices = torch.randn(4, dim, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(speakers), dim, generator=generator, dtype=torch.float64)
    return voices[speakers] + 0.7 * noise, speakers


def placed(embeddings: Tensor, space: str) -> np.ndarray:
    """Points of a space, by NumPy."""
    return np.stack([PROJECT[space](z) for z in embeddings.detach().numpy()])


def distances(embeddings: Tensor, space: str) -> np.ndarray:
    """(B, B) distances in a space, by NumPy."""
    points = placed(embeddings, space)
    return np.array([[DISTANCE[space](x, y) for y in points] for x in points])
