"""Mining: which pairs and triplets of a batch a loss looks at, chosen from the distances of any space.

Every choice depends on the distances and the speakers alone, never on a margin, and is made of indices: no gradient
flows through it. No recording is ever paired with itself. A triplet needs an anchor whose speaker has another
recording in the batch; recordings that are alone serve as negatives.

- ``all``: every triplet (a, p, n), every pair.
- ``semi_hard``: for every (a, p) the nearest negative that is no nearer to a than p is; where there is none, the
  farthest of the negatives (FaceNet: Schroff et al. 2015, arXiv:1503.03832).
- ``hardest``: for every anchor its farthest positive and its nearest negative (Hermans et al. 2017, arXiv:1703.07737).
- ``distance_weighted``: for every (a, p) one negative drawn with a probability that falls with the number of pairs
  at its distance (Wu et al. 2017, arXiv:1706.07567).

The pairs of a mining other than ``all`` are those of its triplets: (a, p) and (a, n) of each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from curvox.errors import InputError, require_name

MININGS = ("all", "semi_hard", "hardest", "distance_weighted")
NEAREST_ANGLE = 2.0 * math.asin(0.25)
"""Angles below this, chords below 0.5, count as this in the distance-weighted draw; as published."""

FARTHEST_DEVIATIONS = 4.0
"""Distances further than this below the mean count as this where the density is fitted to the batch."""

LogDensity = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MinedPairs:
    """Pairs of recordings: ``first`` and ``second`` (P,) are rows of the batch, ``same`` (P,) if of one speaker."""

    first: Tensor
    second: Tensor
    same: Tensor

    @property
    def kept(self) -> int:
        """P, the number of pairs."""
        return len(self.first)


@dataclass(frozen=True)
class MinedTriplets:
    """Triplets: ``anchor``, ``positive`` and ``negative`` (T,) are rows of the batch, in the order of the anchors."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor

    @property
    def kept(self) -> int:
        """T, the number of triplets."""
        return len(self.anchor)

    def pairs(self) -> MinedPairs:
        """The pairs (a, p) and (a, n) of the triplets, each once."""
        rows = 1 + int(max(self.positive.max(), self.negative.max())) if self.kept else 1
        positives = (self.anchor * rows + self.positive).unique()
        negatives = (self.anchor * rows + self.negative).unique()
        codes = torch.cat([positives, negatives])
        same = torch.arange(len(codes), device=codes.device) < len(positives)
        return MinedPairs(codes // rows, codes % rows, same)


def same_speaker(speakers: Int[Tensor, " B"]) -> Bool[Tensor, "B B"]:
    """True where two recordings are of one speaker, also on the diagonal."""
    return speakers[:, None] == speakers[None, :]


def positive_pairs(speakers: Int[Tensor, " B"]) -> tuple[Int[Tensor, " T"], Int[Tensor, " T"]]:
    """Anchors and positives (T,) of every ordered same-speaker pair, in the order of the rows; work O(B log B + T)."""
    # Sorted, the recordings of a speaker stand in one run: each row knows the size and the start of its own run, is
    # repeated as often as the run is long, and meets in its t-th turn the t-th of the run. Itself is taken out last.
    ranked, order = speakers.sort(stable=True)
    rows = torch.arange(len(speakers), device=speakers.device)
    places = torch.empty_like(order).index_copy_(0, order, rows)
    counts = ranked.unique_consecutive(return_counts=True)[1]
    sizes = counts.repeat_interleave(counts)[places]
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)[places]
    anchors = rows.repeat_interleave(sizes)
    turns = torch.arange(len(anchors), device=speakers.device) - (sizes.cumsum(0) - sizes)[anchors]
    positives = order[starts[anchors] + turns]
    others = anchors != positives
    return anchors[others], positives[others]


def rival_distances(
    distances: Float[Tensor, "B B"], anchors: Int[Tensor, " T"], positives: Int[Tensor, " T"], *, instead: float
) -> Float[Tensor, "B B"]:
    """A copy of ``distances`` with ``instead`` for same-speaker pairs and on the diagonal."""
    rivals = distances.clone()
    rivals[anchors, positives] = instead
    return rivals.fill_diagonal_(instead)


def mine_pairs(
    mining: str,
    distances: Float[Tensor, "B B"],
    speakers: Int[Tensor, " B"],
    *,
    log_density: LogDensity | None = None,
    generator: torch.Generator | None = None,
) -> MinedPairs:
    """Pairs of a batch: for ``all`` every unordered pair once, otherwise the pairs of `mine_triplets`."""
    require_name(mining, MININGS, "mining")
    if mining != "all":
        return mine_triplets(mining, distances, speakers, log_density=log_density, generator=generator).pairs()
    first, second = torch.triu_indices(len(speakers), len(speakers), 1, device=speakers.device)
    return MinedPairs(first, second, speakers[first] == speakers[second])


def mine_triplets(
    mining: str,
    distances: Float[Tensor, "B B"],
    speakers: Int[Tensor, " B"],
    *,
    log_density: LogDensity | None = None,
    generator: torch.Generator | None = None,
) -> MinedTriplets:
    """Triplets of a batch.

    Args:
        mining: one of `MININGS`.
        distances: of all recordings, in any space; rows are anchors; the diagonal is not read. For ``semi_hard`` and
            ``hardest`` anything that grows with the distance will do.
        speakers: whole numbers.
        log_density: for ``distance_weighted``, log q(d) of pairs at a distance, such as `angle_log_density`; without
            one a normal density is fitted to the different-speaker distances of the batch.
        generator: of the draws; default torch's own.

    Returns:
        No triplet at all where no speaker has two recordings, or there is only one speaker.
    """
    require_name(mining, MININGS, "mining")
    with torch.no_grad():
        anchors, positives = positive_pairs(speakers)
        if len(anchors) == len(speakers) * (len(speakers) - 1):  # one speaker only
            return MinedTriplets(anchors[:0], anchors[:0], anchors[:0])
        if mining == "all":
            return _all(speakers, anchors, positives)
        if mining == "hardest":
            return _hardest(distances, anchors, positives)
        if mining == "semi_hard":
            return _semi_hard(distances, anchors, positives)
        return _distance_weighted(distances, anchors, positives, log_density, generator)


def _all(speakers: Tensor, anchors: Tensor, positives: Tensor) -> MinedTriplets:
    row, negatives = (speakers[anchors][:, None] != speakers).nonzero().unbind(1)
    return MinedTriplets(anchors[row], positives[row], negatives)


def _hardest(distances: Tensor, anchors: Tensor, positives: Tensor) -> MinedTriplets:
    own = distances[anchors, positives]
    farthest = own.new_full((len(distances),), -math.inf).scatter_reduce(0, anchors, own, "amax")
    hits = own == farthest[anchors]
    chosen = torch.zeros(len(distances), dtype=torch.long, device=anchors.device)
    chosen[anchors[hits]] = positives[hits]  # any one of those equally far
    nearest = rival_distances(distances, anchors, positives, instead=math.inf).argmin(1)
    kept = (farthest > -math.inf).nonzero().flatten()
    return MinedTriplets(kept, chosen[kept], nearest[kept])


def _semi_hard(distances: Tensor, anchors: Tensor, positives: Tensor) -> MinedTriplets:
    farthest = rival_distances(distances, anchors, positives, instead=-math.inf).argmax(1)
    rivals = rival_distances(distances, anchors, positives, instead=math.inf)
    own = distances[anchors, positives]
    negatives = torch.empty_like(anchors)
    block = torch.empty_like(rivals)
    for rows in torch.arange(len(anchors), device=anchors.device).split(len(rivals)):
        gaps = torch.index_select(rivals, 0, anchors[rows], out=block[: len(rows)]).sub_(own[rows, None])
        nearest = gaps.reciprocal_().max(1)  # the smallest gap of at least 0, if there is one
        negatives[rows] = torch.where(nearest.values > 0, nearest.indices, farthest[anchors[rows]])
    return MinedTriplets(anchors, positives, negatives)


def _distance_weighted(
    distances: Tensor,
    anchors: Tensor,
    positives: Tensor,
    log_density: LogDensity | None,
    generator: torch.Generator | None,
) -> MinedTriplets:
    if log_density is None:
        rivals = rival_distances(distances, anchors, positives, instead=math.nan).flatten()
        log_density = fitted_log_density(rivals[rivals == rivals])
    # A negative at the distance d is drawn with a probability that goes as 1 / q(d): pairs at a common distance are
    # many and would otherwise be all that is seen. The largest weight of each row is 1, so that none overflows; the
    # caps of the densities keep a few outliers from taking every draw.
    log_weights = rival_distances(-log_density(distances), anchors, positives, instead=-math.inf)
    weights = (log_weights - log_weights.amax(1, keepdim=True)).exp()
    counts = anchors.bincount(minlength=len(distances))
    # One draw of as many as the busiest anchor has positives; the t-th positive of an anchor takes the t-th of its row.
    draws = torch.multinomial(weights, max(int(counts.max()), 1), replacement=True, generator=generator)
    turns = torch.arange(len(anchors), device=anchors.device) - (counts.cumsum(0) - counts)[anchors]
    return MinedTriplets(anchors, positives, draws[anchors, turns])


def angle_log_density(dim: int) -> LogDensity:
    """log q of the angle between two uniform directions of ``dim`` coordinates, ``(D - 2) log sin θ`` and a constant.

    Angles below `NEAREST_ANGLE` count as it, so that the draw is not all noise, and angles past π/2 as π/2, so that
    the far half is not drawn for being rare.
    """
    if dim < 2:
        raise InputError(f"a density of angles needs at least 2 dimensions, got {dim}")
    return lambda angles: (dim - 2) * angles.clamp(NEAREST_ANGLE, math.pi / 2).sin().log()


def fitted_log_density(distances: Float[Tensor, " P"]) -> LogDensity:
    """log of the normal density with mean and deviation of ``distances``, and a constant, held as `angle_log_density`.

    For spaces where pairs at a distance have no known density; in many dimensions distances concentrate, and that of
    the sphere is nearly normal as well.
    """
    mean = distances.mean()
    deviation = distances.std(correction=0).clamp_min(torch.finfo(distances.dtype).tiny)

    def log_density(wanted: Tensor) -> Tensor:
        return -0.5 * ((wanted - mean) / deviation).clamp(-FARTHEST_DEVIATIONS, 0.0).square()

    return log_density
