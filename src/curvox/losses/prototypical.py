"""Prototypical: softmax over squared distances to the speakers' means (Snell et al. 2017, arXiv:1703.05175)."""

from __future__ import annotations

from torch import Tensor, nn

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace
from curvox.losses.speaker_means import AbstractSpeakerMeansLoss


class Prototypical(AbstractSpeakerMeansLoss):
    """Prototypical: softmax over squared distances to the speakers' means (Snell et al. 2017, arXiv:1703.05175).

    Formula:
            c_y = mean of the other recordings of the query's speaker
            c_j = mean of all recordings of speaker j
            -log( exp(-s d(x, c_y)^2) / sum over all speakers j of exp(-s d(x, c_j)^2) )
            value = mean over queries

    Every recording whose speaker has others is a query, left out of its own mean, so that the order of the batch
    does not matter; published code takes one query a speaker. Means and distances are those of the space.

    Args:
        dim: D, of the embeddings.
        scale: s, above 0; published 1, in Euclidean space. Squared angles are small and need more.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.

    Published:
        VoxCeleb (Chung et al. 2020, arXiv:2003.11982): Euclidean, s = 1, hundreds of speakers x 2 recordings.

    When:
        Batches of many speakers x few recordings; enrolment by the mean of several recordings, which it trains for.

    What goes wrong:
        Few speakers a batch make it easy: accuracy in the log reaches 1 and learning stops; use more speakers.
        In Euclidean space of many dimensions squared distances start large and gradients with them: lower the scale.
    """

    def __init__(self, dim: int, *, scale: float = 10.0, space: AbstractSpace | None = None) -> None:
        super().__init__(dim, space=space)
        self.scale = require_positive(scale, "scale")

    def terms(self, distances: Tensor, place: Tensor) -> Tensor:
        return nn.functional.cross_entropy(-self.scale * distances.square(), place, reduction="none")
