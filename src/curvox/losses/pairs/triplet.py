"""Triplet: the positive closer to the anchor than the negative, by a margin (Schroff et al. 2015, arXiv:1503.03832)."""

from __future__ import annotations

import math

from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace, distance_of_rows, self_distance
from curvox.losses.contract import LossOutput
from curvox.losses.pairs.mining import MININGS, mine_triplets, rival_distances
from curvox.losses.pairs.pairs import (
    AbstractPairLoss,
    SamePairs,
    checked_space,
    mean_of,
    mining_density,
    mining_distances,
    require_margin,
    same_pairs,
    shares,
    sum_over_rivals,
    sums_over_triplets,
    triplet_hinge,
)


def triplet_losses(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float = 0.3, space: AbstractSpace | None = None
) -> Tensor:
    """``max(0, d(a, p) - d(a, n) + margin)`` of each triplet.

    Args:
        anchor: (T, D) raw embeddings.
        positive: (T, D) raw embeddings of the anchor's speaker.
        negative: (T, D) raw embeddings of another speaker.
        margin: in distances of the space, at least 0 and below its largest.
        space: where distances are measured; default `Hypersphere`, in radians.

    Returns:
        (T,) losses, at least 0.

    Raises:
        InputError: wrong shapes or types, a margin outside its meaning.
    """
    space = checked_space(space)
    margin = require_margin(margin, "margin", space)
    for name, points in (("anchor", anchor), ("positive", positive), ("negative", negative)):
        if not isinstance(points, Tensor) or not points.is_floating_point() or points.ndim != 2:
            raise InputError(f"{name} must be a floating-point tensor (T, D), got {points!r:.60}")
        if points.shape != anchor.shape:
            raise InputError(f"{name} must have the anchor's shape {tuple(anchor.shape)}, got {tuple(points.shape)}")
    a, p, n = (space.project(points) for points in (anchor, positive, negative))
    return triplet_hinge(space.distance(a, p), space.distance(a, n), margin=margin)


class Triplet(AbstractPairLoss):
    """Triplet: the positive closer than the negative by a margin (Schroff et al. 2015, arXiv:1503.03832).

    Formula:
            max(0, d(a, p) - d(a, n) + m)
            value = mean over the triplets kept

    a and p are recordings of one speaker, n of another; d is the distance of the space, in radians on the hypersphere.
    A triplet's term belongs to its anchor. A collapsed batch gives exactly m, whatever the mining.

    Args:
        dim: D, of the embeddings.
        margin: m, in distances of the space, at least 0 and below its largest; published 0.2 on squared chords.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.
        mining: "all": the mean is over every triplet, those at rest too. "semi_hard": for every (a, p) the nearest
            negative no nearer than p, or the farthest negative where there is none. "hardest": for every a its
            farthest positive and nearest negative. "distance_weighted": for every (a, p) one negative, drawn.

    Published:
        FaceNet with m = 0.2, semi-hard; batch-hard with a soft margin (Hermans et al. 2017, arXiv:1703.07737).

    When:
        Ranking is what counts, not an absolute threshold. Semi-hard first; "hardest" once distances mean something.

    What goes wrong:
        "hardest" from scratch can collapse all embeddings to one point: the value stays at m, same_distance and
        different_distance go to 0 together; start with "semi_hard". With "all" the share of active triplets falls to
        a few percent and learning stalls. The value is not comparable between minings.
    """

    def __init__(
        self, dim: int, *, margin: float = 0.3, space: AbstractSpace | None = None, mining: str = "semi_hard"
    ) -> None:
        super().__init__(dim, space=space)
        self.full_margin = require_margin(margin, "margin", self.space)
        self.mining = mining
        require_name(mining, MININGS, "mining")
        if self.full_margin > 0:
            self.margin_scale_limit = float(self.space.max_distance) / self.full_margin

    @property
    def margin(self) -> float:
        """The margin in force: the full one times the margin scale."""
        return self.full_margin * self.margin_scale

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        pairs = same_pairs(speakers)
        points = self.space.project(embeddings)
        if self.mining == "all":
            return self._over_all(points, pairs)
        distances = mining_distances(self.mining, points, pairs, self.space)
        density = mining_density(self.space, self.dim)
        mined = mine_triplets(self.mining, distances, speakers, log_density=density)
        close = distance_of_rows(points, mined.anchor, mined.positive, self.space)
        apart = distance_of_rows(points, mined.anchor, mined.negative, self.space)
        terms = triplet_hinge(close, apart, margin=self.margin)
        per_item = shares(terms, mined.anchor, items=len(points))
        active = terms.detach().count_nonzero() / mined.kept
        return LossOutput(per_item.mean(), per_item, _parts(mined.kept, active, mean_of(close), mean_of(apart)))

    def _over_all(self, points: Tensor, pairs: SamePairs) -> LossOutput:
        items = len(points)
        own = distance_of_rows(points, pairs.anchors, pairs.positives, self.space)
        distances = self_distance(points, self.space)
        rivals = rival_distances(distances, pairs.anchors, pairs.positives, instead=math.inf)
        positives = pairs.anchors.bincount(minlength=items)
        negatives = items - 1 - positives
        kept = int((positives * negatives).sum())
        sums, active = sums_over_triplets(own + self.margin, rivals, pairs.anchors)
        per_item = sums * (items / kept)
        apart = sum_over_rivals(distances, pairs) / negatives.sum()
        return LossOutput(per_item.mean(), per_item, _parts(kept, active / kept, mean_of(own), apart))


def _parts(kept: int, active: Tensor, close: Tensor, apart: Tensor) -> dict[str, Tensor]:
    return {
        "triplets": close.new_tensor(kept),
        "active": active,
        "same_distance": close,
        "different_distance": apart,
    }
