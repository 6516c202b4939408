"""Which classes of a loss this process holds, and what it asks of the processes that hold the others.

Whatever all processes compute alike, points, targets and the values a loss hands out, is there whole in each of them.
Centres, and whatever else has a row for each class, are there in part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class AbstractClassShard(ABC):
    """Classes ``first``, ``first + 1``, ... of process number ``rank``.

    All processes must call `total` and `gathered` in the same order, also in a backward pass.
    """

    first: int
    rank: int

    @abstractmethod
    def rows(self, parameter: Tensor) -> Tensor:
        """The rows, of a parameter with a row for each class, that are here."""

    @abstractmethod
    def total(self, part: Tensor) -> Tensor:
        """The sum of all processes' parts, whole in each; its gradient, alike in all, is that of each part."""

    @abstractmethod
    def gathered(self, part: Tensor) -> Tensor:
        """(W, ...) all processes' parts of one shape, as a constant."""


class AllClasses(AbstractClassShard):
    """The usual case: one process holds all classes."""

    first, rank = 0, 0

    def rows(self, parameter: Tensor) -> Tensor:
        return parameter

    def total(self, part: Tensor) -> Tensor:
        return part

    def gathered(self, part: Tensor) -> Tensor:
        return part.detach()[None]


ALL_CLASSES = AllClasses()


@dataclass(frozen=True)
class Picks:
    """Rows picked out of a table that is spread over the processes: ``places`` (B, k) of those that are ``here``."""

    places: Tensor
    here: Tensor

    @classmethod
    def of_speakers(cls, speakers: Tensor, classes: int, *, group: int = 1) -> Picks:
        """The ``group`` rows of each own class (B,), counted from the first of the ``classes`` here."""
        here = (speakers >= 0) & (speakers < classes)
        places = speakers.clamp(0, classes - 1)[:, None] * group + torch.arange(group, device=speakers.device)
        return cls(places, here[:, None].expand_as(places))

    def and_then(self, others: Picks) -> Picks:
        """These rows and then ``others`` of the same table."""
        return Picks(torch.cat([self.places, others.places], 1), torch.cat([self.here, others.here], 1))

    def rows(self, table: Tensor, shard: AbstractClassShard) -> Tensor:
        """(B, k, ...) the picked rows of all processes, each of which is in one of them."""
        return shard.total(table[self.places].masked_fill(~self._here(table), 0.0))

    def add_gradient(self, table: Tensor, gradient: Tensor) -> None:
        """Add the gradient (B, k, ...) of the picked rows to the table's, in place."""
        gradient = gradient.masked_fill(~self._here(table), 0.0)
        table.index_add_(0, self.places.flatten(), gradient.flatten(0, 1))

    def _here(self, table: Tensor) -> Tensor:
        return self.here.view(*self.here.shape, *[1] * (table.ndim - 1))


def largest_of_all(values: Tensor, places: Tensor, count: int, shard: AbstractClassShard) -> Picks:
    """The ``count`` largest of all processes' ``values`` (B, k), which stand at ``places`` (B, k), largest first."""
    if count == 0:
        return Picks(places, places.bool())
    everybody = shard.gathered(values)
    chosen = everybody.transpose(0, 1).flatten(1).topk(count, dim=1).indices
    width = values.shape[1]
    return Picks(places.gather(1, chosen % width), chosen // width == shard.rank)
