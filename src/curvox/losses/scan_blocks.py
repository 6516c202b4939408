"""Memory of a scan over many classes: block limits, reused buffers, and where in a block the own classes stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK_BYTES = {"cpu": 2**21, "cuda": 2**26}
"""Size of a (B, n) block: on a processor it should stay in the cache, on a GPU fill the device."""


@dataclass(frozen=True)
class OwnColumns:
    """Which rows of a block have their own class in it (``inside``, (B, 1)), and at which ``column`` (B, 1)."""

    column: Tensor
    inside: Tensor

    def fill(self, block: Tensor, value: float) -> None:
        """Write ``value`` at the own columns, in place and without waiting for the device."""
        there = block.gather(1, self.column)
        block.scatter_(1, self.column, torch.where(self.inside, value, there))


Scratch = Callable[[int], Tensor]
"""Gives buffer number i, of the block's shape; its contents are whatever was left there."""


@dataclass(frozen=True)
class Block:
    """Classes ``start`` to ``stop`` of N."""

    start: int
    stop: int

    def own_columns(self, speakers: Tensor) -> OwnColumns:
        """Find the own classes (B,) in this block."""
        inside = (speakers >= self.start) & (speakers < self.stop)
        column = (speakers - self.start).clamp(0, self.stop - self.start - 1)
        return OwnColumns(column[:, None], inside[:, None])


def blocks_of(classes: int, points: Tensor, *, group: int) -> Iterator[Block]:
    """Cut the classes so that neither their products with points (B, D) nor their centres pass `BLOCK_BYTES`.

    A block has at least 256 classes; a class has ``group`` centres.
    """
    size = BLOCK_BYTES.get(points.device.type, BLOCK_BYTES["cuda"])
    width = max(256, size // (points.element_size() * max(points.shape) * group))
    for start in range(0, classes, width):
        yield Block(start, min(start + width, classes))


class Buffers:
    """Flat memory that is shaped anew for every block, so that a scan allocates once."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._flat: dict[str | int, Tensor] = {}

    def get(self, name: str | int, rows: int, columns: int) -> Tensor:
        """An uninitialised (rows, columns) tensor; the next call of the same name reuses its memory."""
        wanted = rows * columns
        flat = self._flat.get(name)
        if flat is None or flat.numel() < wanted:
            flat = self._flat[name] = self._like.new_empty(wanted)
        return flat[:wanted].view(rows, columns)
