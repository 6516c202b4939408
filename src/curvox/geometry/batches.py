"""What losses ask of the distances in a batch: similarities, an order to choose by, distances of raw vectors.

Distances of all pairs come from one matrix product, whose expansion cancels for pairs that are close; where their
digits count, such pairs are measured by direct difference.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from curvox.geometry.lifts import lifted
from curvox.geometry.poincare import arcosh1p, distance, rim_gap
from curvox.geometry.spaces import AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.geometry.vectors import inner_products, pairwise_squared_distance

# Distances of a batch to itself, with a hand-written backward: one matrix product each way instead of three.
#
# They are those of ``space.pairwise_distance(points, points)``, with the same bounds on their error. A space that is
# none of ours goes through that function.


def self_distance(points: Float[Tensor, "B D"], space: AbstractSpace) -> Float[Tensor, "B B"]:
    """Distances of all pairs of points; the gradient where two coincide is 0."""
    if isinstance(space, Hypersphere):
        return _apply(_Angles, points)
    if isinstance(space, Euclidean):
        return _apply(_Lengths, points)
    if isinstance(space, PoincareBall):
        c = space.c
        weights = (2.0 * c) ** 0.5 / rim_gap(points, c=c)
        return _apply(_Arcs, points, weights) / c**0.5
    return space.pairwise_distance(points, points)


def _apply(function: type[torch.autograd.Function], *tensors: Tensor) -> Tensor:
    distances, *_ = function.apply(*tensors)  # pyright: ignore[reportGeneralTypeIssues]
    return distances


def _squared(points: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    squares = points.square().sum(1)
    # one addition for both squares keeps the matrix symmetric
    return torch.addmm(squares[:, None] + squares, points, points.T, alpha=-2.0).clamp_min_(0.0)


def _inverse(t: Tensor) -> Tensor:
    """1 / t, and 0 where t is 0."""
    return t.reciprocal().masked_fill_(t == 0, 0.0)


def _both_ways(grad: Tensor) -> Tensor:
    return grad + grad.T


def _pull(weights: Float[Tensor, "B B"], points: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
    """``sum over j of w_ij (x_i - x_j)``."""
    return torch.addmm(weights.sum(1, keepdim=True) * points, weights, points, alpha=-1.0)


class _Lengths(torch.autograd.Function):
    """``|x_i - x_j|``."""

    @staticmethod
    def forward(points: Tensor) -> tuple[Tensor]:
        return (_squared(points).sqrt_(),)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        points, lengths = ctx.saved_tensors
        return _pull(_inverse(lengths).mul_(_both_ways(grads[0])), points)


class _Angles(torch.autograd.Function):
    """``2 atan(sqrt((1 - cos) / (1 + cos)))`` of unit vectors; the derivative by the cosine is ``-1 / sin``."""

    @staticmethod
    def forward(points: Tensor) -> tuple[Tensor]:
        cosines = (points @ points.T).clamp_(-1.0, 1.0)
        return ((1.0 - cosines).div_(cosines.add_(1.0)).sqrt_().atan_().mul_(2.0),)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        points, angles = ctx.saved_tensors
        sines = angles.sin()
        sines.masked_fill_(sines < torch.finfo(sines.dtype).eps, 0.0)  # 0 and pi, and nothing between them
        return (_inverse(sines).mul_(_both_ways(grads[0])) @ points).neg_()


class _Arcs(torch.autograd.Function):
    """``arcosh(1 + u)`` with ``u = |x_i - x_j|^2 w_i w_j``, for weights w that may learn."""

    @staticmethod
    def forward(points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        u = _squared(points).mul_(weights[:, None]).mul_(weights)
        sines = (u + 2.0).sqrt_().mul_(u.sqrt())
        return (u + sines).log1p_(), u, sines

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs, *output[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        points, weights, u, sines = ctx.saved_tensors
        slopes = _inverse(sines).mul_(_both_ways(grads[0]))
        of_weights = (slopes * u).sum(1) / weights
        return 2.0 * _pull(slopes.mul_(weights[:, None]).mul_(weights), points), of_weights


def distance_of_rows(
    points: Float[Tensor, "B D"], first: Int[Tensor, " P"], second: Int[Tensor, " P"], space: AbstractSpace
) -> Float[Tensor, " P"]:
    """Distances between rows of ``points``, by direct difference."""
    return space.distance(points.index_select(0, first), points.index_select(0, second))


def similarity(distances: Float[Tensor, "*shape"], space: AbstractSpace) -> Float[Tensor, "*shape"]:
    """Similarities at these distances: the cosine where they are angles, minus the distance elsewhere."""
    return distances.cos() if space.angular else -distances


def self_similarity(
    points: Float[Tensor, "B D"], first: Int[Tensor, " P"], second: Int[Tensor, " P"], space: AbstractSpace
) -> tuple[Float[Tensor, "B B"], Float[Tensor, "B B"]]:
    """Similarities of all pairs of points, and their distances; those of the pairs named keep all their digits.

    A cosine keeps them in any case; the distances of angles have no gradient.
    """
    if space.angular:
        similarities = inner_products(points, points)
        return similarities, similarities.detach().clamp(-1.0, 1.0).acos()
    exact = distance_of_rows(points, first, second, space)
    distances = self_distance(points, space).index_put((first, second), exact)
    return -distances, distances


@torch.no_grad()
def self_order(
    points: Float[Tensor, "B D"],
    first: Int[Tensor, " P"],
    second: Int[Tensor, " P"],
    space: AbstractSpace,
    *,
    as_distances: bool,
) -> Float[Tensor, "B B"]:
    """Numbers that rise with the distance of each pair of points, exact for the pairs named, in both orders.

    Args:
        points: of the space.
        first: rows of the pairs to be exact.
        second: likewise.
        space: where the points live.
        as_distances: give the distances themselves; otherwise squared chords stand for angles, which cost less.
    """
    exact = distance_of_rows(points, first, second, space)
    if space.angular and not as_distances:
        order = inner_products(points, points).mul_(-2.0).add_(2.0)
        exact = (2.0 * (exact / 2.0).sin()).square()
    else:
        order = self_distance(points, space)
    order[first, second] = exact
    order[second, first] = exact
    return order


def distances_of_raw(
    raw: Float[Tensor, "B D"], others: Float[Tensor, "K D"], own: Int[Tensor, " B"], space: AbstractSpace
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B K"]]:
    """Distances of raw vectors after their projection: each to its own among others, by direct difference, and to all.

    In a ball the gaps to the rim are those that the lift knows without rounding.
    """
    ball = space.ball
    if ball is None:
        points, places = space.project(raw), space.project(others)
        return space.distance(points, places[own]), space.pairwise_distance(points, places)
    c = ball.c
    points, gap = lifted(raw, ball.lift, dim=raw.shape[1], c=c)
    places, place_gap = lifted(others, ball.lift, dim=raw.shape[1], c=c)
    direct = distance(points, places[own], c=c, gaps=(gap * place_gap[own])[:, 0])
    u = pairwise_squared_distance(points, places) * (2.0 * c / gap) / place_gap[:, 0]
    return direct, arcosh1p(u) / c**0.5
