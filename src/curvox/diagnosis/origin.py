"""Where NaN or infinity is born: the first operation that makes it, forward or backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from curvox.errors import InputError


@dataclass(frozen=True)
class Origin:
    """The first operation that made numbers that are not finite out of finite ones.

    Attributes:
        operation: such as "aten.sqrt"; on the way back the node of autograd, such as "SqrtBackward0".
        module: dotted name of the module it happened in, "" outside of all.
        backward: it happened on the way back.
        rows: of its result, in which the bad numbers stand, 16 at most; empty where rows are no recordings.
        half: the result is in float16, which ends at 65,504.
        given: the name of the parameter, or "input", that was not finite before any operation; "" where none was. The
            operation is then the first that took it.
    """

    operation: str
    module: str
    backward: bool
    rows: tuple[int, ...] = ()
    half: bool = False
    given: str = ""

    def __str__(self) -> str:
        where = f" in {self.module}" if self.module else ""
        kind = " (float16)" if self.half else ""
        taken = f", which was given {self.given} with numbers that are not finite" if self.given else ""
        return f"{self.operation}{kind}{where}{taken}"


def find_origin(
    run: Callable[[], Tensor], modules: nn.Module | None = None, *, items: int | None = None
) -> Origin | None:
    """Find the operation in which the numbers of ``run`` first left the finite range, forward or backward.

    Infinities that come to nothing, such as a mask of -inf before a softmax, are no fault: what is named is what the
    value, or a gradient, inherited its bad numbers from.

    Args:
        run: computes the scalar to minimise, of the same numbers as the step that failed. It is called once, and
            several times as slow as usual, since every result is looked at.
        modules: what names modules in the answer, such as ``nn.ModuleDict({"encoder": encoder, "loss": loss})``. Their
            weights, buffers and gradients, and the state of chance, are afterwards what they were before.
        items: B, recordings in the batch; rows are given only of results with so many. None takes every first
            dimension for recordings.

    Returns:
        None where the value and all gradients are finite.

    Raises:
        InputError: the value is no scalar; or ``run`` refuses its input, and not because of numbers that it made.
    """
    from curvox.diagnosis.kept_state import kept_state
    from curvox.diagnosis.operation_watch import OperationWatch

    with kept_state([] if modules is None else [modules]), OperationWatch(modules, items) as watch:
        try:
            value = run()
        except InputError:  # losses refuse embeddings that are not finite
            origin = watch.latest()
            if origin is None:
                raise
            return origin
        if value.numel() != 1:
            raise InputError(f"the run must return a scalar to minimise, got a tensor of shape {tuple(value.shape)}")
        return watch.origin_of([value, *_gradients(value)])


def _gradients(value: Tensor) -> list[Tensor]:
    """Gradients of all leaves that ``value`` depends on, which keep the gradients they have."""
    if not value.requires_grad:
        return []
    leaves = _leaves(value)
    before = [leaf.grad for leaf in leaves]
    try:
        for leaf in leaves:
            leaf.grad = None
        value.sum().backward()
        return [leaf.grad for leaf in leaves if leaf.grad is not None]
    finally:
        for leaf, gradient in zip(leaves, before, strict=True):
            leaf.grad = gradient


def _leaves(value: Tensor) -> list[Tensor]:
    if value.grad_fn is None:
        return [value]
    open_nodes: list[torch.autograd.graph.Node] = [value.grad_fn]
    seen, leaves = set(open_nodes), []
    while open_nodes:
        node = open_nodes.pop()
        if hasattr(node, "variable"):
            leaves.append(node.variable)  # type: ignore[attr-defined]
        following = [after for after, _ in node.next_functions if after is not None and after not in seen]
        seen.update(following)
        open_nodes.extend(following)
    return leaves
