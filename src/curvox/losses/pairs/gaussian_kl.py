"""GaussianKL: a hinge on the symmetrised Kullback-Leibler divergence of isotropic Gaussians around the embeddings."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_non_negative, require_positive
from curvox.geometry import AbstractSpace
from curvox.losses.pairs.hinge import AbstractPairHinge
from curvox.losses.pairs.pairs import (
    checked_space,
    fixed_spread_divergence,
    gaussian_divergence,
    inputs_of_pairs,
    pair_hinge,
)


def gaussian_kl_losses(
    x: Tensor, y: Tensor, same: Tensor, *, margin: float = 1.0, spread: float = 1.0, space: AbstractSpace | None = None
) -> Tensor:
    """``KL`` of each same-speaker pair, ``max(0, margin - KL)`` of each other pair, with ``KL = d^2 / (2 spread^2)``.

    That is the divergence of N(x, σ²I) and N(y, σ²I) over D, the same both ways, with ``spread = σ sqrt(D)``.

    Args:
        x: (P, D) raw embeddings.
        y: (P, D) raw embeddings.
        same: (P,) boolean, True where x and y are of one speaker.
        margin: divergence from which a different-speaker pair costs nothing.
        spread: root mean square distance of a sample from its mean, in distances of the space, above 0.
        space: where distances are measured; default `Hypersphere`, in radians.

    Returns:
        (P,) losses, at least 0.

    Raises:
        InputError: wrong shapes or types, a margin that no pair can reach.
    """
    x, y = inputs_of_pairs(x, y, same)
    space = checked_space(space)
    spread = require_positive(spread, "spread")
    margin = _checked_margin(margin, spread, space)
    distance = space.distance(space.project(x), space.project(y))
    return pair_hinge(fixed_spread_divergence(distance, spread=spread), same, m_same=0.0, m_different=margin)


class GaussianKL(AbstractPairHinge):
    """GaussianKL: embeddings as Gaussians, a hinge on their symmetrised divergence (Kullback & Leibler 1951).

    Formula:
            KL = sinh(log(ρx / ρy))^2 + d^2 (1 / ρx^2 + 1 / ρy^2) / 4
            same speaker        KL
            different speakers  max(0, m - KL)
            value = mean over same-speaker pairs + mean over different-speaker pairs

    Each embedding is the mean of a Gaussian N(x, σ²I) in D dimensions with spread ρ = σ sqrt(D), the root mean square
    distance of a sample from the mean. KL is the divergence averaged over both directions and divided by D, so that
    nothing grows with D; with one fixed spread it is d²/(2ρ²). Outside Euclidean space d is the distance of the space.
    Learnt spreads are ρ² = exp(log(floor²) + (log(ceiling²) - log(floor²)) sigmoid(⟨v, z⟩ / sqrt(D) + b)) with v and b
    learnt, z the raw embedding; they start at the geometric mean of floor and ceiling.

    Args:
        dim: D, of the embeddings.
        margin: m, divergence from which a different-speaker pair costs nothing; below what the space allows.
        spread: ρ in distances of the space, above 0; with the defaults others rest from d = 1.41 on.
        learn_variance: learn a spread for each embedding instead; ``spread`` is then not used.
        spread_floor: the smallest learnt ρ, above 0.
        spread_ceiling: the largest learnt ρ, above the floor.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.
        mining: "all", "semi_hard", "hardest" or "distance_weighted": which pairs the two means are over.

    Published:
        none in this form; the common one, without a hinge, gives both labels the same gradient and collapses.

    When:
        Embeddings that should say how sure they are: a learnt spread grows for noisy or short recordings.

    What goes wrong:
        The push is proportional to d and fades for pairs that nearly coincide, so a collapse is left slowly: start
        from a trained encoder or use `ContrastiveHinge` first. Learnt spreads can all run to the ceiling, which
        makes every same-speaker pair cheap: lower it, or fix the spread. In Euclidean space choose the spread near
        the size of the embeddings, or gradients explode.
    """

    def __init__(
        self,
        dim: int,
        *,
        margin: float = 1.0,
        spread: float = 1.0,
        learn_variance: bool = False,
        spread_floor: float = 0.5,
        spread_ceiling: float = 2.0,
        space: AbstractSpace | None = None,
        mining: str = "all",
    ) -> None:
        space = checked_space(space)
        spread = require_positive(spread, "spread")
        floor = require_positive(spread_floor, "spread_floor")
        ceiling = require_positive(spread_ceiling, "spread_ceiling")
        if floor >= ceiling:
            raise InputError(f"spread_floor must be below spread_ceiling, got {floor:g} and {ceiling:g}")
        largest_spread = ceiling if learn_variance else spread
        margin = _checked_margin(margin, largest_spread, space)
        super().__init__(dim, m_same=0.0, m_different=margin, space=space, mining=mining)
        self.spread, self.spread_floor, self.spread_ceiling = spread, floor, ceiling
        self.margin_scale_limit = _largest_divergence(largest_spread, space) / margin if margin > 0 else math.inf
        self.weight = nn.Parameter(torch.zeros(dim)) if learn_variance else None
        self.bias = nn.Parameter(torch.zeros(())) if learn_variance else None

    def log_variances(self, embeddings: Tensor) -> Tensor | None:
        if self.weight is None or self.bias is None:
            return None
        weight, bias = self.weight.to(embeddings.dtype), self.bias.to(embeddings.dtype)
        low, high = 2.0 * math.log(self.spread_floor), 2.0 * math.log(self.spread_ceiling)
        return low + (high - low) * torch.sigmoid((embeddings * weight).sum(-1) / math.sqrt(self.dim) + bias)

    def divergence(self, distance: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
        if first is None or second is None:
            return fixed_spread_divergence(distance, spread=self.spread)
        return gaussian_divergence(distance, first, second)


def _largest_divergence(spread: float, space: AbstractSpace) -> float:
    return float(space.max_distance) ** 2 / (2.0 * spread**2)


def _checked_margin(margin: float, spread: float, space: AbstractSpace) -> float:
    margin = require_non_negative(margin, "margin")
    largest = _largest_divergence(spread, space)
    if margin >= largest:
        raise InputError(
            f"margin must be below the largest divergence of the space at a spread of {spread:g}, {largest:.4g}, "
            f"got {margin:g}; lower the margin or the spread"
        )
    return margin
