"""Where a distance turns into a score: larger for the same speaker, whatever the geometry.

A scorer is made for the space the embeddings live in. ``prepare`` does once for every recording what need not be done
again for every trial; ``score`` then compares rows.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, PoincareBall, euclidean_distance, unit


class AbstractScorer(ABC):
    """Turns pairs of points of one space into scores."""

    @abstractmethod
    def __init__(self, space: AbstractSpace) -> None:
        """Take the space the points live in, or refuse it with an ``InputError``."""

    @abstractmethod
    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return what ``score`` wants of every point, refusing points that cannot be scored by their index."""

    @abstractmethod
    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return the scores of pairs of prepared points, larger for the same speaker."""


class CosineScorer(AbstractScorer):
    """Cosine of the angle between two points seen from the origin, in [-1, 1]; the length of a point does not matter.

    Works on the points of any space; on the Poincaré ball it ignores the radius.
    """

    def __init__(self, space: AbstractSpace) -> None:
        """Accept any space."""

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return unit vectors; a zero vector is refused, for it has no direction."""
        largest = points.abs().amax(dim=-1, keepdim=True)
        _refuse(largest[:, 0] == 0, "is a zero vector, which has no cosine; its recording or the model is broken")
        # Scaling first keeps the squares of very short and very long vectors representable.
        return unit(points / largest)

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return the cosines."""
        return (x * y).sum(dim=-1).clamp(-1, 1)


class EuclideanScorer(AbstractScorer):
    """Minus the Euclidean distance of two points, at most 0; works on the points of any space."""

    def __init__(self, space: AbstractSpace) -> None:
        """Accept any space."""

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the points as they are."""
        return points

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return minus the distances."""
        return -euclidean_distance(x, y)


class HyperbolicScorer(AbstractScorer):
    """Minus the hyperbolic distance of two points of a Poincaré ball, at most 0; refuses every other space."""

    def __init__(self, space: AbstractSpace) -> None:
        """Accept a Poincaré ball."""
        if not isinstance(space, PoincareBall):
            raise InputError(
                f"the hyperbolic scorer needs points of a PoincareBall, these live in {type(space).__name__}; "
                "leave the scorer out to use that of the space, or take cosine or euclidean"
            )
        self._space = space

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the points as they are; a point outside the ball is refused."""
        radius = self._space.c**-0.5
        outside = torch.linalg.vector_norm(points, dim=-1) >= radius
        _refuse(outside, f"lies outside the Poincaré ball of radius {radius:g}; project it into the space first")
        return points

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return minus the distances."""
        return -self._space.distance(x, y)


def _refuse(wrong: Tensor, why: str) -> None:
    index = torch.nonzero(wrong).flatten()
    if len(index):
        raise InputError(f"{len(index)} of {len(wrong)} points cannot be scored: points[{int(index[0])}] {why}")
