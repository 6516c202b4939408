"""Clusters of embeddings whose mean dissimilarity is one inner product.

The dissimilarities of `curvox.geometry.AbstractDissimilarity` have the form

    u(x, y) = s w(x) w(y) |x - y|^2

With the mean weight r of a cluster, its weighted mean m
and its weighted variance v, the mean of u over all pairs between two clusters is

    s r_A r_B (|m_A - m_B|^2 + v_A + v_B)

exactly, whatever their sizes: a cluster costs as much as a point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from curvox.geometry import AbstractDissimilarity


@dataclass(eq=False)
class Clusters:
    """Clusters in slots; a slot whose cluster went into another is dead.

    Attributes:
        factor: s of the dissimilarity.
        rows: (m, D + 2) mean of w x, mean of w, and ``r (|m|^2 + v)``, infinite where dead, for the product.
        means: (m, D) the weighted means m.
        weights: (m,) the mean weights r.
        variances: (m,) v.
        sizes: (m,) float64, how many points.
    """

    factor: float
    rows: NDArray[np.float64]
    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    variances: NDArray[np.float64]
    sizes: NDArray[np.float64]
    _memory: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))

    def between(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean dissimilarities of pairs by direct difference, the same to the last bit for (b, a)."""
        squares = np.square(self.means[a] - self.means[b]).sum(1)
        return self.factor * (self.weights[a] * self.weights[b]) * (squares + (self.variances[a] + self.variances[b]))

    def two_nearest(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the two nearest of each of these clusters (k, 2) and about how far they are, infinite for none.

        By one product: within some ``eps s r_A r_B (|m_A|^2 + |m_B|^2 + v_A + v_B)``, so that nearer ones are mixed up.
        """
        rows, mine = torch.from_numpy(self.rows), torch.from_numpy(slots)
        facing = self.factor * rows[mine]
        facing = torch.cat([-2.0 * facing[:, :-2], facing[:, -1:], facing[:, -2:-1]], dim=1)
        if self._memory.numel() < len(mine) * len(rows):  # kept, as fresh memory costs a good part of a product
            self._memory = rows.new_empty(len(mine) * len(rows))
        products = self._memory[: len(mine) * len(rows)].view(len(mine), len(rows))
        torch.mm(facing, rows.T, out=products)
        products[torch.arange(len(mine)), mine] = torch.inf
        values, which = products.topk(2, dim=1, largest=False)
        return which.numpy(), values.numpy()

    def merge(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Merge the clusters in slots b into those in slots a; no slot comes twice."""
        size = self.sizes[a] + self.sizes[b]
        share = (self.sizes[a] / size, self.sizes[b] / size)
        weight = share[0] * self.weights[a] + share[1] * self.weights[b]
        mass_a, mass_b = share[0] * self.weights[a] / weight, share[1] * self.weights[b] / weight
        gaps = self.means[b] - self.means[a]
        self.variances[a] = (
            mass_a * self.variances[a] + mass_b * self.variances[b] + mass_a * mass_b * np.square(gaps).sum(1)
        )
        self.means[a] += mass_b[:, None] * gaps
        self.weights[a] = weight
        self.sizes[a] = size
        self.rows[a] = _rows(self.means[a], weight, self.variances[a])
        self.rows[b] = 0.0
        self.rows[b, -1] = np.inf

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep these slots alone, renumbered in their order."""
        self.rows, self.means = self.rows[slots], self.means[slots]
        self.weights, self.variances, self.sizes = self.weights[slots], self.variances[slots], self.sizes[slots]


def single_points(dissimilarity: AbstractDissimilarity, points: NDArray[np.float64]) -> Clusters:
    """Return a cluster for each point (n, D) of the space.

    Raises:
        InputError: points off the space.
    """
    weights = dissimilarity.weights(points)
    means = points - points.mean(0)  # differences stay, and the product cancels less
    variances = np.zeros(len(points))
    rows = _rows(means, weights, variances)
    return Clusters(dissimilarity.factor, rows, means, weights, variances, np.ones(len(points)))


def _rows(
    means: NDArray[np.float64], weights: NDArray[np.float64], variances: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows = np.empty((means.shape[0], means.shape[1] + 2))
    rows[:, :-2] = means * weights[:, None]
    rows[:, -2] = weights
    rows[:, -1] = weights * (np.square(means).sum(1) + variances)
    return rows
