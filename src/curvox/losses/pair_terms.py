"""Terms of pair losses as pure tensor functions: hinges, divergences, sums over triplets, shares of the items."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def triplet_hinge(close: Float[Tensor, " T"], apart: Float[Tensor, " T"], *, margin: float) -> Float[Tensor, " T"]:
    """``max(0, d(a, p) - d(a, n) + margin)`` of triplets, from their two distances."""
    return (close - apart + margin).relu()


def same_hinge(divergence: Float[Tensor, "*shape"], *, margin: float) -> Float[Tensor, "*shape"]:
    """``max(0, divergence - margin)``, what same-speaker pairs pay."""
    return (divergence - margin).relu()


def different_hinge(divergence: Float[Tensor, "*shape"], *, margin: float) -> Float[Tensor, "*shape"]:
    """``max(0, margin - divergence)``, what pairs of two speakers pay."""
    return (margin - divergence).relu()


def pair_hinge(
    divergence: Float[Tensor, " P"], same: Bool[Tensor, " P"], *, m_same: float, m_different: float
) -> Float[Tensor, " P"]:
    """`same_hinge` of same-speaker pairs, `different_hinge` of others."""
    return torch.where(same, same_hinge(divergence, margin=m_same), different_hinge(divergence, margin=m_different))


def fixed_spread_divergence(distance: Float[Tensor, "*shape"], *, spread: float) -> Float[Tensor, "*shape"]:
    """``d^2 / (2 spread^2)``: `gaussian_divergence` of two Gaussians of one spread."""
    return distance.square() / (2.0 * spread**2)


def gaussian_divergence(
    distance: Float[Tensor, "*#shape"], first: Float[Tensor, "*#shape"], second: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*#shape"]:
    """Symmetrised divergence of two isotropic Gaussians, over their number of dimensions.

    ``(KL(p|q) + KL(q|p)) / 2D = sinh((a - b) / 2)^2 + d^2 (exp(-a) + exp(-b)) / 4`` for means at distance d and
    ``a``, ``b`` the logs of the squared spreads, D times the variance of a coordinate. D itself cancels.
    """
    return ((first - second) / 2.0).sinh().square() + distance.square() * ((-first).exp() + (-second).exp()) / 4.0


class _SumsOverTriplets(torch.autograd.Function):
    """Counts the active triplets on the way forward, so that no (T, B) block outlives its turn."""

    @staticmethod
    def forward(bounds: Tensor, rivals: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        items = len(rivals)
        sums = rivals.new_zeros(items)
        of_pairs = torch.empty_like(bounds)
        of_rivals = torch.zeros_like(rivals)
        for rows in torch.arange(len(anchors), device=anchors.device).split(items):
            gaps = (bounds[rows, None] - rivals[anchors[rows]]).relu_()
            sums.index_add_(0, anchors[rows], gaps.sum(1))
            hits = gaps.sign_()
            of_pairs[rows] = hits.sum(1)
            of_rivals.index_add_(0, anchors[rows], hits)
        return sums, of_pairs.sum(), of_pairs, of_rivals

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        _, active, of_pairs, of_rivals = output
        ctx.mark_non_differentiable(active, of_pairs, of_rivals)
        ctx.save_for_backward(of_pairs, of_rivals, inputs[2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        of_pairs, of_rivals, anchors = ctx.saved_tensors
        return grads[0][anchors] * of_pairs, -grads[0][:, None] * of_rivals, None


def sums_over_triplets(
    bounds: Float[Tensor, " T"], rivals: Float[Tensor, "B B"], anchors: Int[Tensor, " T"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, ""]]:
    """For every anchor the sum of ``max(0, bound - rival)`` over its bounds and its row of rivals.

    Args:
        bounds: distance to the positive plus the margin, of every (anchor, positive).
        rivals: distances to all items, infinite where an item is no negative.
        anchors: the row of each bound.

    Returns:
        The sums, and the number of terms above 0 (no gradient). Work is O(T B), memory O(B^2).
    """
    sums, active, _, _ = _SumsOverTriplets.apply(bounds, rivals, anchors)  # pyright: ignore
    return sums, active


def shares(terms: Float[Tensor, " T"], *owners: Int[Tensor, " T"], items: int) -> Float[Tensor, " B"]:
    """Give each term in equal parts to its owners, so that the mean over ``items`` is the mean over terms.

    The mean of no terms is 0.
    """
    weight = items / (max(len(terms), 1) * len(owners))
    given = terms.new_zeros(items)
    for rows in owners:
        given = given.index_add(0, rows, terms)
    return given * weight


def mean_of(values: Tensor) -> Tensor:
    """Detached mean, 0 where there are no values."""
    return values.detach().sum() / max(values.numel(), 1)
