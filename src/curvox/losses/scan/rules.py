"""What a classification loss makes of the products of its points and centres, block by block and in place.

A rule takes a block of products k (B, n) and turns it into *slopes*, the derivative of its term by each k, in the
same memory, so that a scan over any number of classes needs a few blocks. Terms of a row are either exponents, whose
logarithm of the sum is taken (``logarithmic``; slopes are then in units of ``exp(peak)``), or plain summands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
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


LARGEST_WHOLE_EXPONENT = 64


@dataclass(frozen=True)
class Partial:
    """A block's part of each row: ``total`` (B,) in units of ``exp(peak)``, and of the derivative by the row number."""

    peak: Tensor
    total: Tensor
    row_slope: Tensor | None = None


class AbstractRule(ABC):
    """One loss's arithmetic on a block. ``row`` (B, 1) is one number a row that the rule may need, such as a floor."""

    hidden: float
    """The product that is given to a class that must not count."""
    logarithmic: bool
    """Whether the result is the logarithm of the sum of exponents, or the sum itself."""

    @abstractmethod
    def reduce(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> Partial:
        """Sum up a block; k becomes its slopes, not yet divided by the sum over all classes."""

    @abstractmethod
    def slopes(self, k: Tensor, row: Tensor | None, result: Tensor, own: OwnColumns, scratch: Scratch) -> None:
        """Turn k into slopes of the result, given the results (B,) of all classes."""

    @abstractmethod
    def factor(self, row: Tensor | None) -> float | Tensor:
        """A factor of all slopes of a row, a number or (B,), which `reduce` and `slopes` leave to the caller."""


class Exponents(AbstractRule):
    """``log sum exp(k)``."""

    hidden = float("-inf")
    logarithmic = True

    def reduce(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> Partial:
        peak = k.amax(1).clamp_min(torch.finfo(k.dtype).min)
        k.sub_(peak[:, None]).exp_()
        return Partial(peak, k.sum(1))

    def slopes(self, k: Tensor, row: Tensor | None, result: Tensor, own: OwnColumns, scratch: Scratch) -> None:
        k.sub_(result[:, None]).exp_()

    def factor(self, row: Tensor | None) -> float | Tensor:
        return 1.0


class FlooredExponents(AbstractRule):
    """``log sum exp(max(k, row))``: below the floor a class has no slope, the floor has it."""

    hidden = float("-inf")
    logarithmic = True

    def reduce(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> Partial:
        assert row is not None
        floored = torch.maximum(k, row, out=scratch(0))
        peak = floored.amax(1)
        total, row_slope = self._slopes(k, row, peak, floored, own)
        return Partial(peak, total, row_slope)

    def slopes(self, k: Tensor, row: Tensor | None, result: Tensor, own: OwnColumns, scratch: Scratch) -> None:
        assert row is not None
        self._slopes(k, row, result, torch.maximum(k, row, out=scratch(0)), own)

    def _slopes(self, k: Tensor, row: Tensor, peak: Tensor, floored: Tensor, own: OwnColumns) -> tuple[Tensor, Tensor]:
        exponents = floored.sub_(peak[:, None]).exp_()
        own.fill(exponents, 0.0)
        total = exponents.sum(1)
        k.gt_(row).mul_(exponents)
        return total, total - k.sum(1)

    def factor(self, row: Tensor | None) -> float | Tensor:
        return 1.0


class HyperbolicPowers(AbstractRule):
    """``log sum exp(-exponent * arcosh(k))`` of ``k = cosh(sqrt(c) d)``, with ``exponent = scale / sqrt(c)``.

    ``exp(-e arcosh(k)) = (k + sqrt(k^2 - 1))^-e``, so that no logarithm is needed for a whole number e. Where the
    exponent is learnt it is the row number. Rivals closer than ``sqrt(4 eps)`` over sqrt(c), 7e-4 in float32, count as
    that close: the products do not tell them apart.
    """

    hidden = 1e18
    logarithmic = True

    def __init__(self, exponent: float | None) -> None:
        self.exponent = exponent

    def reduce(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> Partial:
        inverse = self._grow(k, scratch)
        least = k.amin(1, keepdim=True)
        log_least = least.log()[:, 0]
        shares = torch.div(least, k, out=scratch(0))
        if row is None:
            assert self.exponent is not None
            power(shares, self.exponent, out=k)
            own.fill(k, 0.0)
            peak, total, row_slope = -self.exponent * log_least, k.sum(1), None
        else:
            logs = shares.log_()
            torch.mul(logs, row, out=k).exp_()
            own.fill(k, 0.0)
            peak, total = -row[:, 0] * log_least, k.sum(1)
            row_slope = logs.mul_(k).sum(1) - log_least * total
        k.mul_(inverse)
        return Partial(peak, total, row_slope)

    def slopes(self, k: Tensor, row: Tensor | None, result: Tensor, own: OwnColumns, scratch: Scratch) -> None:
        inverse = self._grow(k, scratch)
        if row is None and self.exponent is not None and is_whole(self.exponent):
            shares = torch.div((result / -self.exponent).exp()[:, None], k, out=scratch(0))
            power(shares, self.exponent, out=k)
        else:
            k.log_().mul_(self.factor(None) if row is None else -row).sub_(result[:, None]).exp_()
        own.fill(k, 0.0)
        k.mul_(inverse)

    def _grow(self, k: Tensor, scratch: Scratch) -> Tensor:
        """Turn k into ``k + sqrt(k^2 - 1)`` and return ``1 / sqrt(k^2 - 1)``."""
        k.clamp_min_(1.0 + 2.0 * torch.finfo(k.dtype).eps)
        squares = torch.addcmul(k.new_full((len(k), 1), -1.0), k, k, out=scratch(0))
        inverse = torch.rsqrt(squares, out=scratch(1))
        k.addcmul_(squares, inverse)
        return inverse

    def factor(self, row: Tensor | None) -> float | Tensor:
        if row is not None:
            return -row[:, 0]
        assert self.exponent is not None
        return -self.exponent


def is_whole(exponent: float) -> bool:
    """Whether multiplications do for a power: a whole number from 1 to `LARGEST_WHOLE_EXPONENT`."""
    return exponent.is_integer() and 1.0 <= exponent <= LARGEST_WHOLE_EXPONENT


def power(base: Float[Tensor, "B n"], exponent: float, *, out: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
    """``base ** exponent`` into ``out``, for base in [0, 1]; a whole exponent by squaring, in a third of the time."""
    if exponent == 0.0:
        return out.fill_(1.0)
    if not is_whole(exponent):
        return torch.log(base, out=out).mul_(exponent).exp_()
    digits = f"{int(exponent):b}"[1:]
    power = base
    for digit in digits:
        power = torch.mul(power, power, out=out)
        if digit == "1":
            power.mul_(base)
    return power if digits else out.copy_(base)
