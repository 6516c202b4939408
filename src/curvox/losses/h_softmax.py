"""H-Softmax: softmax over hyperbolic distances (Fang & He 2026, arXiv:2601.19709)."""

from __future__ import annotations

from torch import Tensor

from curvox.geometry import AbstractSpace, PoincareBall, Published
from curvox.losses.centres import AbstractHyperbolicLoss


class HSoftmax(AbstractHyperbolicLoss):
    """Every logit is ``-s d(x, w)``, d the geodesic distance on the Poincaré ball.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s; published 30.
        space: `PoincareBall`; default the published one, ``PoincareBall(lift=Published(curvature=5.0))``.
    """

    def __init__(self, dim: int, speakers: int, *, scale: float = 30.0, space: AbstractSpace | None = None) -> None:
        default = PoincareBall(lift=Published(curvature=5.0)) if space is None else space
        super().__init__(dim, speakers, scale=scale, margin=0.0, space=default)

    def target_logits(self, own: Tensor) -> Tensor:
        return -self.scale * own

    def rival_logits(self, similarities: Tensor, own: Tensor) -> Tensor:
        return self.scale * similarities
