"""Measures of a set of embeddings: how many dimensions they use, how far apart they lie, who is whose neighbour.

Pure functions of tensors, without a gradient. For a batch of 64 in 192 dimensions each takes well under a
millisecond or two, so that a training can be watched with them.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, self_distance, unit

_DRAWS = 4
_TWO_NN_KEPT = 0.9
_FEWEST_FOR_TWO_NN = 10


@torch.no_grad()
def effective_rank(points: Tensor) -> float:
    """Return how many dimensions the centred points (B, D) use, from 1 to min(B - 1, D); 0 where all are one point.

    It is exp of the entropy of the singular values, each over their sum. With fewer points than dimensions even the
    best embeddings reach no more than B - 1.
    Roy & Vetterli 2007 (The effective rank: a measure of effective dimensionality).

    Raises:
        InputError: the points are not a matrix.
    """
    values = _spectrum(points).sqrt()
    total = values.sum()
    if total <= 0:
        return 0.0
    shares = values / total
    return math.exp(torch.special.entr(shares).sum().item())


@functools.lru_cache(maxsize=256)
def gaussian_rank(count: int, dim: int) -> float:
    """Return the mean `effective_rank` of ``count`` >= 2 standard Gaussian vectors of ``dim`` dimensions, simulated."""
    generator = torch.Generator().manual_seed(0)
    draws = (torch.randn(count, dim, generator=generator) for _ in range(_DRAWS))
    return sum(effective_rank(draw) for draw in draws) / _DRAWS


@torch.no_grad()
def variance_shares(points: Tensor) -> Tensor:
    """Return the shares (min(B, D),) of the variance of points (B, D) along its principal axes, largest first.

    All 0 where all points are one.
    """
    values = _spectrum(points)
    return values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)


@torch.no_grad()
def alignment(raw: Tensor, speakers: Tensor) -> float:
    """Return the mean squared chord of unit vectors of one speaker, 0 to 4; NaN without a same-speaker pair.

    Wang & Isola 2020 (arXiv:2005.10242), with alpha = 2.
    """
    same, _ = _pairs(_squared_chords(raw), speakers)
    return same.mean().item() if len(same) else math.nan


@torch.no_grad()
def uniformity(raw: Tensor) -> float:
    """Return ``log mean exp(-2 chord²)`` over all pairs of unit vectors: 0 where all are one, -4 evenly spread.

    NaN for less than two. Wang & Isola 2020 (arXiv:2005.10242), with t = 2.
    """
    count = len(raw)
    if count < 2:
        return math.nan
    kernel = torch.exp(-2.0 * _squared_chords(raw))
    return math.log((kernel.sum().item() - kernel.diagonal().sum().item()) / (count * (count - 1)))


@torch.no_grad()
def same_and_different_distances(space: AbstractSpace, points: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distances of all pairs of projected points (B, D) of one speaker (P,) and of two (Q,), each once."""
    return _pairs(self_distance(points, space), speakers)


@torch.no_grad()
def radius_quantiles(space: AbstractSpace, raw: Tensor) -> tuple[float, float, float]:
    """Return the 5 %, 50 % and 95 % quantile of the norms of points over the largest one the lift can give.

    Args:
        space: a Poincaré ball.
        raw: (B, D) raw embeddings, B >= 1.

    Raises:
        InputError: another space.
    """
    if space.ball is None:
        raise InputError(f"a radius is measured in a Poincaré ball, got the space {space.describe()['name']}")
    radii = torch.linalg.vector_norm(space.project(raw), dim=1) / space.ball.reach
    low, mid, high = torch.quantile(radii, torch.tensor([0.05, 0.5, 0.95], dtype=radii.dtype)).tolist()
    return low, mid, high


@torch.no_grad()
def relative_spread(space: AbstractSpace, points: Tensor, distances: Tensor) -> float:
    """Return the median of ``distances`` over that of projected points (B, D) and their opposites: 0 for one point.

    Vectors of random directions have 0.5 on the sphere and 0.7 in flat space. A few outliers do not change it.
    """
    across = space.distance(points, -points).median().item()
    return distances.median().item() / across if across > 0 else 0.0


@torch.no_grad()
def distance_variation(distances: Tensor) -> float:
    """Return the standard deviation of distances over their mean; 0 where all are alike, NaN where all are 0."""
    mean = distances.mean().item()
    return distances.std(correction=0).item() / mean if mean > 0 else math.nan


@torch.no_grad()
def intrinsic_dimension(distances: Tensor) -> float:
    """Return the intrinsic dimension of points by their ``distances`` (B, B) to the two nearest neighbours (TwoNN).

    The tenth of the points with the largest ratios is left out, and so are points that coincide with another. High
    dimensions come out too low: 192 Gaussian ones at about 60 from 500 points. NaN where fewer than 10 points are left.
    Facco et al. 2017 (arXiv:1803.06992).
    """
    if len(distances) < _FEWEST_FOR_TWO_NN:
        return math.nan
    others = distances.clone().fill_diagonal_(math.inf)
    nearest = others.topk(2, dim=1, largest=False).values.double()
    nearest = nearest[nearest[:, 0] > 0]
    count = len(nearest)
    kept = int(_TWO_NN_KEPT * count)
    if count < _FEWEST_FOR_TWO_NN:
        return math.nan
    logs = (nearest[:, 1] / nearest[:, 0]).log().sort().values[:kept]
    wanted = -torch.log1p(-torch.arange(1, kept + 1, dtype=logs.dtype) / count)
    squares = logs.square().sum()
    return ((logs * wanted).sum() / squares).item() if squares > 0 else math.nan


@torch.no_grad()
def neighbour_counts(distances: Tensor, *, neighbours: int = 10) -> Tensor:
    """Return in how many lists of the ``neighbours`` nearest each point (B,) is, by the ``distances`` (B, B).

    Raises:
        InputError: too few points.
    """
    if not 1 <= neighbours < len(distances):
        raise InputError(f"{neighbours} neighbours need more than {neighbours} points, got {len(distances)}")
    others = distances.clone().fill_diagonal_(math.inf)
    listed = others.topk(neighbours, dim=1, largest=False).indices
    return torch.bincount(listed.flatten(), minlength=len(distances))


@torch.no_grad()
def skewness(counts: Tensor) -> float:
    """Return the skewness of `neighbour_counts`: near 0 without hubs, several with them; 0 where all are alike.

    Radovanovic, Nanopoulos & Ivanovic 2010 (Hubs in space).
    """
    centred = counts.double() - counts.double().mean()
    deviation = centred.square().mean().sqrt().item()
    return (centred**3).mean().item() / deviation**3 if deviation > 0 else 0.0


def _spectrum(points: Tensor) -> Tensor:
    """Squared singular values of the centred points, largest first; squaring needs the digits of float64."""
    if points.ndim != 2 or not points.numel():
        raise InputError(f"points must be (B, D) with B >= 1 and D >= 1, got {tuple(points.shape)}")
    wide = points.detach().double()
    centred = wide - wide.mean(0)
    gram = centred @ centred.T if len(points) < points.shape[1] else centred.T @ centred
    values = torch.linalg.eigvalsh(gram).flip(0)
    # What rounding alone leaves, of centring and of the product.
    rounding = len(values) * torch.finfo(values.dtype).eps * wide.square().sum()
    return torch.where(values > rounding, values, 0.0)


def _squared_chords(raw: Tensor) -> Tensor:
    directions = unit(raw.float())
    return (2.0 - 2.0 * directions @ directions.T).clamp_min(0.0)


def _pairs(matrix: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    same = speakers[:, None] == speakers[None, :]
    once = torch.ones_like(same).triu(1)
    return matrix[same & once], matrix[~same & once]
