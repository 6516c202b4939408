"""What the options of every augmentation keep: finite numbers, probabilities, ranges the right way round."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from curvox.errors import InputError


def check_ranges(options: Any) -> None:
    """Check the fields of a dataclass of options by their names.

    Numbers are finite; one whose name ends in ``probability`` or holds ``share`` lies between 0 and 1; one with
    ``low`` in its name is at most the one with ``high`` in that place. A name with ``low`` twice means the last.

    Raises:
        InputError: the first field that breaks this.
    """
    for field in fields(options):
        name, value = field.name, getattr(options, field.name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not np.isfinite(value):
            raise InputError(f"{name} must be finite, got {value!r}")
        if (name.endswith("probability") or "share" in name) and not 0 <= value <= 1:
            raise InputError(f"{name} must be between 0 and 1, got {value!r}")
        high = _counterpart(name)
        if hasattr(options, high) and value > getattr(options, high):
            raise InputError(f"{name} must be at most {high}, got {value!r} and {getattr(options, high)!r}")


def require_count(value: int, name: str) -> None:
    """Refuse a number below 1.

    Raises:
        InputError: it is.
    """
    if value < 1:
        raise InputError(f"{name} must be at least 1, got {value!r}")


def _counterpart(name: str) -> str:
    """The name with its last ``low`` turned into ``high``; itself where there is none."""
    words = name.split("_")
    for place in reversed(range(len(words))):
        if words[place] == "low":
            words[place] = "high"
            break
    return "_".join(words)
