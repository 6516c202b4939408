"""AAM-Softmax (ArcFace): additive margin on the angle (Deng et al. 2019, arXiv:1801.07698)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses.centres import AbstractAngularLoss


class AAMSoftmax(AbstractAngularLoss):
    """Target logit ``s cos(θ + m)``, others ``s cos θ``.

    Past θ + m = π the target goes on as ``s (cos θ - 1 + cos m)``, which joins there and keeps falling. The angle
    itself is computed, not the sine of an arc cosine, so that the gradient is bounded at perfect alignment.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s; published 30 to 32.
        margin: m in radians, below π; published 0.2.
        space: `Hypersphere`, the default, or nothing else.
    """

    def __init__(
        self, dim: int, speakers: int, *, scale: float = 30.0, margin: float = 0.2, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, speakers, scale=scale, margin=margin, space=space)
        if self.full_margin >= math.pi:
            raise InputError(f"margin is an angle in radians and must stay below π, got {margin:g}")
        self.margin_scale_limit = math.pi / self.full_margin if self.full_margin > 0 else math.inf

    def target_logits(self, own: Tensor) -> Tensor:
        moved = own + self.margin
        beyond = own.cos() - (1.0 - math.cos(self.margin))
        return self.scale * torch.where(moved <= math.pi, moved.cos(), beyond)

    def rival_logits(self, similarities: Tensor, own: Tensor) -> Tensor:
        return self.scale * similarities
