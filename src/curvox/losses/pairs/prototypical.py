"""Prototypical and AngularPrototypical: every recording is a query against the means of the batch's speakers."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from curvox.errors import require_positive
from curvox.geometry import AbstractSpace, similarity
from curvox.losses.contract import LossOutput
from curvox.losses.pairs.pairs import AbstractPairLoss, mean_of, same_pairs, shares


@dataclass(frozen=True)
class SpeakerMeans:
    """Means of the P speakers of a batch.

    Attributes:
        means: (P, D) of all recordings of each speaker.
        queries: (Q,) rows of the recordings whose speaker has others.
        place: (Q,) which of the P speakers a query is of.
        own: (Q, D) the mean of the other recordings of the query's speaker.
    """

    means: Tensor
    queries: Tensor
    place: Tensor
    own: Tensor


def speaker_means(points: Float[Tensor, "B D"], speakers: Int[Tensor, " B"], space: AbstractSpace) -> SpeakerMeans:
    """Means of points by speaker, with and without each recording; memory B x (most recordings of a speaker) x D."""
    _, place, counts = speakers.unique(return_inverse=True, return_counts=True)
    order = place.argsort(stable=True)
    starts = counts.cumsum(0) - counts
    means = torch.zeros(len(counts), points.shape[1], dtype=points.dtype, device=points.device)
    queries, own = [], []
    for count in counts.unique().tolist():
        chosen = (counts == count).nonzero().flatten()
        rows = order[starts[chosen][:, None] + torch.arange(count, device=points.device)]
        means = means.index_copy(0, chosen, space.mean(points[rows]))
        if count > 1:
            others = _others(count, points.device)
            queries.append(rows.flatten())
            own.append(space.mean(points[rows[:, others].flatten(0, 1)]))
    joined = torch.cat(queries)
    return SpeakerMeans(means, joined, place[joined], torch.cat(own))


def _others(count: int, device: torch.device) -> Int[Tensor, "K K-1"]:
    """Row k holds all of 0..count-1 but k."""
    columns = torch.arange(count - 1, device=device)
    skipped = torch.arange(count, device=device)[:, None]
    return columns + (columns >= skipped)


class AbstractSpeakerMeansLoss(AbstractPairLoss):
    """Each recording against the mean of its speaker's others and against the means of all other speakers.

    The mean is over recordings whose speaker has others in the batch; a speaker with one recording is a rival only.
    """

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        same_pairs(speakers)  # refuses a batch without any
        points = self.space.project(embeddings)
        found = speaker_means(points, speakers, self.space)
        asked = points[found.queries]
        own = self.space.distance(asked, found.own)
        distances = self.space.pairwise_distance(asked, found.means)
        distances = distances.scatter(1, found.place[:, None], own[:, None])
        terms = self.terms(distances, found.place)
        per_item = shares(terms, found.queries, items=len(points))
        return LossOutput(per_item.mean(), per_item, self._parts(distances, found.place))

    @abstractmethod
    def terms(self, distances: Tensor, place: Tensor) -> Tensor:
        """(Q,) losses of queries at distances (Q, P) from the speakers, ``place`` (Q,) their own."""

    def _parts(self, distances: Tensor, place: Tensor) -> dict[str, Tensor]:
        kept = distances.detach()
        own = kept.gather(1, place[:, None])
        rivals = kept.numel() - len(kept)
        return {
            "queries": kept.new_tensor(len(kept)),
            "accuracy": mean_of((kept.argmin(1) == place).to(kept.dtype)),
            "same_distance": own.mean(),
            "different_distance": (kept.sum() - own.sum()) / rivals,
        }


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
