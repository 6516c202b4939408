"""Classification losses on the hypersphere: angles to centres in radians, and the cosines of the rivals."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_non_negative
from curvox.geometry import AbstractSpace, Hypersphere
from curvox.losses.centres.centres import AbstractCentreLoss, LearntScale, cross_entropy
from curvox.losses.contract import LossOutput, require_count
from curvox.losses.scan.rules import Exponents, FlooredExponents


def inverse_norms(squares: Tensor) -> Tensor:
    """The factor (M, 1) that makes centres of squared norms (M,) unit vectors; 1 for a zero vector."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).rsqrt(), 1.0)[:, None]


def require_sphere(space: AbstractSpace | None, loss: object) -> AbstractSpace:
    """Return ``space``, the hypersphere if None, and refuse one whose distances are no angles."""
    space = Hypersphere() if space is None else space
    if not space.angular:
        raise InputError(f"{type(loss).__name__} compares angles: its space is the Hypersphere, got {space!r}")
    return space


def raise_rivals(rivals: Tensor, logits: Tensor, raised: Tensor) -> Tensor:
    """Replace ``logits`` (B, k) by ``raised`` >= logits among the rivals summed up in ``rivals`` (B,)."""
    gain = raised - logits
    positive = gain > 0
    # log(exp(raised) - exp(logits)), which must not overflow for a large gain
    extra = raised + torch.log(-torch.expm1(-torch.where(positive, gain, 1.0)))
    extra = torch.where(positive, extra, float("-inf"))
    return torch.logsumexp(torch.cat([rivals[:, None], extra], 1), 1)


class AbstractAngularLoss(AbstractCentreLoss):
    """Cross-entropy over scaled cosines, with the own logit and the nearest rivals' changed by margins.

    Attributes:
        floored: rivals below the own logit count as if they were at it, so that they stop pushing.
        margins_in_radians: margins are angles, which stay below π.
    """

    floored: ClassVar[bool] = False
    margins_in_radians: ClassVar[bool] = False

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        margin: float = 0.2,
        sub_centres: int = 1,
        top_k: int = 0,
        top_k_margin: float = 0.06,
        learn_scale: bool = False,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(dim, speakers, margin=margin, sub_centres=sub_centres)
        self.scaling = LearntScale(scale, learn=learn_scale)
        self.top_k = require_count(top_k, "top_k", least=0)
        if self.top_k >= speakers:
            raise InputError(f"top_k counts rivals and must be below the {speakers} speakers, got {top_k}")
        self.full_top_k_margin = require_non_negative(top_k_margin, "top_k_margin")
        self.space = require_sphere(space, self)
        largest = max(self.full_margin, self.full_top_k_margin)
        if self.margins_in_radians and largest >= math.pi:
            raise InputError(f"margin and top_k_margin are angles in radians and must stay below π, got {largest:g}")
        if self.margins_in_radians and largest > 0:
            self.margin_scale_limit = math.pi / largest
        nn.init.xavier_uniform_(self.centres.detach().view(-1, dim))

    @property
    def top_k_margin(self) -> float:
        """The margin in force on the nearest rivals."""
        return self.full_top_k_margin * self.margin_scale

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        points = self.space.project(embeddings.to(self.precision(embeddings)))
        scale = self.scaling.now()
        row = self._floors(points, speakers, scale) if self.floored else None
        rule = FlooredExponents() if self.floored else Exponents()
        found = self.scan(rule, inverse_norms, scale * points, speakers, row=row, top_k=self.top_k)
        # an angle taken from a cosine has lost half of its digits near 0 and pi: measure the own one directly
        angles = self._angles(points, found.own).amin(1)
        target = scale * self.target_similarity(angles)
        rivals = found.result_of(target) if self.floored else found.result
        if self.top_k:
            near = self._angles(points, found.top)
            logits, raised = scale * near.cos(), scale * self.raised_similarity(near)
            if self.floored:
                logits, raised = (torch.maximum(value, target[:, None]) for value in (logits, raised))
            rivals = raise_rivals(rivals, logits, raised)
        per_item = cross_entropy(target, rivals)
        return LossOutput(per_item.mean(), per_item, self.describe_batch(angles, scale))

    def _angles(self, points: Tensor, centres: Tensor) -> Tensor:
        return self.space.distance(points[:, None], self.space.project(centres))

    @torch.no_grad()
    def _floors(self, points: Tensor, speakers: Tensor, scale: float | Tensor) -> Tensor:
        """The values of the own logits, before the scan hands out the own centres with their gradient."""
        angles = self._angles(points, self.own_centres(speakers, points.dtype)).amin(1)
        return scale * self.target_similarity(angles)

    @abstractmethod
    def target_similarity(self, angles: Tensor) -> Tensor:
        """(B,) the own logit over the scale, from the angle to the own centre."""

    @abstractmethod
    def raised_similarity(self, angles: Tensor) -> Tensor:
        """(B, k) the logits of the nearest rivals over the scale, from their angles."""

    def describe_batch(self, angles: Tensor, scale: float | Tensor) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        parts = {"target_angle_rad": angles.detach().mean()}
        return parts | ({"scale": scale.detach()} if isinstance(scale, Tensor) else {})


class AbstractCosineMarginLoss(AbstractAngularLoss):
    """Margins are on the cosines."""

    def target_similarity(self, angles: Tensor) -> Tensor:
        return angles.cos() - self.margin

    def raised_similarity(self, angles: Tensor) -> Tensor:
        return angles.cos() + self.top_k_margin
