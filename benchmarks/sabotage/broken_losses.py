"""Losses as users write them, each with a mistake that is commonly made, and losses whose numbers break.

Never train with them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from curvox.geometry import AbstractSpace, Euclidean, Hypersphere
from curvox.losses import AbstractLoss, LossOutput

Terms = Callable[[AbstractSpace, Tensor, Tensor], Tensor]
"""From the space, points (B, D) and who is of one speaker (B, B) to the term of every pair, (B, B)."""


class OwnPairLoss(AbstractLoss):
    """The mean of ``terms`` over same-speaker pairs plus that over different-speaker pairs, or over all pairs alike.

    Args:
        dim: D, of the embeddings.
        terms: what a pair costs.
        space: where embeddings are compared.
        balanced: both kinds of pairs weigh the same; otherwise the mean is over all pairs.
        forgiving: a batch without same-speaker pairs has no pull, instead of none at all being refused.
    """

    whole_batch = True

    def __init__(
        self, dim: int, terms: Terms, *, space: AbstractSpace, balanced: bool = True, forgiving: bool = False
    ) -> None:
        super().__init__(dim, None)
        self.terms, self.space, self.balanced = terms, space, balanced
        # A loss that does not mind batches without pairs does not ask for them either.
        self.whole_batch = not forgiving

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        same = speakers[:, None] == speakers[None, :]
        terms = self.terms(self.space, self.space.project(embeddings), same)
        close = same & ~torch.eye(len(same), dtype=torch.bool)
        pairs = (
            (close.sum().clamp_min(1), (~same).sum().clamp_min(1)) if self.balanced else 2 * ((close | ~same).sum(),)
        )
        weights = close / pairs[0] + ~same / pairs[1]
        # Multiplied, not selected: as commonly written, so that NaN on the diagonal stays NaN.
        per_item = (terms * weights).sum(1) * len(terms)
        return LossOutput(per_item.mean(), per_item)


class OwnTripletLoss(AbstractLoss):
    """The mean of ``max(0, sign (d(a, p) - d(a, n)) + margin)`` over all triplets; as published, sign is 1.

    Args:
        dim: D, of the embeddings.
        sign: -1 pushes the positive away and pulls the negative.
        margin: in radians; below 0 it was subtracted where it had to be added.
    """

    whole_batch = True

    def __init__(self, dim: int, *, sign: float, margin: float) -> None:
        super().__init__(dim, None)
        self.space = Hypersphere()
        self.sign, self.margin = sign, margin

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        points = self.space.project(embeddings)
        distance = self.space.pairwise_distance(points, points)
        same = speakers[:, None] == speakers[None, :]
        close = same & ~torch.eye(len(same), dtype=torch.bool)
        kept = close[:, :, None] & ~same[:, None, :]
        terms = (self.sign * (distance[:, :, None] - distance[:, None, :]) + self.margin).relu() * kept
        per_item = terms.sum((1, 2)) * (len(terms) / kept.sum())
        return LossOutput(per_item.mean(), per_item)


def cosines(points: Tensor) -> Tensor:
    """(B, B) of points (B, D)."""
    unit = torch.nn.functional.normalize(points, dim=-1)
    return unit @ unit.T


def hinge(m_same: float, m_different: float, *, flipped: bool = False) -> Terms:
    """``max(0, d - m_same)`` and ``max(0, m_different - d)``; flipped: the labels the other way round."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        distance = space.pairwise_distance(points, points)
        return torch.where(same ^ flipped, distance - m_same, m_different - distance).relu()

    return terms


def blind_cosine(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """``1 - cos`` of every pair, whoever it is of."""
    return 1.0 - cosines(points)


def blind_jeffreys(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """Jeffreys divergence of the softmax of the embeddings, one way round for each label: it is symmetric."""
    logs = points.log_softmax(-1)
    shares = logs.exp()
    forth = (shares[:, None] * (logs[:, None] - logs[None])).sum(-1)
    there, back = forth + forth.T, forth.T + forth
    return torch.where(same, there, back)


def similarity_as_distance(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """A hinge whose distance is the cosine: it takes same-speaker pairs apart and others together."""
    similarity = cosines(points)
    return torch.where(same, (similarity + 0.5).relu(), (0.9 - similarity).relu())


def hinge_with_a_rest(margin: float) -> Terms:
    """``m + d`` of same-speaker pairs and ``max(0, m - d)`` of others, d the cosine distance: m is never gone."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        distance = 1.0 - cosines(points)
        return torch.where(same, margin + distance, margin - distance).relu()

    return terms


def cosine_out_of_reach(margin: float) -> Terms:
    """The cosine distance, which ends at 2, against a margin beyond that."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        distance = 1.0 - cosines(points)
        return torch.where(same, distance, (margin - distance).relu())

    return terms


def sigmoid_out_of_reach(margin: float) -> Terms:
    """A distance squeezed below 1 by a sigmoid, as a head with a sigmoid gives it, against a larger margin."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        length = Euclidean().pairwise_distance(points, points) / points.shape[1] ** 0.5
        distance = 2.0 * length.sigmoid() - 1.0
        return torch.where(same, distance, (margin - distance).relu())

    return terms


def narrow_gaussian(sigma: float, reach: float) -> Terms:
    """``d² / (2 σ²)`` of same-speaker pairs, and of others what is missing to that of ``reach``: 1/σ² multiplies."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        squares = space.pairwise_distance(points, points).square() / (2.0 * sigma**2)
        return torch.where(same, squares, (reach**2 / (2.0 * sigma**2) - squares).relu())

    return terms


class Reweighted(AbstractLoss):
    """Another loss, with ``change`` applied to what each recording costs.

    Args:
        loss: the loss to change.
        change: from (B,) to (B,).
    """

    def __init__(self, loss: AbstractLoss, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(loss.dim, loss.speakers)
        self.inner, self.change = loss, change
        self.whole_batch = loss.whole_batch
        # set past nn.Module, or the space's parameters would stand in the state_dict twice
        object.__setattr__(self, "space", loss.space)

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        output = self.inner.compute(embeddings, speakers)
        per_item = self.change(output.per_item)
        return LossOutput(per_item.mean(), per_item, output.parts)


def times(factor: float) -> Callable[[Tensor], Tensor]:
    """Multiply what each recording costs; below 0 the loss is climbed instead of descended."""
    return lambda per_item: factor * per_item


def ruled_by_the_worst(sharpness: float) -> Callable[[Tensor], Tensor]:
    """Weigh each recording by the softmax of ``sharpness`` times its cost."""
    return lambda per_item: (sharpness * per_item.detach()).softmax(0) * per_item * len(per_item)


def first_counts(factor: float) -> Callable[[Tensor], Tensor]:
    """Multiply what the first recording of the batch costs."""

    def change(per_item: Tensor) -> Tensor:
        weights = torch.ones_like(per_item)
        weights[0] = factor
        return per_item * weights

    return change


def root_at_zero(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """A Euclidean hinge whose root has no derivative at the pair of a recording with itself."""
    distance = (points[:, None] - points[None]).square().sum(-1).sqrt()
    return torch.where(same, distance, (4.0 - distance).relu())


def logarithm_of_zero(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of the probability ``exp(-d)``, which is 1 for a recording with itself: log(1 - 1)."""
    probability = (-(points[:, None] - points[None]).square().mean(-1)).exp()
    yes, no = -probability.log(), -(1.0 - probability).log()
    return same * yes + ~same * no


def arc_of_one(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
    """A hinge on ``arccos`` of the cosine, whose derivative at 1 is infinite, and which rounding takes beyond 1."""
    angle = torch.acos(cosines(points))
    return torch.where(same, angle, (1.2 - angle).relu())


def half_precision(gain: float) -> Callable[[AbstractSpace, Tensor, Tensor], Tensor]:
    """Squared Euclidean distances computed in float16, of embeddings made ``gain`` times as long."""

    def terms(space: AbstractSpace, points: Tensor, same: Tensor) -> Tensor:
        half = (gain * points).half()
        squares = (half[:, None] - half[None]).square().sum(-1).float() / gain**2
        return torch.where(same, squares, (8.0 - squares).relu())

    return terms
