"""Losses of pairs as hinges on a divergence: same-speaker pairs pay above one margin, others below another."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from curvox.errors import require_name
from curvox.geometry import AbstractSpace, distance_of_rows, self_distance
from curvox.losses.contract import LossOutput
from curvox.losses.pairs.mining import MININGS, mine_pairs
from curvox.losses.pairs.pairs import (
    AbstractPairLoss,
    SamePairs,
    different_hinge,
    mean_of,
    mining_density,
    mining_distances,
    same_hinge,
    same_pairs,
    shares,
    sum_over_rivals,
)

MANY_ACTIVE = 8
"""Ordered different-speaker pairs a recording from which the way back goes through all pairs at once."""


class AbstractPairHinge(AbstractPairLoss):
    """The mean over the same-speaker pairs kept plus the mean over the different-speaker pairs kept.

    Each pair's term is shared by its two recordings. A margin scale multiplies ``m_different`` alone.

    Args:
        dim: D, of the embeddings.
        m_same: divergence up to which a same-speaker pair costs nothing.
        m_different: divergence from which a different-speaker pair costs nothing.
        space: in which distances are measured.
        mining: which pairs are looked at.
    """

    def __init__(
        self, dim: int, *, m_same: float, m_different: float, space: AbstractSpace | None, mining: str
    ) -> None:
        super().__init__(dim, space=space)
        require_name(mining, MININGS, "mining")
        self.m_same = m_same
        self.m_different = m_different
        self.mining = mining

    @abstractmethod
    def log_variances(self, embeddings: Tensor) -> Tensor | None:
        """(B,) of the embeddings, where the divergence depends on a variance of each."""

    @abstractmethod
    def divergence(self, distance: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
        """The divergence of pairs at a distance, with the log-variances of both, broadcast together."""

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        pairs = same_pairs(speakers)
        points = self.space.project(embeddings)
        spread = self.log_variances(embeddings)
        if self.mining == "all":
            return self._over_all(points, spread, pairs)
        distances = mining_distances(self.mining, points, pairs, self.space)
        mined = mine_pairs(self.mining, distances, speakers, log_density=mining_density(self.space, self.dim))
        split = int(mined.same.sum())
        first, second = mined.first.tensor_split([split]), mined.second.tensor_split([split])
        close, parts = self._close(points, spread, first[0], second[0])
        distance = distance_of_rows(points, first[1], second[1], self.space)
        apart = self._apart(distance, spread, first[1], second[1])
        per_item = close + shares(apart, first[1], second[1], items=len(points))
        parts |= _different_parts(len(apart), apart.detach().count_nonzero(), distance.detach().sum())
        return LossOutput(per_item.mean(), per_item, parts)

    def _over_all(self, points: Tensor, spread: Tensor | None, pairs: SamePairs) -> LossOutput:
        close, parts = self._close(points, spread, *pairs.once)
        distance = self_distance(points, self.space)
        rivals = distance.numel() - len(points) - len(pairs.anchors)  # every pair of different speakers, twice
        rows, columns = (None, None) if spread is None else (spread[:, None], spread[None, :])
        divergence = self.divergence(distance, rows, columns)
        with torch.no_grad():
            active = divergence < self.margin
            active[pairs.anchors, pairs.positives] = False
            active.fill_diagonal_(False)
            count = int(active.count_nonzero())
        if count > MANY_ACTIVE * len(points):
            sums = (self.margin - divergence).mul(active).sum(1)
        else:  # so few are measured directly, which is exact, and quicker than the way back through all
            first, second = active.nonzero().unbind(1)
            upper = first < second
            first, second = first[upper], second[upper]
            terms = self._apart(distance_of_rows(points, first, second, self.space), spread, first, second)
            sums = distance.new_zeros(len(points)).index_add(0, first, terms).index_add(0, second, terms)
        per_item = close + sums * (len(points) / rivals)
        total = sum_over_rivals(distance, pairs) / 2
        parts |= _different_parts(rivals // 2, total.new_tensor(count / 2), total)
        return LossOutput(per_item.mean(), per_item, parts)

    def _apart(self, distance: Tensor, spread: Tensor | None, first: Tensor, second: Tensor) -> Tensor:
        variances = (None, None) if spread is None else (spread[first], spread[second])
        return different_hinge(self.divergence(distance, *variances), margin=self.margin)

    def _close(
        self, points: Tensor, spread: Tensor | None, first: Tensor, second: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Shares (B,) of same-speaker pairs, and what to log of them."""
        distance = distance_of_rows(points, first, second, self.space)
        variances = (None, None) if spread is None else (spread[first], spread[second])
        terms = same_hinge(self.divergence(distance, *variances), margin=self.m_same)
        parts = {
            "same_pairs": terms.new_tensor(len(terms)),
            "same_active": terms.detach().count_nonzero() / len(terms),
            "same_distance": mean_of(distance),
        }
        return shares(terms, first, second, items=len(points)), parts

    @property
    def margin(self) -> float:
        """``m_different`` in force: the full one times the margin scale."""
        return self.m_different * self.margin_scale


def _different_parts(count: int, active: Tensor, total: Tensor) -> dict[str, Tensor]:
    return {
        "different_pairs": total.new_tensor(count),
        "different_active": active / count,
        "different_distance": total / count,
    }
