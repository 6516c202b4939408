"""Embedded recordings: how far pairs lie apart, who is who, how the labels fit what is near, what a ball makes of them.

`EmbeddingPairs` has the points of a set in float64 and the distances of all pairs, `PointsInBall` those of a Poincaré
ball; what is measured of them is one call each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from curvox.diagnosis.observation import EmbeddedSet
from curvox.diagnosis.probes.embeddings import (
    distance_variation,
    effective_rank,
    gaussian_rank,
    intrinsic_dimension,
    neighbour_counts,
    relative_spread,
    skewness,
    variance_shares,
)
from curvox.geometry import Euclidean, PoincareBall, Published, pairwise_euclidean_distance, rim_gap

FEWEST_RECORDINGS = 8
"""Of fewer, neither a rank nor a spread says anything."""

MOST_RECORDINGS = 1500
"""Looked at where there are more: all pairs of them take a second."""

MOST_FOR_SPLIT = 24
"""Recordings of a label that are looked at for two groups; more are thinned."""

FEWEST_PAIRS_FOR_SPLIT = 6
"""Pairs of one session, below which a label says nothing about sessions."""


@dataclass(frozen=True)
class Hubs:
    """Recordings that are everybody's neighbours.

    Attributes:
        skewness: of how often a recording is a neighbour.
        reach: share of all recordings that have the largest hub among their nearest.
        largest: rows of the three largest.
    """

    skewness: float
    reach: float
    largest: tuple[int, ...]


@dataclass(frozen=True)
class SplitLabel:
    """How one label falls into two groups.

    Attributes:
        label: its number.
        far_share: of its pairs of one session, those that look like pairs of two speakers; NaN where there are few.
        score: how much farther apart the groups are than within themselves, 1 for different speakers.
        distance: of the groups over that of different speakers.
        several_sessions: its recordings are of more than one.
        kept_share: of its pairs of one session, those that are in one group; NaN where there are few.
    """

    label: int
    far_share: float
    score: float
    distance: float
    several_sessions: bool
    kept_share: float


@dataclass(frozen=True)
class MixedLabels:
    """Two labels whose recordings lie among each other.

    Attributes:
        labels: their numbers.
        share: of their recordings, those whose nearest recording of any other label is of the other of the two.
        ratio: nearest distance to the other label over that to the own one, the median of all their recordings.
    """

    labels: tuple[int, int]
    share: float
    ratio: float


@dataclass(frozen=True)
class EmbeddingPairs:
    """Embeddings and the distances between them.

    Attributes:
        items: the recordings, a random sample where there were too many.
        points: (N, D) float64, in the space.
        distances: (N, N) float64, 0 on the diagonal.
        same, different: (N, N) whether two different recordings are of one speaker, or of two.
    """

    items: EmbeddedSet
    points: Tensor
    distances: Tensor
    same: Tensor
    different: Tensor

    @cached_property
    def speakers(self) -> int:
        """How many there are."""
        return len(self.items.speakers.unique())

    @cached_property
    def one_session(self) -> Tensor:
        """(N, N) same-speaker pairs of one session; all of them where sessions are not known."""
        sessions = self.items.sessions
        return self.same if sessions is None else self.same & (sessions[:, None] == sessions[None, :])

    @cached_property
    def _flat(self) -> Tensor:
        """(N, N) straight distances: far out in a ball the distance is a logarithm, which makes all of them alike."""
        return pairwise_euclidean_distance(self.points, self.points).fill_diagonal_(0.0)

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

    def spread(self) -> float:
        """Relative spread of the points, or of the raw embeddings where that is smaller.

        Zero vectors have no direction: on the sphere they are a right angle apart, and one embedding all the same.
        """
        raw = self.items.raw.double()
        of_points = relative_spread(self.items.space, self.points, self.once(self.same | self.different))
        flat = pairwise_euclidean_distance(raw, raw)[torch.ones(len(raw), len(raw), dtype=torch.bool).triu(1)]
        return min(of_points, relative_spread(Euclidean(), raw, flat))

    def effective_rank(self) -> float:
        """Effective rank of the points."""
        return effective_rank(self.points)

    def usual_rank(self) -> float:
        """That of as many random vectors as there are speakers, or recordings."""
        return gaussian_rank(min(len(self.points), self.speakers), self.points.shape[1])

    def directions_used(self, least: float) -> int:
        """How many principal axes of the raw embeddings are longer than ``least`` of the longest; a narrow layer leaves
        as many as it is wide."""
        lengths = variance_shares(self.items.raw).sqrt()
        return int((lengths > least * lengths[0]).sum())

    def flat_variation(self) -> float:
        """Standard deviation of the straight distances of different speakers over their mean."""
        return distance_variation(self._flat[self.different.triu(1)])

    def flat_dimension(self) -> float:
        """Intrinsic dimension by straight distances."""
        return intrinsic_dimension(self._flat)

    def hubs(self, neighbours: int) -> Hubs:
        """The recordings that are most often among the ``neighbours`` nearest of others."""
        counts = neighbour_counts(self.distances, neighbours=neighbours)
        largest = tuple(counts.topk(3).indices.tolist())
        return Hubs(skewness(counts), counts.max().item() / len(counts), largest)

    def seen_separation(self) -> float:
        """How often the pairs of one session of a speaker are closer than different speakers, for the median speaker.

        The median, because it is wrong labels that are looked for; NaN without such a pair.
        """
        once = self.one_session.triu(1)
        if not once.any() or not self.different.any():
            return float("nan")
        rates = shares_above(self.distances[once], self.once(self.different))
        first = torch.nonzero(once)[:, 0]
        _, number, counts = self.items.speakers[first].unique(return_inverse=True, return_counts=True)
        sums = torch.zeros(len(counts), dtype=rates.dtype).index_add_(0, number, rates)
        return (sums / counts).median().item()

    def splits(self, fewest: int) -> list[SplitLabel]:
        """How each label with at least ``fewest`` recordings falls into two groups."""
        near, far = self.once(self.one_session).median().item(), self.once(self.different).median().item()
        labels, counts = self.items.speakers.unique(return_counts=True)
        return [self._split(label, near, far) for label in labels[counts >= fewest].tolist()]

    def _split(self, label: int, near: float, far: float) -> SplitLabel:
        rows = torch.nonzero(self.items.speakers == label)[:, 0]
        rows = rows[:: -(-len(rows) // MOST_FOR_SPLIT)]
        distances = self.distances[rows][:, rows]
        once = torch.ones_like(distances, dtype=torch.bool).triu(1)
        session = self.one_session[rows][:, rows] & once
        inside = distances[session]
        enough = len(inside) >= FEWEST_PAIRS_FOR_SPLIT
        group = _two_groups(distances)
        together = group[:, None] == group[None, :]
        between, within = distances[~together].mean().item(), distances[together & once].mean().item()
        return SplitLabel(
            label,
            far_share=(inside > (near + far) / 2.0).double().mean().item() if enough else float("nan"),
            score=(between - within) / (far - near) if far > near else 0.0,
            distance=between / far if far > 0 else 0.0,
            several_sessions=len(inside) < int(once.sum()),
            kept_share=together[session].double().mean().item() if enough else float("nan"),
        )

    def mixed_labels(self, fewest: int, least_share: float) -> tuple[int, list[MixedLabels]]:
        """How many labels have at least ``fewest`` recordings, and the pairs of them that lie among each other."""
        labels, numbers, counts = self.items.speakers.unique(return_inverse=True, return_counts=True)
        judged = counts >= fewest
        _, place = torch.where(self.different, self.distances, torch.inf).min(1)
        chosen = torch.zeros(len(labels), len(labels), dtype=torch.float64)
        chosen.index_put_((numbers, numbers[place]), torch.ones(len(numbers), dtype=torch.float64), accumulate=True)
        share = chosen / counts[:, None]
        both = ((share + share.T) / 2.0).triu(1)
        both[~judged] = 0.0
        both[:, ~judged] = 0.0
        found = [
            MixedLabels((int(labels[a]), int(labels[b])), both[a, b].item(), self._mixing_ratio(numbers, a, b))
            for a, b in torch.nonzero(both >= least_share).tolist()
        ]
        return int(judged.sum()), found

    def _mixing_ratio(self, numbers: Tensor, a: int, b: int) -> float:
        first, second = torch.nonzero(numbers == a)[:, 0], torch.nonzero(numbers == b)[:, 0]
        across = self.distances[first][:, second]
        own = [self.distances[rows][:, rows].fill_diagonal_(torch.inf).amin(1) for rows in (first, second)]
        other = torch.cat((across.amin(1), across.amin(0)))
        return (other / torch.cat(own).clamp_min(torch.finfo(other.dtype).tiny)).median().item()


def _two_groups(distances: Tensor) -> Tensor:
    """(n,) which of two groups of at least two each is in: those around the two medoids that cost the least."""
    count = len(distances)
    first, second = torch.triu_indices(count, count, 1)
    cost = torch.minimum(distances[:, first], distances[:, second]).sum(0)
    member = distances[:, second] < distances[:, first]
    size = member.sum(0)
    cost = torch.where((size >= 2) & (size <= count - 2), cost, torch.inf)
    return member[:, int(cost.argmin())]


def ranks_among(values: Tensor, others: Tensor) -> Tensor:
    """Return for each of ``values`` (P,) twice how many of ``others`` (Q,) are below it, ties half."""
    ranked = others.sort().values
    return (torch.searchsorted(ranked, values) + torch.searchsorted(ranked, values, right=True)).double()


def shares_above(lower: Tensor, higher: Tensor) -> Tensor:
    """Return for each number of ``lower`` (P,) the share of ``higher`` (Q,) that is above it, ties half."""
    return 1.0 - ranks_among(lower, higher) / (2 * len(higher))


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
    """Measure the pairs of embeddings for which `why_unusable` has nothing to say; of very large sets a part."""
    sample = _sample(items)
    points = sample.space.project(sample.raw.double())
    distances = sample.space.pairwise_distance(points, points)
    distances = (distances + distances.T).div_(2.0).fill_diagonal_(0.0)
    alike = sample.speakers[:, None] == sample.speakers[None, :]
    itself = torch.eye(len(points), dtype=torch.bool)
    return EmbeddingPairs(sample, points, distances, alike & ~itself, ~alike)


def _sample(items: EmbeddedSet) -> EmbeddedSet:
    """At most `MOST_RECORDINGS`, by whole speakers, so that those who are left keep all their recordings."""
    if len(items.raw) <= MOST_RECORDINGS:
        return items
    speakers, counts = items.speakers.unique(return_counts=True)
    order = torch.randperm(len(speakers), generator=torch.Generator().manual_seed(0))
    held = counts[order].cumsum(0) <= MOST_RECORDINGS
    rows = torch.nonzero(torch.isin(items.speakers, speakers[order][held]))[:, 0]
    if int(held.sum()) < 2:  # a speaker or two with more recordings than all that may be looked at
        chance = torch.Generator().manual_seed(0)
        rows = torch.randperm(len(items.raw), generator=chance)[:MOST_RECORDINGS].sort().values
    return replace(
        items,
        raw=items.raw[rows],
        speakers=items.speakers[rows],
        sessions=None if items.sessions is None else items.sessions[rows],
        channels=None if items.channels is None else items.channels[rows],
        names=tuple(items.names[row] for row in rows.tolist()) if items.names else (),
    )


@dataclass(frozen=True)
class PointsInBall:
    """The pairs of embeddings whose space is ``space``."""

    space: PoincareBall
    pairs: EmbeddingPairs

    def depth(self) -> float:
        """Median distance of the points from the origin."""
        points = self.pairs.points
        return self.space.distance(points, torch.zeros_like(points)).median().item()

    def rim_gap(self) -> float:
        """1 - c|x|² of the median point."""
        return rim_gap(self.pairs.points, c=self.space.c_value).median().item()

    def float32_error(self) -> tuple[float, float]:
        """The 95 % quantile of the error of float32 distances, and the standard deviation of the distances."""
        points = self.space.project(self.pairs.items.raw.float())
        rough = self.space.pairwise_distance(points, points).double()
        whole = self.pairs.same | self.pairs.different
        exact = self.pairs.once(whole)
        errors = (rough[whole.triu(1)] - exact).abs()
        # A million of them: `torch.quantile` takes no more than 16.
        errors = errors[:: max(1, len(errors) // 1_000_000)]
        return torch.quantile(errors, 0.95).item(), exact.std(correction=0).item()

    def length_over_reach(self) -> float:
        """Median length of the raw embeddings over the largest radius that the lift can give."""
        length = torch.linalg.vector_norm(self.pairs.items.raw.double(), dim=1).median().item()
        return length / self.space.reach

    def share_of_dead_lengths(self, slope: float) -> float:
        """Share of the embeddings whose distance from the origin follows their length by less than ``slope``."""
        return (self._radius_slopes() < slope).double().mean().item()

    def _radius_slopes(self) -> Tensor:
        """(N,) how the distance from the origin follows the raw length: d log distance / d log length."""
        raw, c = self.pairs.items.raw, self.space.c_value
        lengths = torch.linalg.vector_norm(raw.double(), dim=1).clamp_min(1e-12)
        with torch.enable_grad():
            logs = lengths.log().requires_grad_()
            squares = (2.0 * logs).exp()
            radii = logs.exp() * self.space.lift.factor(squares, dim=raw.shape[1], c=c)
            (slopes,) = torch.autograd.grad(radii.sum(), logs)
        radii = radii.detach()
        gaps = self.space.lift.rim_gap(squares.detach(), dim=raw.shape[1], c=c).detach()
        depth = 2.0 / c**0.5 * torch.atanh((c**0.5 * radii).clamp_max(1.0 - 1e-12))
        return 2.0 * slopes / gaps / depth.clamp_min(1e-300)

    def curvature_effect(self) -> float:
        """By how much hyperbolic over flat distance varies within the radius that the points reach.

        Around a point that ratio is ``2 / (1 - c |x|²)`` for short distances; for the longest, to the opposite point,
        it is ``2 artanh(r) / r`` with ``r = sqrt(c) |x|``. Pairs of a batch would tell less: early in a training all
        are short.
        """
        points, c = self.pairs.points, self.space.c_value
        local = 2.0 / rim_gap(points, c=c)
        radii = (c**0.5 * torch.linalg.vector_norm(points, dim=1)).clamp(1e-9, 1.0 - 1e-12)
        ratios = torch.cat((local, 2.0 * torch.atanh(radii) / radii))
        low, high = torch.quantile(ratios, torch.tensor([0.05, 0.95], dtype=ratios.dtype)).tolist()
        return 1.0 - low / high

    def published_curvature(self) -> float:
        """The curvature by which a lift as published clips; 1 for other lifts."""
        lift = self.space.lift
        return lift.curvature if isinstance(lift, Published) else 1.0
