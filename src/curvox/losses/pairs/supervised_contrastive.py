"""SupervisedContrastive: softmax over the other recordings of the batch (Khosla et al. 2020, arXiv:2004.11362)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace, self_similarity
from curvox.losses.contract import LossOutput
from curvox.losses.pairs.pairs import AbstractPairLoss, mean_of, same_pairs, shares, sum_over_rivals


class SupervisedContrastive(AbstractPairLoss):
    """SupervisedContrastive: softmax over the batch's other recordings (Khosla et al. 2020, arXiv:2004.11362).

    Formula:
            mean over positives p of  -log( exp(cos(a, p) / τ) / sum over all r != a of exp(cos(a, r) / τ) )
            value = mean over anchors a

    Positives are the anchor's other recordings; the mean stands outside the logarithm (the paper's L_out). Outside
    the hypersphere minus the distance stands for the cosine. With two recordings a speaker it is NT-Xent. Recordings
    that are their speaker's only one are in the sums but are no anchors.

    Args:
        dim: D, of the embeddings.
        temperature: τ, above 0; published 0.1.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.

    Published:
        ImageNet with τ = 0.1 and batches of 6,144; NT-Xent (Chen et al. 2020, arXiv:2002.05709) with 0.1 to 0.5.

    When:
        Large batches, also with noisy speaker labels, which it takes better than a classifier does. No mining needed:
        the softmax weighs the hardest recordings most.

    What goes wrong:
        The value never reaches 0: with K recordings a speaker it ends at log(K - 1) or above. A temperature too low
        follows only the very nearest rivals, mislabelled ones too; too high, and speakers overlap.
    """

    def __init__(self, dim: int, *, temperature: float = 0.1, space: AbstractSpace | None = None) -> None:
        super().__init__(dim, space=space)
        self.temperature = require_positive(temperature, "temperature")

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        pairs = same_pairs(speakers)
        points = self.space.project(embeddings)
        similarities, distances = self_similarity(points, pairs.anchors, pairs.positives, self.space)
        logits = (similarities / self.temperature).fill_diagonal_(-math.inf)
        counts = pairs.anchors.bincount(minlength=len(points))
        own = logits[pairs.anchors, pairs.positives] / counts[pairs.anchors]
        means = own.new_zeros(len(points)).index_add(0, pairs.anchors, own)
        anchors = counts.nonzero().flatten()
        terms = (torch.logsumexp(logits, dim=1) - means)[anchors]
        per_item = shares(terms, anchors, items=len(points))
        parts = {
            "anchors": terms.new_tensor(len(anchors)),
            "same_distance": mean_of(distances[pairs.anchors, pairs.positives]),
            "different_distance": sum_over_rivals(distances, pairs) / (len(points) * (len(points) - 1) - counts.sum()),
        }
        return LossOutput(per_item.mean(), per_item, parts)
