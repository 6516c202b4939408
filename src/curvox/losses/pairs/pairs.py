"""What losses of pairs, triplets and groups share: what they refuse, their distances, their terms.

These losses have no centres: they compare the recordings of a batch with each other, and need speakers that come
more than once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from curvox.errors import InputError, require_non_negative
from curvox.geometry import AbstractSpace, Hypersphere, require_space, self_order
from curvox.losses.contract import AbstractLoss
from curvox.losses.pairs.mining import LogDensity, angle_log_density, positive_pairs

REPAIR = "use batches of P speakers x K recordings (data.recordings_per_speaker: 2)"


class AbstractPairLoss(AbstractLoss):
    """A loss that compares the recordings of a batch with each other; speakers are any whole numbers.

    Args:
        dim: D, of the embeddings.
        space: in which embeddings are compared; default `Hypersphere`.
    """

    whole_batch = True

    def __init__(self, dim: int, *, space: AbstractSpace | None) -> None:
        super().__init__(dim, None)
        self.space = checked_space(space)


def checked_space(space: AbstractSpace | None) -> AbstractSpace:
    """Return ``space``, or the hypersphere for None; refuse what is no space."""
    return Hypersphere() if space is None else require_space(space)


def require_margin(value: float, name: str, space: AbstractSpace) -> float:
    """Return a margin on distances, or refuse one below 0 or not below the largest distance of the space."""
    value = require_non_negative(value, name)
    largest = float(space.max_distance)
    if value >= largest:
        raise InputError(
            f"{name} is a distance and must be below the largest of the space, {largest:.4g}, got {value:g}; "
            "every pair would stay inside the margin for ever"
        )
    return value


def require_pairs(same: Tensor) -> None:
    """Refuse a batch without a same-speaker pair, or of one speaker only; ``same`` as `same_speaker` gives it."""
    require_pair_count(int(same.sum()) - len(same), len(same))


def require_pair_count(pairs: int, items: int) -> None:
    """Refuse a batch of ``items`` recordings with no ordered same-speaker ``pairs``, or with no others."""
    if pairs == 0:
        raise InputError(
            f"a batch must hold a speaker with two recordings, got {items} recordings of {items} speakers; {REPAIR}"
        )
    if pairs == items * (items - 1):
        raise InputError(f"a batch must hold at least two speakers, got {items} recordings of one; {REPAIR}")


def inputs_of_pairs(x: Tensor, y: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y, or refuse pairs that are not (P, D), (P, D) and boolean (P,)."""
    for name, points in (("x", x), ("y", y)):
        if not isinstance(points, Tensor) or not points.is_floating_point() or points.ndim != 2:
            raise InputError(f"{name} must be a floating-point tensor (P, D), got {_kind(points)}")
    if x.shape != y.shape:
        raise InputError(f"x and y must have one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if not isinstance(same, Tensor) or same.dtype != torch.bool or same.shape != x.shape[:1]:
        raise InputError(f"same must be a boolean tensor ({len(x)},), got {_kind(same)}")
    return x, y


def _kind(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


# Distances of different speakers come from one matrix product, (B, B); those of same-speaker pairs, few and often
# close, by direct difference, because the expansion behind the matrix product cancels there.


@dataclass(frozen=True)
class SamePairs:
    """The same-speaker pairs of a batch, in every order: ``anchors`` and ``positives`` (T,), rows of the batch."""

    anchors: Tensor
    positives: Tensor

    @property
    def once(self) -> tuple[Tensor, Tensor]:
        """Each pair once, first < second."""
        upper = self.anchors < self.positives
        return self.anchors[upper], self.positives[upper]


def same_pairs(speakers: Tensor) -> SamePairs:
    """The same-speaker pairs of a batch.

    Raises:
        InputError: there is none, or there is one speaker only.
    """
    anchors, positives = positive_pairs(speakers)
    require_pair_count(len(anchors), len(speakers))
    return SamePairs(anchors, positives)


def mining_distances(
    mining: str, points: Float[Tensor, "B D"], pairs: SamePairs, space: AbstractSpace
) -> Float[Tensor, "B B"]:
    """Distances of all points for a choice, without gradient, or what rises with them where only their order counts.

    Those of same-speaker pairs are exact.
    """
    return self_order(points, *pairs.once, space, as_distances=mining == "distance_weighted")


def sum_over_rivals(distances: Float[Tensor, "B B"], pairs: SamePairs) -> Float[Tensor, ""]:
    """The sum of the distances of different speakers, each pair counted twice, without gradient."""
    kept = distances.detach()
    return kept.sum() - kept[pairs.anchors, pairs.positives].sum() - kept.diagonal().sum()


def mining_density(space: AbstractSpace, dim: int) -> LogDensity | None:
    """The density of distances for ``distance_weighted``: known of angles, elsewhere fitted to the batch."""
    return angle_log_density(dim) if space.angular and dim >= 2 else None


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
