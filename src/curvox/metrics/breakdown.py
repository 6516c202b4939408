"""Parts of trials by what is known of their sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, require_name

# Lower edges of the bins of numeric columns that are known by name.
DEFAULT_BINS: Mapping[str, tuple[float, ...]] = {"duration": (2.0, 4.0, 8.0, 16.0)}
UNKNOWN = "unknown"
_MOST_GROUPS = 500
_SHARES = (0.25, 0.5, 0.75)

Masks = dict[str, NDArray[np.bool_]]


def breakdown_masks(
    columns: Mapping[str, tuple[ArrayLike, ArrayLike]],
    by: Sequence[str | tuple[str, str]],
    *,
    bins: Mapping[str, Sequence[float]] = DEFAULT_BINS,
) -> Masks:
    """Return which trials belong to which group, for ``evaluate(groups=...)``.

    A group is named after its column and value, "gender: f". A trial whose sides differ belongs to a group of both,
    "gender: f + m", whichever side has which. A pair of columns is crossed: "language: de × session gap: other".
    Numbers are put into bins, "duration: 2 to 4" holding 2 and not 4. Empty text, None and NaN are "unknown". A fact
    about the trial as a whole, such as the gap between its sessions, is given as both of its sides. Groups without
    trials are left out, so every trial is in exactly one group of each entry of ``by``.

    Args:
        columns: by name, the values (N,) of the enrolment sides and those of the test sides: text, booleans or numbers.
        by: columns, or pairs of columns, to break down by.
        bins: by name of a numeric column, the edges between its bins, rising. Without them the edges are the quartiles
            of all its values, at two digits.

    Returns:
        (N,) boolean masks by the name of the group, in the order of ``by`` and of the values.

    Raises:
        UnknownNameError: a column that is not there.
        InputError: sides of different lengths, edges that do not rise, a column crossed with itself, or a breakdown of
            more than 500 groups.
    """
    made: Masks = {}
    parts: dict[str, Masks] = {}
    lengths: set[int] = set()
    for wanted in by:
        names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        for name in names:
            require_name(name, columns, "column to break down by")
            if name not in parts:
                parts[name] = _masks(name, columns[name], bins.get(name))
            lengths.add(np.size(columns[name][0]))
        if len(lengths) > 1:
            raise InputError(f"all columns must have one value for each trial, got lengths {sorted(lengths)}")
        if len(names) == 1:
            made |= parts[names[0]]
        elif len(names) == 2 and names[0] != names[1]:
            made |= _crossed(parts[names[0]], parts[names[1]])
        else:
            raise InputError(f"a breakdown is by one column or by two different ones, got {wanted!r}")
        if len(made) > _MOST_GROUPS:
            raise InputError(
                f"the breakdown by {' × '.join(names)} has more than {_MOST_GROUPS} groups, none of which would mean "
                "much; choose a column with few values"
            )
    return made


def _crossed(first: Masks, second: Masks) -> Masks:
    if len(first) * len(second) > 100 * _MOST_GROUPS:
        raise InputError(
            f"the breakdown would have {len(first)} × {len(second)} groups; choose columns with few values"
        )
    pairs = {f"{a} × {b}": first[a] & second[b] for a in first for b in second}
    return {name: mask for name, mask in pairs.items() if mask.any()}


def _masks(name: str, sides: tuple[ArrayLike, ArrayLike], edges: Sequence[float] | None) -> Masks:
    first, second = (np.asarray(side) for side in sides)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            f'column "{name}" must have one value for each trial on both sides, '
            f"got shapes {first.shape} and {second.shape}"
        )
    both = np.concatenate((first, second))
    number, values = _binned(name, both.astype(np.float64), edges) if both.dtype.kind in "iuf" else _coded(both)
    one, other = number[: first.size], number[first.size :]
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
