"""Write a contract suite: a list of named checks, and what a check requires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor

from curvox.errors import InputError

Check = TypeVar("Check", bound=Callable[..., None])


def listing(checks: dict[str, Check]) -> Callable[[Check], Check]:
    """Return the decorator that enters a check into ``checks`` under its name without ``check_``."""

    def listed(check: Check) -> Check:
        checks[check.__name__.removeprefix("check_")] = check
        return check

    return listed


def require(holds: bool | Tensor, message: str) -> None:
    """Raise AssertionError with ``message`` unless ``holds``."""
    if not bool(holds):
        raise AssertionError(message)


def refuses(what: str, take: Callable[..., Any], *values: Any) -> str:
    """Require that ``take(*values)`` raises `InputError`; return what it says."""
    try:
        take(*values)
    except InputError as refusal:
        _require_cause(refusal)
        return str(refusal)
    raise AssertionError(f"{what} must be refused by InputError")


@contextmanager
def or_refused() -> Iterator[None]:
    """Let an `InputError` pass that names its cause."""
    try:
        yield
    except InputError as refusal:
        _require_cause(refusal)


def require_each_once(state: dict[str, Any]) -> None:
    """Require that no tensor stands in a ``state_dict`` under two names."""
    addresses = {tensor.data_ptr() for tensor in state.values()}
    require(len(addresses) == len(state), "a tensor stands in the state_dict under two names")


def _require_cause(refusal: InputError) -> None:
    require(len(str(refusal)) > 20, f"a refusal must name its cause, got {str(refusal)!r}")
