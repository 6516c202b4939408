"""Softmax: plain cross-entropy over inner products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace, Hypersphere
from curvox.losses.centres.centres import AbstractCentreLoss, cross_entropy
from curvox.losses.contract import LossOutput
from curvox.losses.scan.class_shards import Picks
from curvox.losses.scan.rules import Exponents


class Softmax(AbstractCentreLoss):
    """Softmax: plain cross-entropy over inner products.

    Formula:
            every logit = s (⟨z, w_j⟩ + b_j)
            loss = −log( exp(logit_y) / Σ_j exp(logit_j) )

    z is the raw embedding, w_j and b_j are the learnt centre and bias of speaker j, y is the own speaker.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; default none, that is 1; published none (with 30 it does worse).
        space: where embeddings are compared afterwards; the training does not see it. Default `Hypersphere`, as
            published.

    Published:
        none of its own: no scale. With s = 30, as the margin losses have it, it does worse.

    When:
        As the base line that every margin must beat.

    What goes wrong:
        It is trained on inner products and used by cosine: a long embedding gets a low loss without a better
        direction, and nothing asks for a gap between speakers. Good training accuracy with a poor EER is its usual
        sign; take `am_softmax`.
    """

    by_class = ("centres", "bias")

    def __init__(
        self, dim: int, speakers: int, *, scale: float | None = None, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, speakers, margin=0.0)
        self.scale = 1.0 if scale is None else require_positive(scale, "scale")
        self.space = Hypersphere() if space is None else space
        self.bias = nn.Parameter(torch.zeros(speakers))
        nn.init.xavier_uniform_(self.centres)

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        raw = embeddings.to(self.precision(embeddings))
        bias = self.shard.rows(self.bias).to(raw.dtype)
        left = self.scale * torch.cat([raw, raw.new_ones(len(raw), 1)], 1)

        def columns(squares: Tensor) -> Tensor:
            return torch.stack([torch.ones_like(squares), bias], 1)

        found = self.scan(Exponents(), columns, left, speakers, class_rows=(bias,))
        own_bias = Picks.of_speakers(speakers - self.shard.first, len(bias)).rows(bias, self.shard)
        target = self.scale * ((raw * found.own[:, 0]).sum(1) + own_bias[:, 0])
        per_item = cross_entropy(target, found.result)
        return LossOutput(per_item.mean(), per_item, {"target_logit": target.detach().mean()})
