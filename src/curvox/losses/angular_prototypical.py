"""AngularPrototypical: softmax over scaled cosines to speakers' means (Chung et al. 2020, arXiv:2003.11982)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace, similarity
from curvox.losses.speaker_means import AbstractSpeakerMeansLoss


class AngularPrototypical(AbstractSpeakerMeansLoss):
    """AngularPrototypical: softmax over scaled cosines to speakers' means (Chung et al. 2020, arXiv:2003.11982).

    Formula:
            c_y = mean of the other recordings of the query's speaker
            c_j = mean of all recordings of speaker j
            -log( exp(w cos(x, c_y)) / sum over all speakers j of exp(w cos(x, c_j)) )
            value = mean over queries

    w > 0 is learnt. Outside the hypersphere minus the distance stands for the cosine. Every recording whose speaker
    has others is a query, left out of its own mean, so that the order of the batch does not matter; published code
    takes one query a speaker. In this form it is the softmax variant of `GE2E`. The published offset b cancels in
    the softmax and is left out.

    Args:
        dim: D, of the embeddings.
        scale: w at the start, above 0; published 10.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.

    Published:
        VoxCeleb2: w = 10 at the start, 2 recordings of up to 400 speakers a batch.

    When:
        The first pair loss to try, with or without a classification loss beside it: nothing to tune, no mining.

    What goes wrong:
        Few speakers a batch make it easy: accuracy in the log reaches 1 and learning stops. w that keeps growing
        says the same: use more speakers.
    """

    def __init__(self, dim: int, *, scale: float = 10.0, space: AbstractSpace | None = None) -> None:
        super().__init__(dim, space=space)
        self.log_scale = nn.Parameter(torch.tensor(math.log(require_positive(scale, "scale"))))

    def terms(self, distances: Tensor, place: Tensor) -> Tensor:
        scale = self.log_scale.to(distances.dtype).exp()
        return nn.functional.cross_entropy(scale * similarity(distances, self.space), place, reduction="none")
