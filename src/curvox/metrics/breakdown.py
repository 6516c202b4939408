"""Parts of trials by what is known of their sides."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError

UNKNOWN = "unknown"
_MOST_GROUPS = 500
_SHARES = (0.25, 0.5, 0.75)


def breakdown_masks(
    name: str, first: ArrayLike, second: ArrayLike, *, edges: Sequence[float] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Return which trials belong to which group, for ``evaluate(groups=...)``.

    A group is named after what is known and its value, "gender: f". A trial whose sides differ belongs to a group of
    both, "gender: f + m", whichever side has which. Numbers are put into bins, "duration: 2 to 4" holding 2 and not 4.
    Empty text, None and NaN are "unknown". A fact about the trial as a whole, such as the gap between its sessions, is
    given as both of its sides. Groups without trials are left out, so every trial is in exactly one group.

    Args:
        name: what is known.
        first: (N,) text, booleans or numbers, the values of the enrolment sides.
        second: (N,) those of the test sides.
        edges: between the bins of numbers, rising; if None the quartiles of all values, at two digits.

    Returns:
        (N,) boolean masks by the name of the group, in the order of the values.

    Raises:
        InputError: sides of different lengths, edges that do not rise, or more than 500 groups.
    """
    sides = np.asarray(first), np.asarray(second)
    if sides[0].ndim != 1 or sides[0].shape != sides[1].shape:
        raise InputError(
            f'column "{name}" must have one value for each trial on both sides, '
            f"got shapes {sides[0].shape} and {sides[1].shape}"
        )
    both = np.concatenate(sides)
    number, values = _binned(name, both.astype(np.float64), edges) if both.dtype.kind in "iuf" else _coded(both)
    one, other = np.split(number, 2)
    code = np.minimum(one, other) * len(values) + np.maximum(one, other)
    present, of_trial = np.unique(code, return_inverse=True)
    if present.size > _MOST_GROUPS:
        raise InputError(
            f'the breakdown by "{name}" has {present.size} groups, none of which would mean much; choose a column with '
            "few values, or give edges for a column of numbers"
        )
    titles = [(values[pair // len(values)], values[pair % len(values)]) for pair in present.tolist()]
    return {
        f"{name}: {low if low == high else f'{low} + {high}'}": of_trial == i for i, (low, high) in enumerate(titles)
    }


def _coded(values: NDArray) -> tuple[NDArray[np.intp], list[str]]:
    """Return the number of each value among the distinct ones, and their names in alphabetical order."""
    texts = np.array([UNKNOWN if value is None or value == "" else str(value) for value in values.tolist()])
    names, number = np.unique(texts, return_inverse=True)
    return number, names.tolist()


def _binned(
    name: str, values: NDArray[np.float64], edges: Sequence[float] | None
) -> tuple[NDArray[np.intp], list[str]]:
    """Return the number of the bin of each value, and the names of the bins in rising order."""
    known = values[np.isfinite(values)]
    if edges is None:
        quartiles = np.quantile(known, _SHARES).tolist() if known.size else []
        edges = sorted({float(f"{quartile:.2g}") for quartile in quartiles})
    edges = [float(edge) for edge in edges]
    if any(not low < high for low, high in pairwise(edges)) or not np.isfinite(edges).all():
        raise InputError(f'the edges of the bins of "{name}" must be finite and rise, got {edges}')
    number = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    if not edges:
        return number, ["all", UNKNOWN]
    between = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return number, [f"below {edges[0]:g}", *between, f"{edges[-1]:g} and above", UNKNOWN]
