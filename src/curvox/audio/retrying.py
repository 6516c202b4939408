"""Disks and networks that are away for a moment: a few more tries, each with a message, then an end that helps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from curvox.errors import CurvoxError

Result = TypeVar("Result")

WAITS_S: tuple[float, ...] = (1.0, 5.0, 20.0)
"""Seconds before each further try."""


class UnreachableError(CurvoxError):
    """What recordings lie on cannot be read: a mount that is lost, a download that fails. No recording is at fault."""


def with_retries(action: Callable[[], Result], what: str, way_on: str) -> Result:
    """Return what ``action`` returns; while it raises OSError, try again after `WAITS_S`.

    Args:
        what: what failed, as a message begins.
        way_on: what its reader can do.

    Raises:
        UnreachableError: the last try failed too.
    """
    for wait_s in WAITS_S:
        try:
            return action()
        except OSError as error:
            print(f"{what}: {_reason(error)}; trying again in {wait_s:g} s", file=sys.stderr, flush=True)
            time.sleep(wait_s)
    try:
        return action()
    except OSError as error:
        tries = len(WAITS_S) + 1
        raise UnreachableError(f"{what}, also after {tries} tries: {_reason(error)}; {way_on}") from error


def _reason(error: OSError) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
