"""Dissimilarities that rise with the distance and have a mean over two clusters that follows from the clusters' means.

They have the form ``u(x, y) = s w(x) w(y) |x - y|^2``: the squared distance (s = w = 1), the cosine distance
``1 - cos`` of unit vectors (s = 1/2, w = 1), and in the ball ``cosh(sqrt(c) d) - 1`` (s = 2c and
``w = 1 / (1 - c |x|^2)``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry.poincare import rim_gap

_OFF_UNIT = 1e-3  # what half precision leaves of a length


class AbstractDissimilarity(ABC):
    """``s w(x) w(y) |x - y|^2``.

    Attributes:
        name: its formula, for readers.
        factor: s.
    """

    name: str
    factor: float

    @abstractmethod
    def weights(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return w (n,) of points (n, D).

        Raises:
            InputError: points off the space.
        """

    @abstractmethod
    def distances(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far apart points of these dissimilarities are."""


class SquaredDistance(AbstractDissimilarity):
    """``|x - y|^2`` of flat space."""

    name = "squared distance"
    factor = 1.0

    def weights(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ones(len(points))

    def distances(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(u)


class CosineDistance(AbstractDissimilarity):
    """``1 - cos`` of unit vectors."""

    name = "1 - cos"
    factor = 0.5

    def weights(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        lengths = np.linalg.norm(points, axis=1)
        if (np.abs(lengths - 1.0) > _OFF_UNIT).any():
            low, high = lengths.min(), lengths.max()
            raise InputError(f"points of the sphere are unit vectors, got lengths {low:g} to {high:g}")
        return np.ones(len(points))

    def distances(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2.0 * np.arcsin(np.sqrt(np.clip(u / 2.0, 0.0, 1.0)))


class CoshDistance(AbstractDissimilarity):
    """``cosh(sqrt(c) d) - 1`` of the ball of curvature -c."""

    name = "cosh(sqrt(c) d) - 1"

    def __init__(self, c: float) -> None:
        self.c = c
        self.factor = 2.0 * c

    def weights(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        lengths = np.linalg.norm(points, axis=1)
        if (self.c * lengths**2 > 1.0).any():
            raise InputError(
                f"points of the ball are shorter than {self.c**-0.5:g}, got lengths up to {lengths.max():g}; "
                "give projected points, of the same c"
            )
        return 1.0 / rim_gap(torch.from_numpy(points), c=self.c).numpy()

    def distances(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log1p(u + np.sqrt(u * (u + 2.0))) / self.c**0.5
