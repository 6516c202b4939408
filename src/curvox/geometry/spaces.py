"""The spaces in which embeddings live: where a raw embedding becomes a point, and what the distance is."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry import poincare, vectors
from curvox.geometry.lifts import AbstractLift, Clip, Published
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
    def mean(self, x: Tensor) -> Tensor:
        """The points (..., D) in the middle of K points each (..., K, D), K >= 1; the mean of copies is the point."""

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

    def mean(self, x: Tensor) -> Tensor:
        return _several(x).mean(-2)

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

    def mean(self, x: Tensor) -> Tensor:
        """The direction of the sum; zero where the points cancel, as `unit` has it."""
        return vectors.unit(_several(x).mean(-2))

    def describe(self) -> dict[str, Any]:
        return {"name": "hypersphere"}

    @property
    def max_distance(self) -> float:
        return math.pi


class PoincareBall(AbstractSpace):
    """The ball of curvature -c and radius 1/sqrt(c), entered through a lift.

    A learnt c is ``c0 10^tanh(raw_c)``, with ``raw_c = 0`` at the start c0: it stays within a factor of ten of c0, and
    at the start a step of 0.1 of ``raw_c`` changes it by a quarter.

    Args:
        c: curvature is -c; c > 0. The start, where it is learnt.
        lift: how raw embeddings enter the ball; default `Clip` to just inside the rim. `Published` lives in the ball
            of c = 1 and is refused where c is learnt.
        learn_c: make the curvature a parameter.
    """

    def __init__(self, *, c: float = 1.0, lift: AbstractLift | None = None, learn_c: bool = False) -> None:
        super().__init__()
        self.initial_c = require_positive(c, "c")
        if lift is not None and not isinstance(lift, AbstractLift):
            raise InputError(f"lift must be a lift such as Clip(), got {lift!r}; names go through create_space")
        if not isinstance(learn_c, bool):
            raise InputError(f"learn_c must be true or false, got {learn_c!r}")
        if learn_c and isinstance(lift, Published):
            raise InputError('the lift "published" belongs to the ball of c = 1, so c cannot be learnt; use "clip"')
        self.lift = Clip() if lift is None else lift
        self.lift.reach(c=self.initial_c)
        self.raw_c = nn.Parameter(torch.zeros(())) if learn_c else None

    @property
    def c(self) -> float | Tensor:
        """The c in force: a float, or a scalar tensor with a gradient where it is learnt."""
        if self.raw_c is None:
            return self.initial_c
        return self.initial_c * (math.log(10.0) * vectors.widen(self.raw_c).tanh()).exp()

    def project(self, z: Tensor) -> Tensor:
        return self.lift(vectors.widen(z), c=self.c)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.distance(x, y, c=self.c)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.pairwise_distance(x, y, c=self.c)

    def mean(self, x: Tensor) -> Tensor:
        """The Lorentz centroid, see `poincare.centroid`."""
        return poincare.centroid(_several(x), c=self.c)

    def describe(self) -> dict[str, Any]:
        learnt = self.raw_c is not None
        return {"name": "poincare_ball", "c": self.initial_c, "lift": self.lift.describe(), "learn_c": learnt}

    @property
    def max_distance(self) -> float:
        """That of two opposite lifted points with the c in force."""
        c = self.c
        return self.lift.max_distance(c=c.detach().double() if isinstance(c, Tensor) else c)


def _several(x: Tensor) -> Tensor:
    if x.ndim < 2 or x.shape[-2] == 0:
        raise InputError(f"a mean is of at least one point, (..., K, D) with K >= 1, got {tuple(x.shape)}")
    return vectors.widen(x)
