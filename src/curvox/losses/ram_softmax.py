"""RAM-Softmax: real additive margin softmax (Li et al. 2022, arXiv:2110.09116)."""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.geometry import AbstractSpace
from curvox.losses.centres import AbstractAngularLoss


class RAMSoftmax(AbstractAngularLoss):
    """``log(1 + Σ_{j≠y} exp(max(0, s (cos θ_j - cos θ_y + m))))``: rivals beyond the margin stop pushing.

    Each of them still adds a constant 1, so that a solved batch has the loss ``log N``, with zero gradient.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s; published 30.
        margin: m, on the cosine; published 0.2.
        space: `Hypersphere`, the default, or nothing else.
    """

    def __init__(
        self, dim: int, speakers: int, *, scale: float = 30.0, margin: float = 0.2, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, speakers, scale=scale, margin=margin, space=space)

    def target_logits(self, own: Tensor) -> Tensor:
        return torch.zeros_like(own)

    def rival_logits(self, similarities: Tensor, own: Tensor) -> Tensor:
        return torch.relu(self.scale * (similarities - (own.cos() - self.margin)[:, None]))
