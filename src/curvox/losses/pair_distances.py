"""Distances within a batch.

Those of different speakers come from one matrix product, (B, B); those of same-speaker pairs, few and often close, by
direct difference, because the expansion behind the matrix product cancels there.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from curvox.geometry import AbstractSpace, self_order
from curvox.losses.mining import LogDensity, angle_log_density, positive_pairs
from curvox.losses.pairs import require_pair_count


@dataclass(frozen=True)
class SamePairs:
    """The same-speaker pairs of a batch, in every order: ``anchors`` and ``positives`` (T,), rows of the batch."""

    anchors: Tensor
    positives: Tensor

    @property
    def once(self) -> tuple[Tensor, Tensor]:
        """Each pair once, first < second."""
        upper = self.anchors < self.positives
        return self.anchors[upper], self.positives[upper]


def same_pairs(speakers: Tensor) -> SamePairs:
    """The same-speaker pairs of a batch.

    Raises:
        InputError: there is none, or there is one speaker only.
    """
    anchors, positives = positive_pairs(speakers)
    require_pair_count(len(anchors), len(speakers))
    return SamePairs(anchors, positives)


def mining_distances(
    mining: str, points: Float[Tensor, "B D"], pairs: SamePairs, space: AbstractSpace
) -> Float[Tensor, "B B"]:
    """Distances of all points for a choice, without gradient, or what rises with them where only their order counts.

    Those of same-speaker pairs are exact.
    """
    return self_order(points, *pairs.once, space, as_distances=mining == "distance_weighted")


def sum_over_rivals(distances: Float[Tensor, "B B"], pairs: SamePairs) -> Float[Tensor, ""]:
    """The sum of the distances of different speakers, each pair counted twice, without gradient."""
    kept = distances.detach()
    return kept.sum() - kept[pairs.anchors, pairs.positives].sum() - kept.diagonal().sum()


def mining_density(space: AbstractSpace, dim: int) -> LogDensity | None:
    """The density of distances for ``distance_weighted``: known of angles, elsewhere fitted to the batch."""
    return angle_log_density(dim) if space.angular and dim >= 2 else None
