"""Softmax: plain cross-entropy over inner products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace, Hypersphere
from curvox.losses.contract import AbstractLoss, LossOutput


class Softmax(AbstractLoss):
    """Cross-entropy of the logits ``<z, w_j> + b_j``.

    It trains on raw embeddings; ``space`` only says how they are compared afterwards, by the cosine unless given.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: multiplies the logits; published variants use 30, and do worse than none.
        space: in which the embeddings are compared; default `Hypersphere`.
    """

    def __init__(
        self, dim: int, speakers: int, *, scale: float | None = None, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, speakers)
        self.scale = 1.0 if scale is None else require_positive(scale, "scale")
        self.space = Hypersphere() if space is None else space
        self.centres = nn.Parameter(torch.empty(speakers, dim))
        self.bias = nn.Parameter(torch.zeros(speakers))
        nn.init.xavier_uniform_(self.centres)

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        dtype = torch.promote_types(torch.promote_types(embeddings.dtype, self.centres.dtype), torch.float32)
        logits = nn.functional.linear(embeddings.to(dtype), self.centres.to(dtype), self.bias.to(dtype)) * self.scale
        per_item = nn.functional.cross_entropy(logits, speakers, reduction="none")
        target = logits.detach().gather(1, speakers[:, None])
        return LossOutput(per_item.mean(), per_item, {"target_logit": target.mean()})
