"""AM-Softmax: additive margin on the cosine (Wang et al. 2018, arXiv:1801.05599)."""

from __future__ import annotations

from torch import Tensor

from curvox.geometry import AbstractSpace
from curvox.losses.centres import AbstractAngularLoss


class AMSoftmax(AbstractAngularLoss):
    """Target logit ``s (cos θ - m)``, others ``s cos θ``.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s; published 30.
        margin: m, subtracted from the cosine; published 0.2.
        space: `Hypersphere`, the default, or nothing else.
    """

    def __init__(
        self, dim: int, speakers: int, *, scale: float = 30.0, margin: float = 0.2, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, speakers, scale=scale, margin=margin, space=space)

    def target_logits(self, own: Tensor) -> Tensor:
        return self.scale * (own.cos() - self.margin)

    def rival_logits(self, similarities: Tensor, own: Tensor) -> Tensor:
        return self.scale * similarities
