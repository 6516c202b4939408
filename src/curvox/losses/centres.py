"""Classification losses: a centre for each training speaker, and a softmax over how near the centres are.

A loss of this family is a rule of two parts: the logit of the own centre, from the distance to it, and the logits
of the rivals, from their similarities. The rest, placing points, one matrix product and the log-sum-exp, is here.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from curvox.errors import InputError, require_non_negative, require_positive
from curvox.geometry import AbstractSpace, Hypersphere, PoincareBall, inner_products
from curvox.losses.contract import AbstractLoss, LossOutput


def softmax_losses(
    target: Float[Tensor, " B"], rivals: Float[Tensor, "B N"], speakers: Int[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """``log(exp(t) + sum over j != y of exp(r_j)) - t`` of each row; column y of ``rivals`` is not read."""
    logits = rivals.scatter(1, speakers[:, None], target[:, None])
    return torch.logsumexp(logits, dim=1) - target


class AbstractCentreLoss(AbstractLoss):
    """A loss with one centre (a row of ``centres``, N x D) for each of N speakers.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, what similarities are multiplied by.
        margin: m, in units of the loss's own distance or cosine.
    """

    def __init__(self, dim: int, speakers: int, *, scale: float, margin: float) -> None:
        super().__init__(dim, speakers)
        self.scale = require_positive(scale, "scale")
        self.full_margin = require_non_negative(margin, "margin")
        self.centres = nn.Parameter(torch.empty(speakers, dim))

    @property
    def margin(self) -> float:
        """The margin in force: the full one times the margin scale."""
        return self.full_margin * self.margin_scale

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        dtype = torch.promote_types(torch.promote_types(embeddings.dtype, self.centres.dtype), torch.float32)
        points = self.space.project(embeddings.to(dtype))
        centres = self.space.project(self.centres.to(dtype))
        # the expansion behind one matrix product cancels close to the own centre: measure that pair directly
        own = self.space.distance(points, centres[speakers])
        target = self.target_logits(own)
        rivals = self.rival_logits(self.similarities(points, centres), own)
        per_item = softmax_losses(target, rivals, speakers)
        return LossOutput(per_item.mean(), per_item, self.describe_batch(points, own))

    @abstractmethod
    def similarities(self, points: Tensor, centres: Tensor) -> Tensor:
        """(B, N) of all points and centres, larger when closer."""

    @abstractmethod
    def target_logits(self, own: Tensor) -> Tensor:
        """(B,) from the distances to the own centres."""

    @abstractmethod
    def rival_logits(self, similarities: Tensor, own: Tensor) -> Tensor:
        """(B, N) from the similarities to all centres; the own column is not used."""

    @abstractmethod
    def describe_batch(self, points: Tensor, own: Tensor) -> dict[str, Tensor]:
        """Detached scalars for the log."""


class AbstractAngularLoss(AbstractCentreLoss):
    """Centre losses on the hypersphere: distances are angles in radians, similarities are cosines."""

    def __init__(self, dim: int, speakers: int, *, scale: float, margin: float, space: AbstractSpace | None) -> None:
        super().__init__(dim, speakers, scale=scale, margin=margin)
        self.space = Hypersphere() if space is None else space
        if not isinstance(self.space, Hypersphere):
            raise InputError(f"{type(self).__name__} compares angles: its space is the Hypersphere, got {space!r}")
        nn.init.xavier_uniform_(self.centres)

    def similarities(self, points: Tensor, centres: Tensor) -> Tensor:
        return inner_products(points, centres)

    def describe_batch(self, points: Tensor, own: Tensor) -> dict[str, Tensor]:
        return {"target_angle_rad": own.detach().mean()}


class AbstractHyperbolicLoss(AbstractCentreLoss):
    """Centre losses on the Poincaré ball: raw centres start as N(0, 1e-3^2) and share the lift of the embeddings."""

    def __init__(self, dim: int, speakers: int, *, scale: float, margin: float, space: AbstractSpace) -> None:
        super().__init__(dim, speakers, scale=scale, margin=margin)
        if not isinstance(space, PoincareBall):
            raise InputError(f"{type(self).__name__} needs a PoincareBall as its space, got {space!r}")
        self.space = space
        nn.init.normal_(self.centres, std=1e-3)

    def similarities(self, points: Tensor, centres: Tensor) -> Tensor:
        return -self.space.pairwise_distance(points, centres)

    def describe_batch(self, points: Tensor, own: Tensor) -> dict[str, Tensor]:
        origin = torch.zeros_like(points[:1])
        depth = self.space.distance(points.detach(), origin)
        return {"target_distance": own.detach().mean(), "distance_to_origin": depth.mean()}
