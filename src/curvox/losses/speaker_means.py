"""Losses of recordings against the means of speakers: every recording is a query against the means of the batch."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from curvox.geometry import AbstractSpace
from curvox.losses.contract import LossOutput
from curvox.losses.pair_distances import same_pairs
from curvox.losses.pair_terms import mean_of, shares
from curvox.losses.pairs import AbstractPairLoss


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
