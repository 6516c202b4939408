"""How far distances in a space are from distances in a tree, after the best common scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.hierarchy.distances import checked_weights


@dataclass(frozen=True)
class Distortion:
    """What remains between two metrics when one is scaled as well as can be.

    Attributes:
        average: the mean over pairs of ``|s d - t| / t``, at least 0; never above 1, what s = 0 would give.
        worst: the largest ``d / t`` over the smallest, at least 1; infinite where points of a pair coincide.
        scale: s, the one with the least average, in tree edges over the unit of the distances; 0 where most points
            coincide.
        pairs: pairs with ``t`` above 0 and a weight, which alone are counted.
    """

    average: float
    worst: float
    scale: float
    pairs: int


def distortion(distances: ArrayLike, tree_distances: ArrayLike, *, weights: ArrayLike | None = None) -> Distortion:
    """Return the average and the worst-case distortion of an embedding of a tree.

    Average and worst case are those of Sala et al. 2018 (Representation tradeoffs for hyperbolic embeddings,
    arXiv:1804.03329). The unit of a space is no business of the tree's, so the average is taken after the scale s that
    makes it least: a weighted median, exactly. The worst case is the same for every scale.

    Args:
        distances: (P,) d of pairs of items in the space, at least 0.
        tree_distances: (P,) t of the same pairs in the tree, at least 0; pairs at 0 are left out, as they have no
            relative error.
        weights: (P,) how much each pair counts; 1 if None.

    Raises:
        InputError: other shapes or values, or no pair with t above 0 and a weight.
    """
    d, t = np.asarray(distances, dtype=np.float64), np.asarray(tree_distances, dtype=np.float64)
    if d.ndim != 1 or d.shape != t.shape:
        raise InputError(f"expected as many distances as tree distances, got {d.shape} and {t.shape}")
    for values, name in ((d, "distances"), (t, "tree_distances")):
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError(f"{name} must be finite and at least 0")
    w = np.ones(len(d)) if weights is None else checked_weights(np.asarray(weights), len(d))
    counted = (t > 0) & (w > 0)
    if not counted.any():
        raise InputError("no pair of two leaves of the tree is left, so there is no distortion")
    ratios, w = d[counted] / t[counted], w[counted]
    order = np.argsort(-ratios)
    average, scale = average_of_sorted(ratios[order], w[order])
    smallest = float(ratios.min())
    return Distortion(
        average=average,
        worst=float(ratios.max()) / smallest if smallest > 0 else math.inf,
        scale=scale,
        pairs=int(counted.sum()),
    )


def average_of_sorted(ratios: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Return the average distortion and its scale s from ratios ``d / t`` (P,), largest first, and weights (P,).

    s has the least sum of ``w |s r - 1| = w r |s - 1 / r|``: it is a median of 1 / r with the weights w r.
    """
    below = np.cumsum(weights * ratios)
    scale = float(1 / ratios[np.searchsorted(below, below[-1] / 2)]) if below[-1] > 0 else 0.0
    return float(weights @ np.abs(scale * ratios - 1) / weights.sum()), scale
