"""Lorentz coordinates: hyperbolic space of curvature -c as the hyperboloid, in pure functions.

A point is (time, space) of E = D + 1 coordinates, time first, with ``<p, p> = -1/c`` under the Lorentz product
``<p, q> = -p_0 q_0 + sum of p_i q_i``, so that time is ``sqrt(1/c + |space|^2) > 0``. Every function takes c by keyword
and speaks of the same space, in the same distances, as `curvox.geometry.poincare`.

Which coordinates to take, for points at the depth a from the origin (in units of 1/sqrt(c)): rounding them to a
relative eps moves them sideways by ``eps e^a / 2`` in both. Along the ray it moves them by ``eps`` here and by
``eps e^a / 2`` in the ball, which cannot hold float32 points beyond a = 17 at all; here they go to 40. From tangent
vectors at the depth 12, float32 distances of pairs in different directions are good to 2e-6 here, 1e-2 in the ball; of
pairs 0.1 apart on one ray to 1e-4 and 1e-2; at the depth 3 to 5e-7 and 1e-6. A lift's ``rim_gap`` gives the ball the
first of these back in full, not the second. Points given in the ball should stay there: half way out a pair 1e-6 apart
is good to 1e-13 there and, by way of these coordinates, to 4e-8. Near the origin neither is better. The inner product
of two points is ``-cosh(sqrt(c) d) / c``, so that an index for the largest inner product finds the nearest neighbours;
its rounding hides distances below about ``sqrt(2 eps / c) cosh(a)``.
Law et al. 2019; Desai et al. 2023 (arXiv:2304.09172).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from curvox.geometry.poincare import arcosh1p, rim_gap
from curvox.geometry.vectors import inner_products, widen


def to_lorentz(x: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch D+1"]:
    """The points of the hyperboloid that the points x of the ball of curvature -c stand for, time first."""
    x = widen(x)
    gap = rim_gap(x, c=c)[..., None]
    return torch.cat([(2.0 - gap) / (gap * c**0.5), 2.0 * x / gap], dim=-1)


def from_lorentz(p: Float[Tensor, "*batch E"], *, c: float | Tensor) -> Float[Tensor, "*batch E-1"]:
    """The points of the ball, the inverse of `to_lorentz`; beyond the depth 17 float32 rounds them onto the rim."""
    p = widen(p)
    return p[..., 1:] / (1.0 + p[..., :1] * c**0.5)


def lorentz_exp0(v: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch D+1"]:
    """Exponential map at the origin, of the same tangent vectors as the ball's `exp0`: at distance ``2 |v|``.

    A v that leads further than 40 / sqrt(c) (float32; 319 / sqrt(c) in float64) is shortened to that, so that the
    product of two coordinates never overflows.
    """
    v = widen(v)
    squared_norm = v.square().sum(-1, keepdim=True)
    squared_depth = 4.0 * c * squared_norm
    longest = _MOST_OF_THE_RANGE * math.log(torch.finfo(v.dtype).max)
    far = squared_depth > longest**2
    held = math.sinh(longest) / c**0.5 * torch.where(far, squared_norm, 1.0).rsqrt()
    return _with_time(v * torch.where(far, held, 2.0 * _sinh_ratio(torch.where(far, 0.0, squared_depth))), c)


def lorentz_inner(p: Float[Tensor, "*#batch E"], q: Float[Tensor, "*#batch E"]) -> Float[Tensor, "*#batch"]:
    """The Lorentz product ``-p_0 q_0 + sum of p_i q_i``; ``-cosh(sqrt(c) d) / c`` for two points."""
    products = widen(p) * widen(q)
    return products[..., 1:].sum(-1) - products[..., 0]


def lorentz_distance(
    p: Float[Tensor, "*#batch E"], q: Float[Tensor, "*#batch E"], *, c: float | Tensor
) -> Float[Tensor, "*#batch"]:
    """Geodesic distances of points of the hyperboloid; gradient 0 at coincident points.

    Only the space coordinates are read, for the time coordinate follows from them. With ``g = c <p, q>`` over these
    and t the times in units of 1/sqrt(c), ``u = cosh(sqrt(c) d) - 1 = t_p t_q - 1 - g`` is the sum of two positive
    numbers where g < 0. Elsewhere, with s = p + q and the part n of p - q that is perpendicular to s,

        u = (c |p - q|^2 + c^2 |n|^2 |s|^2 / 4) / (1 + t_p t_q + g)

    which is ``<p - q, p - q> c / 2`` without its subtraction: d of a close pair is as good as p - q is.
    """
    p, q = widen(p)[..., 1:], widen(q)[..., 1:]
    excess_p, excess_q = _time_excess(p, c), _time_excess(q, c)
    excess = excess_p + excess_q + excess_p * excess_q  # t_p t_q - 1
    g = c * (p * q).sum(-1)
    gap, total = p - q, p + q
    squared_total = total.square().sum(-1)
    along = (gap * total).sum(-1) / torch.where(squared_total > 0, squared_total, 1.0)
    across = (gap - along[..., None] * total).square().sum(-1)
    denominator = 2.0 + excess + g.clamp_min(0.0)  # used where g >= 0 alone
    near = c * gap.square().sum(-1) / denominator + c * across * (c * squared_total / denominator) / 4.0
    return arcosh1p(torch.where(g < 0, excess - g, near)) / c**0.5


def pairwise_lorentz_distance(
    p: Float[Tensor, "B E"], q: Float[Tensor, "N E"], *, c: float | Tensor
) -> Float[Tensor, "B N"]:
    """Geodesic distances of all pairs of points of the hyperboloid, from one matrix product, in (B, N) memory.

    ``u = t_p t_q - 1 - g`` of `lorentz_distance`, with t - 1 taken from the space coordinates so that points near the
    origin keep their digits. The error of ``cosh(sqrt(c) d)`` is a few ``eps (u + c |p| |q|)``.
    """
    p, q = widen(p)[:, 1:], widen(q)[:, 1:]
    excess_p, excess_q = _time_excess(p, c)[:, None], _time_excess(q, c)[None, :]
    excess = excess_p + excess_q + excess_p * excess_q
    return arcosh1p((excess - c * inner_products(p, q)).clamp_min(0.0)) / c**0.5


_MOST_OF_THE_RANGE = 0.45
_SMALL_SQUARE = 1e-3  # below this, the series of sinh(a)/a in a^2 equals it to float64 rounding


def _with_time(space: Tensor, c: float | Tensor) -> Tensor:
    time = (1.0 / c + space.square().sum(-1, keepdim=True)).sqrt()
    return torch.cat([time, space], dim=-1)


def _time_excess(space: Tensor, c: float | Tensor) -> Tensor:
    """``sqrt(1 + c |space|^2) - 1`` without the subtraction."""
    square = c * space.square().sum(-1)
    return square / (1.0 + (1.0 + square).sqrt())


def _sinh_ratio(square: Tensor) -> Tensor:
    """``sinh(a) / a`` from ``square`` = a^2, with its limit 1 at 0, smooth there."""
    small = square < _SMALL_SQUARE
    a = torch.where(small, 1.0, square).sqrt()
    s = torch.where(small, square, 0.0)
    return torch.where(small, 1.0 + s / 6.0 * (1.0 + s / 20.0 * (1.0 + s / 42.0)), a.sinh() / a)
