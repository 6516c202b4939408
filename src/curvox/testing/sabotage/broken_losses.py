"""Losses whose numbers break: unsafe roots, logarithms and arcs, half precision; and losses with changed values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss, LossOutput
from curvox.testing.sabotage.pair_losses import cosines


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
