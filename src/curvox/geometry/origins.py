"""What only a space with an origin can tell: how far out points lie, one by one or in the middle of many."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.geometry import poincare, vectors
from curvox.geometry.lorentz import to_lorentz


class AbstractOrigin(ABC):
    """Depths of points in a space with an origin, in its distances.

    In the coordinates that `coordinates` gives, the middle of points is the direction of their sum, so that the sums
    of the parts of a tree can be added up to those of the whole.
    """

    @abstractmethod
    def depths(self, x: Tensor) -> Tensor:
        """Return the distances (...) of points (..., D) from the origin."""

    @abstractmethod
    def coordinates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coordinates (n, D + 1) of points (n, D), to be added up: a 1, or the time, and those of the point."""

    @abstractmethod
    def depths_of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far (n,) the middles lie from the origin whose coordinates add up to ``sums`` (n, D + 1)."""


class FlatOrigin(AbstractOrigin):
    """The zero of flat space; the middle is the mean."""

    def depths(self, x: Tensor) -> Tensor:
        return vectors.euclidean_distance(torch.zeros_like(x), x)

    def coordinates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([np.ones((len(x), 1)), x], axis=1)

    def depths_of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return _shares(sums)


class BallOrigin(AbstractOrigin):
    """The centre of the ball of curvature -c; in Lorentz coordinates the middle is the centroid."""

    def __init__(self, c: float | Tensor) -> None:
        self._c = c

    def depths(self, x: Tensor) -> Tensor:
        return poincare.distance(torch.zeros_like(x), x, c=self._c)

    @torch.no_grad()
    def coordinates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return to_lorentz(torch.from_numpy(x), c=self._c).numpy()

    def depths_of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``artanh(|space| / time) / sqrt(c)``."""
        c = self._c.detach() if isinstance(self._c, Tensor) else self._c
        return np.arctanh(np.minimum(_shares(sums), 1 - np.finfo(np.float64).eps)) / float(c) ** 0.5


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(sums[:, 1:], axis=1) / sums[:, 0]
