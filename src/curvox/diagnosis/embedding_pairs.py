"""A set of embeddings made ready for the checks: its points in float64, the distances of all pairs, who is who."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from curvox.diagnosis.observation import EmbeddedSet
from curvox.diagnosis.thresholds_embeddings import FEWEST_RECORDINGS, MOST_RECORDINGS


@dataclass(frozen=True)
class EmbeddingPairs:
    """Embeddings and the distances between them.

    Attributes:
        items: the recordings, a random sample where there were too many.
        points: (N, D) float64, in the space.
        distances: (N, N) float64, 0 on the diagonal.
        same: (N, N) whether two different recordings are of one speaker.
        different: (N, N) whether they are of two.
    """

    items: EmbeddedSet
    points: Tensor
    distances: Tensor
    same: Tensor
    different: Tensor

    def once(self, mask: Tensor) -> Tensor:
        """The distances (P,) of the pairs that ``mask`` (N, N), symmetric, is true for, each once."""
        return self.distances[mask.triu(1)]

    def separation(self, near: Tensor | None = None, far: Tensor | None = None) -> float:
        """How often a pair of ``near`` is closer than one of ``far``; 0.5 is chance, NaN where there is no such pair.

        By default, same-speaker pairs against pairs of two speakers.
        """
        nearer = self.once(self.same if near is None else near)
        farther = self.once(self.different if far is None else far)
        return how_often_smaller(nearer, farther)


def shares_above(lower: Tensor, higher: Tensor) -> Tensor:
    """Return for each number of ``lower`` (P,) the share of ``higher`` (Q,) that is above it, ties half."""
    ranked = higher.sort().values
    below = torch.searchsorted(ranked, lower) + torch.searchsorted(ranked, lower, right=True)
    return 1.0 - below.double() / (2 * len(ranked))


def how_often_smaller(lower: Tensor, higher: Tensor) -> float:
    """Return how often a number of ``lower`` (P,) is below one of ``higher`` (Q,), ties half; NaN if one is empty."""
    return shares_above(lower, higher).mean().item() if len(lower) and len(higher) else float("nan")


def why_unusable(items: EmbeddedSet) -> str:
    """Say why the embeddings cannot be judged; "" where they can."""
    if len(items.raw) < FEWEST_RECORDINGS:
        return f"needs at least {FEWEST_RECORDINGS} recordings, got {len(items.raw)}"
    if not torch.isfinite(items.raw).all():
        return "embeddings are not finite"
    speakers = len(items.speakers.unique())
    return "" if speakers > 1 else f"needs recordings of at least 2 speakers, got {speakers}"


@torch.no_grad()
def pairs_of(items: EmbeddedSet) -> EmbeddingPairs:
    """Measure the pairs of embeddings for which `why_unusable` has nothing to say."""
    sample = _sample(items)
    points = sample.space.project(sample.raw.double())
    distances = sample.space.pairwise_distance(points, points)
    distances = (distances + distances.T).div_(2.0).fill_diagonal_(0.0)
    alike = sample.speakers[:, None] == sample.speakers[None, :]
    himself = torch.eye(len(points), dtype=torch.bool)
    return EmbeddingPairs(sample, points, distances, alike & ~himself, ~alike)


def _sample(items: EmbeddedSet) -> EmbeddedSet:
    """At most `MOST_RECORDINGS`, by whole speakers, so that those who are left keep all their recordings."""
    if len(items.raw) <= MOST_RECORDINGS:
        return items
    speakers, counts = items.speakers.unique(return_counts=True)
    order = torch.randperm(len(speakers), generator=torch.Generator().manual_seed(0))
    held = counts[order].cumsum(0) <= MOST_RECORDINGS
    chosen = torch.isin(items.speakers, speakers[order][held])
    kept = torch.nonzero(chosen)[:, 0]
    if int(held.sum()) < 2:  # a speaker or two with more recordings than all that may be looked at
        kept = (
            torch.randperm(len(items.raw), generator=torch.Generator().manual_seed(0))[:MOST_RECORDINGS].sort().values
        )
    return _rows(items, kept)


def _rows(items: EmbeddedSet, rows: Tensor) -> EmbeddedSet:
    return replace(
        items,
        raw=items.raw[rows],
        speakers=items.speakers[rows],
        sessions=None if items.sessions is None else items.sessions[rows],
        channels=None if items.channels is None else items.channels[rows],
        names=tuple(items.names[row] for row in rows.tolist()) if items.names else (),
    )
