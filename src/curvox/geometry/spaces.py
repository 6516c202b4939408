"""The spaces in which embeddings live: where a raw embedding becomes a point, and what the distance is."""

import math
from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry import poincare, vectors
from curvox.geometry.lifts import AbstractLift, Clip
from curvox.tables import Entry, Table

_HERE = "curvox.geometry.spaces"

SPACES = Table(
    "space",
    {
        "euclidean": Entry(_HERE, "Euclidean", "flat space, the distance |x - y|"),
        "hypersphere": Entry(_HERE, "Hypersphere", "unit vectors, the angle between them in radians"),
        "poincare_ball": Entry(_HERE, "PoincareBall", "the ball of curvature -c", "nickel2017poincare"),
    },
)


class AbstractSpace(nn.Module, ABC):
    """A place for embeddings. Half-precision input is widened: points and distances are at least float32."""

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def project(self, z: Tensor) -> Tensor:
        """Turn raw embeddings (..., D) into points (..., D) of the space."""

    @abstractmethod
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances (...) of points (..., D) that broadcast together, by direct difference."""

    @abstractmethod
    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances (B, N) of all pairs of points (B, D) and (N, D), from one matrix product."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name and constructor arguments as plain values; `create_space` is its inverse."""

    @property
    @abstractmethod
    def max_distance(self) -> float:
        """The largest distance between two projected points; infinite where there is none."""


class Euclidean(AbstractSpace):
    """Flat space: every raw embedding is a point."""

    def project(self, z: Tensor) -> Tensor:
        return vectors.widen(z)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.euclidean_distance(x, y)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.pairwise_euclidean_distance(x, y)

    def describe(self) -> dict[str, Any]:
        return {"name": "euclidean"}

    @property
    def max_distance(self) -> float:
        return float("inf")


class Hypersphere(AbstractSpace):
    """Unit vectors; the distance is the angle in radians, whose cosine is the cosine score."""

    def project(self, z: Tensor) -> Tensor:
        return vectors.unit(vectors.widen(z))

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.angle(x, y)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.pairwise_angle(x, y)

    def describe(self) -> dict[str, Any]:
        return {"name": "hypersphere"}

    @property
    def max_distance(self) -> float:
        return math.pi


class PoincareBall(AbstractSpace):
    """The ball of curvature -c and radius 1/sqrt(c), entered through a lift.

    Args:
        c: curvature is -c; c > 0.
        lift: how raw embeddings enter the ball; default `Clip` to just inside the rim.
    """

    def __init__(self, *, c: float = 1.0, lift: AbstractLift | None = None) -> None:
        super().__init__()
        self.c = require_positive(c, "c")
        if lift is not None and not isinstance(lift, AbstractLift):
            raise InputError(f"lift must be a lift such as Clip(), got {lift!r}; names go through create_space")
        self.lift = Clip() if lift is None else lift
        self.lift.reach(c=self.c)

    def project(self, z: Tensor) -> Tensor:
        return self.lift(vectors.widen(z), c=self.c)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.distance(x, y, c=self.c)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.pairwise_distance(x, y, c=self.c)

    def describe(self) -> dict[str, Any]:
        return {"name": "poincare_ball", "c": self.c, "lift": self.lift.describe()}

    @property
    def max_distance(self) -> float:
        return self.lift.max_distance(c=self.c)
