"""Turning a distance into a score: larger for the same speaker, whatever the geometry.

A scorer is made for the space the embeddings live in. ``prepare`` does once for every recording what need not be done
again for every trial, and ``score`` compares rows directly. A product scorer has a second way to the same scores:
``nearness`` needs of two rows only their inner product and a few ``terms`` of each, so that many trials cost one dot
product each and all pairs of two sets one matrix product; ``from_nearness`` makes a score of it, which may be left out
for pairs that are not near enough to matter. Where an inner product has lost too many digits, for pairs that all but
coincide, ``from_nearness`` says so, and the pair is scored directly.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, arcosh1p, distance, euclidean_distance, rim_gap
from curvox.tables import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "cosine": Entry("curvox.scoring.scorers", "CosineScorer", "cosine of the angle between two points"),
        "euclidean": Entry("curvox.scoring.scorers", "EuclideanScorer", "minus the Euclidean distance"),
        "hyperbolic": Entry(
            "curvox.scoring.scorers", "HyperbolicScorer", "minus the hyperbolic distance in the Poincaré ball"
        ),
        "distance": Entry("curvox.scoring.scorers", "DistanceScorer", "minus the distance of any space"),
    },
)
PRODUCT_BOUND = 1e-9
"""How far a score from an inner product may be from the direct one: of cosines, in units of 1/sqrt(c) for hyperbolic
distances, in units of ``sqrt(|x|^2 + |y|^2)`` for Euclidean ones."""

_EPS = torch.finfo(torch.float64).eps
_NO_DIGITS_LOST = torch.finfo(torch.float64).tiny / _EPS  # squares below this round to few digits

Pairs = Float[Tensor, "*pairs"]
Terms = tuple[Tensor, ...]


class AbstractScorer(ABC):
    """Turns pairs of points of one space into scores. Rows are float64."""

    @abstractmethod
    def __init__(self, space: AbstractSpace) -> None:
        """Take the space the points live in, or refuse it with an ``InputError``."""

    @abstractmethod
    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return what ``score`` wants of every point, refusing points that cannot be scored by their index."""

    @abstractmethod
    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return the scores of pairs of prepared points, larger for the same speaker."""


class AbstractProductScorer(AbstractScorer):
    """A scorer that takes most pairs from inner products."""

    @abstractmethod
    def terms(self, rows: Float[Tensor, "N D"]) -> tuple[Float[Tensor, " N"], ...]:
        """Return what ``nearness`` wants of every prepared point beside its inner products."""

    @abstractmethod
    def nearness(self, products: Pairs, x_terms: Terms, y_terms: Terms) -> Pairs:
        """Return a number for each pair that rises with its score, from the inner products of prepared points.

        The terms of both sides broadcast to the products, which are overwritten.
        """

    @abstractmethod
    def from_nearness(self, nearness: Pairs, x_terms: Terms, y_terms: Terms) -> tuple[Pairs, Tensor | None]:
        """Return scores from ``nearness``, which may be overwritten, and which of them are good to `PRODUCT_BOUND`.

        The second result is a mask, or None where all are good; the pairs outside it are for ``score``.
        """


class CosineScorer(AbstractProductScorer):
    """Cosine of the angle between two points seen from the origin, in [-1, 1]; the length of a point does not matter.

    Works on the points of any space; on the Poincaré ball it ignores the radius.
    """

    def __init__(self, space: AbstractSpace) -> None:
        """Accept any space."""

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return unit vectors; a zero vector is refused, for it has no direction."""
        largest = torch.maximum(points.amax(dim=-1, keepdim=True), -points.amin(dim=-1, keepdim=True))
        _refuse(largest[:, 0] == 0, "is a zero vector, which has no cosine; its recording or the model is broken")
        # Scaling first keeps the squares of very short and very long vectors representable.
        rows = points / largest
        return rows.div_(torch.linalg.vector_norm(rows, dim=-1, keepdim=True))

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return the cosines."""
        return (x * y).sum(dim=-1).clamp(-1, 1)

    def terms(self, rows: Float[Tensor, "N D"]) -> tuple[Float[Tensor, " N"], ...]:
        """Return nothing: the inner product is the score."""
        return ()

    def nearness(self, products: Pairs, x_terms: Terms, y_terms: Terms) -> Pairs:
        """Return the products."""
        return products

    def from_nearness(self, nearness: Pairs, x_terms: Terms, y_terms: Terms) -> tuple[Pairs, Tensor | None]:
        """Return the products, at most ``D eps`` from ``score`` by any order of adding."""
        return nearness.clamp_(-1, 1), None


class EuclideanScorer(AbstractProductScorer):
    """Minus the Euclidean distance of two points, at most 0; works on the points of any space."""

    def __init__(self, space: AbstractSpace) -> None:
        """Accept any space."""

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the points as they are."""
        return points

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return minus the distances."""
        return -euclidean_distance(x, y)

    def terms(self, rows: Float[Tensor, "N D"]) -> tuple[Float[Tensor, " N"], ...]:
        """Return squared lengths, and what rounding may have done to them."""
        squares = rows.square().sum(-1)
        return squares, squares * ((rows.shape[-1] + 4) * _EPS)

    def nearness(self, products: Pairs, x_terms: Terms, y_terms: Terms) -> Pairs:
        """Return minus ``s = |x|^2 + |y|^2 - 2 <x, y>``, the squared distances."""
        return products.mul_(2.0).sub_(x_terms[0]).sub_(y_terms[0])

    def from_nearness(self, nearness: Pairs, x_terms: Terms, y_terms: Terms) -> tuple[Pairs, Tensor | None]:
        """Return minus the roots of s.

        Rounding moves s by at most ``E = (D + 4) eps (|x|^2 + |y|^2)`` by any order of adding, and its root therefore
        by at most ``E / sqrt(2 s)`` where E <= s / 2.
        """
        squares, error = (x + y for x, y in zip(x_terms, y_terms, strict=True))
        lengths = nearness.neg_().clamp_min_(0.0).sqrt_()
        good = (error < PRODUCT_BOUND * 2**0.5 * lengths * squares.sqrt()) & (squares > _NO_DIGITS_LOST)
        return lengths.neg_(), good


class HyperbolicScorer(AbstractProductScorer):
    """Minus the hyperbolic distance of two points of a Poincaré ball, at most 0; refuses every other space."""

    def __init__(self, space: AbstractSpace) -> None:
        """Accept a Poincaré ball."""
        if space.ball is None:
            raise InputError(
                f"the hyperbolic scorer needs points of a PoincareBall, these live in {type(space).__name__}; "
                "leave the scorer out to use that of the space, or take cosine or euclidean"
            )
        self._c = space.ball.c_value

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the points as they are; a point outside the ball is refused."""
        radius = self._c**-0.5
        outside = torch.linalg.vector_norm(points, dim=-1) >= radius
        _refuse(outside, f"lies outside the Poincaré ball of radius {radius:g}; project it into the space first")
        return points

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return minus the distances."""
        return -distance(x, y, c=self._c)

    def terms(self, rows: Float[Tensor, "N D"]) -> tuple[Float[Tensor, " N"], ...]:
        """Return ``q = c |x|^2``, ``2 / (1 - q)``, which takes x to Lorentz coordinates, and what rounding may do."""
        q = self._c * rows.square().sum(-1)
        return q, 2.0 / rim_gap(rows, c=self._c), torch.full_like(q, (rows.shape[-1] + 8) * _EPS / 2.0)

    def nearness(self, products: Pairs, x_terms: Terms, y_terms: Terms) -> Pairs:
        """Return minus ``u = cosh(sqrt(c) d) - 1 = -c <p, q> - 1``, from the Lorentz product of points p and q.

        With ``g = 1 - c |x|^2`` a point of the ball has the Lorentz coordinates ``p = ((2 - g) / sqrt(c), 2 x) / g``,
        and ``u = 2 (c |x|^2 + c |y|^2 - 2c x·y) / (g_x g_y)`` needs x·y alone, and the factor 2 / g of both points.
        """
        (q_x, w_x, _), (q_y, w_y, _) = x_terms, y_terms
        return products.mul_(2.0 * self._c).sub_(q_x).sub_(q_y).mul_(w_x / 2.0).mul_(w_y)

    def from_nearness(self, nearness: Pairs, x_terms: Terms, y_terms: Terms) -> tuple[Pairs, Tensor | None]:
        """Return minus ``arcosh(1 + u) / sqrt(c)``.

        The direct formula computes the same u from x - y and the same g. Rounding sets the two apart by at most
        ``E = (D + 8) eps (2 (c |x|^2 + c |y|^2) / (g_x g_y) + u)``, by any order of adding; hence the distances by
        ``2 E / sqrt(c u (u + 2))`` where E <= u / 2, and by ``sqrt(2 E / c)`` anywhere. A pair is good where
        ``4 E < PRODUCT_BOUND sqrt(u (u + 2))``, which keeps both below `PRODUCT_BOUND` / sqrt(c): at D = 192 pairs half
        way out that are more than 4e-4 / sqrt(c) apart, and on the rim, at any g, pairs whose directions are more than
        0.02 rad apart. A pair of one speaker is nearly always good; copies of one recording are not.
        """
        (q_x, w_x, slack), (q_y, w_y, _) = x_terms, y_terms
        u = nearness.neg_().clamp_min_(0.0)
        error = (q_x + q_y).mul_(w_x / 2.0).mul_(w_y).add_(u).mul_(8.0 * slack)  # 4 E
        good = error < (u * (u + 2.0)).sqrt_().mul_(PRODUCT_BOUND)
        return arcosh1p(u).div_(-(self._c**0.5)), good


class DistanceScorer(AbstractScorer):
    """Minus the distance of two points in their own space, at most 0; works in any space, pair by pair."""

    def __init__(self, space: AbstractSpace) -> None:
        """Accept any space."""
        self._space = space

    def prepare(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the points as they are."""
        return points

    def score(self, x: Float[Tensor, "B D"], y: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return minus the distances."""
        return -self._space.distance(x, y)


def create_scorer(space: AbstractSpace, name: str | None = None) -> AbstractScorer:
    """Return the scorer of that name, made for a space; that which belongs to the space if None.

    Raises:
        UnknownNameError: no such scorer.
        InputError: a scorer that does not fit the space.
    """
    return SCORERS.load(space.default_scorer if name is None else name)(space)


def _refuse(wrong: Tensor, why: str) -> None:
    index = torch.nonzero(wrong).flatten()
    if len(index):
        raise InputError(f"{len(index)} of {len(wrong)} points cannot be scored: points[{int(index[0])}] {why}")
