"""What losses ask of the distances in a batch: similarities, an order to choose by, distances of raw vectors.

Distances of all pairs come from one matrix product, whose expansion cancels for pairs that are close; where their
digits count, such pairs are measured by direct difference.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from curvox.geometry.lifts import lifted
from curvox.geometry.poincare import arcosh1p, distance
from curvox.geometry.self_distance import self_distance
from curvox.geometry.spaces import AbstractSpace
from curvox.geometry.vectors import inner_products, pairwise_squared_distance


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
