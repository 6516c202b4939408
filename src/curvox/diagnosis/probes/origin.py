"""Operations watched as they run: where NaN or infinity is born, forward or backward, and the largest number met."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from curvox.diagnosis.observation import Origin
from curvox.diagnosis.probes.kept_state import kept_state
from curvox.errors import InputError

MOST_ROWS = 16
"""So many rows are named; with more of them it is not single recordings."""

_CONSTANTS = ("empty", "new_empty", "full", "new_full", "fill", "masked_fill", "where", "scalar_tensor", "arange")
_IN_FLOAT32 = (
    "pow", "square", "exp", "expm1", "sinh", "cosh", "tan", "sum", "prod", "cumsum", "cumprod", "norm",
    "linalg_vector_norm", "reciprocal", "rsqrt", "logsumexp", "native_layer_norm", "native_group_norm",
)  # fmt: skip
_BLANK = ("empty", "new_empty", "resize")
_SIGN_CHANGES = ("neg", "sub", "rsub", "mul", "div")


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
    found = torch.autograd.grad(value.sum(), _leaves(value), allow_unused=True) if value.requires_grad else ()
    return [gradient for gradient in found if gradient is not None]


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


@dataclass(frozen=True)
class _Mark:
    """Memory with bad numbers, kept alive so that nothing else gets its place, and the births they go back to."""

    storage: torch.UntypedStorage
    births: frozenset[int]


@dataclass(frozen=True)
class _BadNumbers:
    """Those of some tensors that are not finite, and what they hold: "nan", "+", "-"."""

    tensors: tuple[Tensor, ...]
    kinds: frozenset[str]

    @classmethod
    def among(cls, values: Iterable[Any]) -> _BadNumbers:
        dense = (v for v in values if isinstance(v, Tensor) and v.layout == torch.strided)
        bad = tuple(v for v in dense if (v.is_floating_point() or v.is_complex()) and not _finite(v))
        return cls(bad, frozenset(kind for tensor in bad for kind in _kinds(tensor)))


class OperationWatch(TorchDispatchMode):
    """Notes the birth of every number that is not finite, and to which births a result's bad numbers go back.

    A birth is *meant* where an infinite constant was asked for, as in ``masked_fill(mask, -inf)``.

    Args:
        modules: gives names to modules; without it, and for others, the names of their classes stand for them.
        items: rows are noted of results with so many of them; None of all.
    """

    def __init__(self, modules: nn.Module | None, items: int | None):
        super().__init__()
        named = [] if modules is None else list(modules.named_modules())
        self._names = {id(module): name for name, module in named}
        self._weights = {} if modules is None else {_place(p): name for name, p in modules.named_parameters()}
        self._items = items
        self._births: list[tuple[Origin, bool]] = []
        self._marks: dict[int, _Mark] = {}
        self._latest: frozenset[int] = frozenset()
        self._path: list[str] = []
        self._node_paths: dict[int, str] = {}

    def __enter__(self) -> OperationWatch:
        self._hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        for hook in self._hooks:
            hook.remove()
        super().__exit__(*error)

    def latest(self) -> Origin | None:
        """What the last result that was not finite goes back to; None where there was none."""
        return self._first(self._latest)

    def origin_of(self, results: Iterable[Tensor]) -> Origin | None:
        """The first birth that the bad numbers of ``results`` go back to; None where they are finite."""
        bad = [result for result in results if not _finite(result)]
        if not bad:
            return None
        marks = [self._marks[_place(result)].births for result in bad if _place(result) in self._marks]
        return self._first(frozenset().union(*marks)) or self._first(frozenset(range(len(self._births))))

    def _first(self, births: frozenset[int]) -> Origin | None:
        known = [self._births[birth] for birth in sorted(births)]
        faults = [origin for origin, meant in known if not meant]
        return next(iter([*faults, *(origin for origin, _ in known)]), None)

    def _enter_module(self, module: nn.Module, inputs: Any) -> None:
        own = type(module).__name__
        self._path.append(self._names.get(id(module)) or ".".join([*self._path[-1:], own]))

    def _leave_module(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._path.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        backward = torch._C._current_autograd_node() is not None
        if not backward and torch.is_grad_enabled():
            # autograd numbers its node before it calls the operation
            self._node_paths.setdefault(_get_sequence_nr() - 1, self._path[-1] if self._path else "")
        arguments = tree_leaves((args, kwargs))
        # what is changed in place must be looked at before
        before = _BadNumbers.among(arguments) if func._schema.is_mutable else None
        output = func(*args, **kwargs)
        bad = _BadNumbers.among(tree_leaves(output))
        if bad.tensors:
            self._note(func, arguments, before or _BadNumbers.among(arguments), bad)
        return output

    def _note(self, func: Any, arguments: list[Any], inputs: _BadNumbers, bad: _BadNumbers) -> None:
        name = func._schema.name.split("::")[-1]
        if name.startswith(_BLANK):  # memory that nobody has written to yet
            births = frozenset()
        else:
            births = self._births_of(name, arguments, inputs, bad)
            self._latest = births or self._latest
        for result in bad.tensors:
            self._marks[_place(result)] = _Mark(result.untyped_storage(), births)

    def _births_of(self, name: str, arguments: list[Any], inputs: _BadNumbers, bad: _BadNumbers) -> frozenset[int]:
        inherited = frozenset().union(*(self._inherited(name, source) for source in inputs.tensors))
        meant = any(isinstance(value, float) and not math.isfinite(value) for value in arguments)
        if any(not self._births[birth][1] for birth in inherited):
            return inherited
        news = bad.kinds - inputs.kinds
        if inherited and (not news or (name.strip("_") in _SIGN_CHANGES and "nan" not in news)):
            return inherited
        return inherited | {self._bear(self._origin(name, bad.tensors[0]), meant=meant)}

    def _inherited(self, name: str, source: Tensor) -> frozenset[int]:
        """The births of a bad input; one that nobody made is one that was given."""
        mark = self._marks.get(_place(source))
        if mark is not None:
            return mark.births
        constant = source.ndim == 0 and _place(source) not in self._weights and not bool(source.isnan())
        given = "" if constant else self._weights.get(_place(source), "input")
        birth = frozenset({self._bear(self._origin(name, source, given=given), meant=constant)})
        self._marks[_place(source)] = _Mark(source.untyped_storage(), birth)
        return birth

    def _bear(self, origin: Origin, *, meant: bool) -> int:
        self._births.append((origin, meant))
        return len(self._births) - 1

    def _origin(self, name: str, bad: Tensor, *, given: str = "") -> Origin:
        node = torch._C._current_autograd_node()
        half = bad.dtype == torch.float16
        # weights have rows too, which are no recordings
        rows = () if given not in ("", "input") else tuple(itertools.islice(self._rows(bad), MOST_ROWS))
        if node is None:
            return Origin(f"aten.{name}", self._path[-1] if self._path else "", False, rows, half, given)
        path = self._node_paths.get(node._sequence_nr(), "")
        return Origin(node.name(), path, True, rows, half, given)

    def _rows(self, bad: Tensor) -> Iterator[int]:
        if bad.ndim == 0 or (self._items is not None and len(bad) != self._items):
            return iter(())
        return iter((~torch.isfinite(bad)).reshape(len(bad), -1).any(1).nonzero().flatten().tolist())


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _kinds(tensor: Tensor) -> set[str]:
    values = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    tests = {"nan": values.isnan(), "+": values == math.inf, "-": values == -math.inf}
    return {kind for kind, test in tests.items() if bool(test.any())}


class ActivationWatch(TorchDispatchMode):
    """Keeps the largest absolute value of all results, in ``maximum``.

    Left out are constants, such as a mask of -1e9, and what autocast computes in float32 anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maximum = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[-1].rstrip("_")
        if name not in _CONSTANTS and name not in _IN_FLOAT32 and not func.is_view:
            for result in tree_leaves(output):
                if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
                    largest = float(torch.nan_to_num(result.detach(), 0.0, 0.0, 0.0).abs().amax())
                    self.maximum = max(self.maximum, largest)
        return output
