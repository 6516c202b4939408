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
from torch import Tensor

from curvox.losses.class_shards import ALL_CLASSES, AbstractClassShard, Picks, largest_of_all
from curvox.losses.rival_rules import AbstractRule
from curvox.losses.scan_passes import Kept, Passes


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
