"""The scan: what all rivals of each point contribute to a classification loss, over any number of classes.

The products ``left @ right.T`` of points and centres are never held whole. A first pass over blocks of classes sums up
the rule's terms; the backward pass turns blocks into slopes and those, by two matrix products, into gradients. As long
as all slopes fit into ``memory_bytes`` they are kept from the first pass, beyond that their blocks are computed again.
The gradient of the centres is written once, including that of the own centres, which the scan hands out, since adding
up two (N, D) gradients would cost as much as a matrix product.

Where the classes are spread over processes, each scans its own and the sums are added up before they are used, as if
the others' classes were further blocks. Every process then has the whole result and, on the way back, the whole
gradient of whatever all have in common; of the centres it has the rows that it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from curvox.losses.scan.class_shards import ALL_CLASSES, AbstractClassShard, Picks, largest_of_all
from curvox.losses.scan.rules import AbstractRule, Block, Buffers, Partial, Scratch, blocks_of


@dataclass(frozen=True)
class Kept:
    """The slopes (B, n) of a block, in units of ``exp(peak)`` (B,), and which centre of each class they belong to."""

    slopes: Tensor
    peak: Tensor
    choice: Tensor | None


@dataclass(frozen=True)
class Sums:
    """Of a first pass: the result (B,) and its derivative by the row number (B,), both over all processes; the largest
    products here (B, top_k) and their places among the centres; the blocks if they were kept."""

    result: Tensor
    row_slope: Tensor
    top_values: Tensor
    top_places: Tensor
    kept: list[Kept] | None


@dataclass(frozen=True)
class Gradients:
    """Of a second pass: in the shapes of ``left``, ``centres`` and ``columns``."""

    left: Tensor
    centres: Tensor
    columns: Tensor


class Passes:
    """Both passes over the same detached tensors: sums first, then gradients.

    ``left`` is (B, D + E): points, then the coordinates that meet the further ones of ``columns`` (M, 1 + E), whose
    first is a factor of each centre (M, D). The product of point x and centre w is ``factor <x, w> + <further,
    further>``: the centres enter raw, and are scaled a block at a time, so that no second (N, D) matrix is ever made.
    """

    def __init__(
        self,
        rule: AbstractRule,
        speakers: Tensor,
        left: Tensor,
        row: Tensor | None,
        centres: Tensor,
        columns: Tensor,
        *,
        group: int,
        shard: AbstractClassShard,
    ) -> None:
        self.rule, self.speakers, self.group, self.shard = rule, speakers, group, shard
        self.left, self.row, self.centres, self.columns = left.detach(), row, centres, columns
        # apart from each other: a product over D coordinates and some keeps to slower, unaligned rows
        dim = centres.shape[1]
        self._points, self._further = self.left[:, :dim].contiguous(), self.left[:, dim:].contiguous()
        self._further_columns = columns[:, 1:].T.contiguous()

    def blocks(self) -> list[Block]:
        """The blocks of classes, in order."""
        return list(blocks_of(len(self.centres) // self.group, self._points, group=self.group))

    def first(self, *, top_k: int, keep: bool) -> Sums:
        """Sum up all blocks; keep their slopes if asked.

        A block cannot know the sum over all classes, which its slopes are divided by: the rule leaves them in units of
        ``exp(peak)``, of its own largest exponent, so that nothing overflows, and `_combine` and `second` bring them to
        the common unit by ``exp(peak - result)``, a number for each row.
        """
        rows, buffers = len(self.left), Buffers(self.left)
        store = self.left.new_empty(rows * len(self.centres) // self.group) if keep else None
        partials, kept, tops = [], [], []
        for block in self.blocks():
            shape = rows, block.stop - block.start
            place = buffers.get("k", *shape) if store is None else store[rows * block.start : rows * block.stop]
            k, choice = self._products(block, place.view(shape), buffers)
            own = block.own_columns(self.speakers)
            own.fill(k, self.rule.hidden)
            if top_k:
                tops.append(_largest(k, choice, block, self.group, top_k))
            partial = self.rule.reduce(k, self.row, own, _scratch(buffers, shape))
            partials.append(partial)
            if keep:
                kept.append(Kept(k, partial.peak, choice))
        result = self._combine(partials)
        top = _merge(tops, top_k, self.left)
        return Sums(result, self._row_slope(partials, result), *top, kept if keep else None)

    def second(self, result: Tensor, upstream: Tensor, diagonal: Tensor, kept: list[Kept] | None) -> Gradients:
        """Gradients, given ``upstream`` (B,), that of the result, and ``diagonal``, see `_diagonal`."""
        dim, buffers = self.centres.shape[1], Buffers(self.left)
        found = Gradients(*(torch.empty_like(tensor) for tensor in (self.left, self.centres, self.columns)))
        found.left.zero_()
        d_points, d_further = found.left[:, :dim], found.left[:, dim:]
        factor = self.rule.factor(self.row)
        for number, block in enumerate(self.blocks()):
            # What every slope of a row has in common goes into one weight (B, 1): multiplied into (B, D) points and
            # not into the (B, n) slopes, it costs nothing beside the two products.
            slopes, weight = self._slopes(block, result, None if kept is None else kept[number], buffers)
            weight = (upstream * factor * weight)[:, None]
            part = slice(block.start * self.group, block.stop * self.group)
            raw, columns, d_columns = self.centres[part], self.columns[part], found.columns[part]
            right = self._right(part, buffers)
            d_points.addcmul_(torch.mm(slopes, right, out=buffers.get("d_points", *self._points.shape)), weight)
            d_further.addcmul_(slopes @ self._further_columns[:, part].T, weight)
            d_raw = torch.mm(slopes.T, self._points * weight, out=found.centres[part])
            # copied there, since a product that writes to every other place takes three times as long
            d_columns[:, 1:] = slopes.T @ (self._further * weight)
            torch.sum(torch.mul(d_raw, raw, out=right), 1, keepdim=True, out=d_columns[:, :1])
            # Centre w is met as factor(|w|^2) w and by further(|w|^2), so that its gradient is the factor times that of
            # the scaled centre, and 2 w times what all columns say of |w|^2. The block's d_raw becomes it in place.
            d_squares = (d_columns * diagonal[part]).sum(1, keepdim=True)
            d_raw.mul_(columns[:, :1]).addcmul_(raw, (2.0 * d_squares).to(raw.dtype))
        return found

    def _slopes(
        self, block: Block, result: Tensor, kept: Kept | None, buffers: Buffers
    ) -> tuple[Tensor, float | Tensor]:
        """The slopes by every centre of a block (B, n * group), and the factor (B,) that they still need."""
        if kept is not None:
            weight = (kept.peak - result).exp() if self.rule.logarithmic else 1.0
            return self._spread(kept.slopes, kept.choice, buffers), weight
        shape = len(self.left), block.stop - block.start
        k, choice = self._products(block, buffers.get("k", *shape), buffers)
        own = block.own_columns(self.speakers)
        own.fill(k, self.rule.hidden)
        self.rule.slopes(k, self.row, result, own, _scratch(buffers, shape))
        return self._spread(k, choice, buffers), 1.0

    def _spread(self, slopes: Tensor, choice: Tensor | None, buffers: Buffers) -> Tensor:
        """Give each class's slope to the centre that was chosen, 0 to its others."""
        if choice is None:
            return slopes
        rows, width = slopes.shape
        spread = buffers.get("products", rows, width * self.group).view(rows, width, self.group).zero_()
        return spread.scatter_(2, choice[:, :, None].long(), slopes[:, :, None]).view(rows, -1)

    def _products(self, block: Block, place: Tensor, buffers: Buffers) -> tuple[Tensor, Tensor | None]:
        """The largest product of each class (B, n), written to ``place``, and which of its centres has it."""
        part = slice(block.start * self.group, block.stop * self.group)
        rows, right = len(self.left), self._right(part, buffers)
        products = place if self.group == 1 else buffers.get("products", rows, len(right))
        if self._further.shape[1]:
            self._further_product(part, products)
            products.addmm_(self._points, right.T)
        else:
            torch.mm(self._points, right.T, out=products)
        if self.group == 1:
            return products, None
        values, choice = products.view(rows, -1, self.group).max(2)
        return place.copy_(values), choice.to(torch.uint8 if self.group <= 256 else torch.int32)

    def _further_product(self, part: slice, out: Tensor) -> None:
        columns = self._further_columns[:, part]
        if len(columns) == 1:  # the usual case, and broadcast in half the time of a matrix product
            torch.mul(self._further, columns, out=out)
        else:
            torch.mm(self._further, columns, out=out)

    def _right(self, part: slice, buffers: Buffers) -> Tensor:
        raw = self.centres[part]
        return torch.mul(raw, self.columns[part, :1], out=buffers.get("right", *raw.shape))

    def _row_slope(self, partials: list[Partial], result: Tensor) -> Tensor:
        slopes = [
            part.row_slope * ((part.peak - result).exp() if self.rule.logarithmic else 1.0)
            for part in partials
            if part.row_slope is not None
        ]
        return self.shard.total(torch.stack(slopes).sum(0)) if slopes else result.new_zeros(0)

    def _combine(self, partials: list[Partial]) -> Tensor:
        totals = torch.stack([part.total for part in partials])
        if not self.rule.logarithmic:
            return self.shard.total(totals.sum(0))
        here = torch.logsumexp(torch.stack([part.peak for part in partials]) + totals.log(), 0)
        return torch.logsumexp(self.shard.gathered(here), 0)


def _scratch(buffers: Buffers, shape: tuple[int, int]) -> Scratch:
    return lambda number: buffers.get(number, *shape)


def _largest(k: Tensor, choice: Tensor | None, block: Block, group: int, top_k: int) -> tuple[Tensor, Tensor]:
    """The largest products of a block and the places of their centres, both (B, at most top_k)."""
    values, columns = k.topk(min(top_k, k.shape[1]), dim=1)
    places = (columns + block.start) * group
    return values, places if choice is None else places + choice.gather(1, columns)


def _merge(tops: list[tuple[Tensor, Tensor]], top_k: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The largest products of all blocks and their places, both (B, top_k); minus infinity where there are no more."""
    if not tops:
        return like.new_empty(len(like), 0), torch.empty(len(like), 0, dtype=torch.int64, device=like.device)
    values, places = (torch.cat(parts, 1) for parts in zip(*tops, strict=True))
    missing = max(0, top_k - values.shape[1])
    values = nn.functional.pad(values, (0, missing), value=float("-inf"))
    values, chosen = values.topk(top_k, dim=1)
    return values, nn.functional.pad(places, (0, missing)).gather(1, chosen)


@dataclass(frozen=True)
class Scan:
    """How to scan.

    Attributes:
        rule: what becomes of the products.
        columns: from squared norms of centres (M,) to (M, 1 + E): a factor of each centre, then E further coordinates;
            each row must depend on its own squared norm (and on parameters) alone.
        group: centres a class, of which the one with the largest product counts.
        top_k: how many of the largest products to find; the nearest rivals where a larger product is nearer.
        memory_bytes: what the slopes may take before they are computed again instead of kept.
        shard: which of the classes are here.
    """

    rule: AbstractRule
    columns: Callable[[Tensor], Tensor]
    group: int = 1
    top_k: int = 0
    memory_bytes: int = 2**29
    shard: AbstractClassShard = ALL_CLASSES


@dataclass(frozen=True)
class Rivals:
    """What a scan found.

    Attributes:
        result: (B,) the rule's sum over all classes but the own.
        own: (B, group, D) raw centres of the own class.
        top: (B, top_k, D) raw centres of the largest products, largest first.
        row_slope: (B,) the derivative of ``result`` by the rule's number of each row, as a constant, or None.
    """

    result: Tensor
    own: Tensor
    top: Tensor
    row_slope: Tensor | None

    def result_of(self, row: Tensor) -> Tensor:
        """``result`` with its gradient in the rule's numbers ``row`` (B,), whose values the scan was run with.

        So that a number may depend on what only the scan can hand out, the own centres.
        """
        assert self.row_slope is not None
        return self.result + self.row_slope * (row - row.detach())


def scan_rivals(
    scan: Scan,
    left: Tensor,
    centres: Tensor,
    speakers: Tensor,
    *,
    row: Tensor | None = None,
    parameters: tuple[Tensor, ...] = (),
    class_rows: tuple[Tensor, ...] = (),
) -> Rivals:
    """Run ``scan``, with first-order gradients in ``left``, ``centres``, ``parameters`` and ``class_rows``.

    Args:
        scan: how.
        left: (B, D + E) points, with the coordinates that answer to those of ``scan.columns``.
        centres: (N * group, D) raw centres of the classes that are here.
        speakers: (B,) own classes, counted from the first one here; one outside 0 to N - 1 is with another process.
        row: (B,) the rule's number of each row, taken as a constant (see `Rivals.result_of`), or None.
        parameters: what ``scan.columns`` depends on besides the norms, alike for all classes.
        class_rows: what it depends on with a row for each class that is here.
    """
    if not torch.is_grad_enabled():
        scan = replace(scan, memory_bytes=0)
    numbers = None if row is None else row.detach()[:, None]
    outputs: Any = _ScanFunction.apply(
        scan, speakers, left, numbers, centres, len(parameters), *parameters, *class_rows
    )
    result, picked, row_slope = outputs
    own, top = picked.split([scan.group, scan.top_k], 1)
    return Rivals(result, own, top, None if row is None else row_slope)


class _ScanFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        scan: Scan,
        speakers: Tensor,
        left: Tensor,
        row: Tensor | None,
        centres: Tensor,
        shared: int,
        *further: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            squares = _squared_norms(centres).requires_grad_()
            columns = scan.columns(squares)
        passes = _passes(scan, speakers, left, row, centres, columns)
        classes = len(centres) // scan.group
        keep = left.element_size() * len(left) * classes <= scan.memory_bytes
        found = passes.first(top_k=scan.top_k, keep=keep)
        own = Picks.of_speakers(speakers, classes, group=scan.group)
        picks = own.and_then(largest_of_all(found.top_values, found.top_places, scan.top_k, scan.shard))
        # the slopes, the largest part, go with the saved tensors, which autograd frees after the backward pass
        flat = [tensor for part in found.kept or () for tensor in (part.slopes, part.peak, part.choice)]
        ctx.save_for_backward(found.result, speakers, left, row, centres, *flat)
        ctx.mark_non_differentiable(found.row_slope)
        ctx.scan, ctx.picks, ctx.graph, ctx.further = scan, picks, (squares, columns), (shared, further)
        ctx.set_materialize_grads(False)
        return found.result, picks.rows(centres, scan.shard), found.row_slope

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("a scan over class centres is differentiable once; leave create_graph out")
        result, speakers, left, row, centres, *flat = ctx.saved_tensors
        squares, columns = ctx.graph
        shared, further = ctx.further
        upstream = torch.zeros_like(result) if grads[0] is None else grads[0]
        kept = [Kept(*flat[place : place + 3]) for place in range(0, len(flat), 3)]
        passes = _passes(ctx.scan, speakers, left, row, centres, columns)
        found = passes.second(result, upstream, _diagonal(columns, squares), kept or None)
        if grads[1] is not None:
            ctx.picks.add_gradient(found.centres, grads[1])
        inner = _inner(columns, found.columns, further)
        total = ctx.scan.shard.total
        alike = [None if gradient is None else total(gradient) for gradient in inner[:shared]]
        return None, None, total(found.left), None, found.centres, None, *alike, *inner[shared:]


def _squared_norms(centres: Tensor) -> Tensor:
    """(M,) in double precision where the device has it: short centres have derivatives beyond the range of float32."""
    norms = torch.linalg.vector_norm(centres.detach(), dim=1)
    return (norms if norms.device.type == "mps" else norms.double()).square_()


def _passes(scan: Scan, speakers: Tensor, left: Tensor, row: Tensor | None, centres: Tensor, columns: Tensor) -> Passes:
    factors = columns.detach().to(left.dtype)
    return Passes(scan.rule, speakers, left, row, centres.detach(), factors, group=scan.group, shard=scan.shard)


def _diagonal(columns: Tensor, squares: Tensor) -> Tensor:
    """The derivative (M, 1 + E) of each row of ``columns`` by its own squared norm."""
    if not columns.requires_grad:
        return torch.zeros_like(columns)
    with torch.enable_grad():
        totals = columns.sum(0).unbind()
    parts = [
        torch.autograd.grad(total, squares, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
        for total in totals
    ]
    return torch.stack(parts, 1)


def _inner(columns: Tensor, gradient: Tensor, parameters: tuple[Tensor, ...]) -> list[Tensor | None]:
    """The gradients of the parameters behind the columns, None for those that take none."""
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    if not wanted:
        return [None] * len(parameters)
    found = iter(torch.autograd.grad(columns, wanted, gradient.to(columns.dtype), retain_graph=True, allow_unused=True))
    return [next(found) if parameter.requires_grad else None for parameter in parameters]
