"""The Poincaré ball of curvature -c as pure functions.

The ball is ``{x : c |x|^2 < 1}``, c > 0, of radius 1/sqrt(c). Every function takes c by keyword. Values and
gradients are finite everywhere; a point that rounding put on the rim counts as half a machine epsilon inside.
Nickel & Kiela 2017 (arXiv:1705.08039), Ganea et al. 2018 (arXiv:1805.09112).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from curvox.geometry.vectors import norm, pairwise_squared_distance, unit, widen

_SMALL = 1e-4  # below this, artanh(a)/a equals its two-term series to float64 rounding
_SMALL_SQUARE = 1e-3  # below this, the series of tanh(a)/a and of sech(a)^2 in a^2 do


class _Arcosh1p(torch.autograd.Function):
    """arcosh(1 + u) that saves u alone; its derivative at u = 0 is set to 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor) -> Tensor:
        return torch.log1p(u + u.sqrt() * (u + 2.0).sqrt())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        positive = u > 0
        safe = torch.where(positive, u, 1.0)
        return torch.where(positive, grads[0] / (safe.sqrt() * (safe + 2.0).sqrt()), 0.0)


def arcosh1p(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """arcosh(1 + u) for u >= 0, exact to a few eps down to u = 0, where the gradient is 0."""
    return _Arcosh1p.apply(u)  # pyright: ignore[reportReturnType]


def rim_gap(x: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch"]:
    """``1 - c |x|^2``, which is 2 over the conformal factor: 1 at the origin, towards 0 at the rim.

    Never below eps / 2 of the dtype, the smallest value that the subtraction gives for a point inside.
    """
    return (1.0 - c * x.square().sum(-1)).clamp_min(torch.finfo(x.dtype).eps / 2)


def conformal_factor(x: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch"]:
    """``2 / (1 - c |x|^2)``: how much longer a small step at x is than in flat space; 2 at the origin."""
    return 2.0 / rim_gap(x, c=c)


def distance(
    x: Float[Tensor, "*#batch D"],
    y: Float[Tensor, "*#batch D"],
    *,
    c: float | Tensor,
    gaps: Float[Tensor, "*#batch"] | None = None,
) -> Float[Tensor, "*#batch"]:
    """Geodesic distance ``arcosh(1 + 2c |x-y|^2 / ((1 - c|x|^2)(1 - c|y|^2))) / sqrt(c)`` by direct difference.

    The gradient at coincident points is 0. As c goes to 0 the distance goes to ``2 |x - y|``.

    With the machine epsilon of the dtype (1.2e-7 in float32, to which half precision is widened) and
    ``g = 1 - c |x|^2``, the error of d is at most

        k eps (1/g_x + 1/g_y) min(d / 2, 1 / sqrt(c)) + 4 eps d,        k = 2

    for points whose difference squares without underflow: close pairs keep their digits. The first part is the rounding
    of ``1 - c |x|^2``; u inherits it, and d from u by ``d d / d log u = tanh(sqrt(c) d / 2) / sqrt(c)``. On the rim of
    the lifts (g = 2e-5) it comes to 0.024 / sqrt(c) in float32. The rounding errors of sums average out, so that k = 2
    was not reached in any dimension up to 1024; k = D + 3 covers any order of adding.
    A lift's ``rim_gap`` is free of it: ``gaps`` takes the product of the two points' where they are known.
    """
    x, y = widen(x), widen(y)
    gaps = rim_gap(x, c=c) * rim_gap(y, c=c) if gaps is None else gaps
    u = 2.0 * c * (x - y).square().sum(-1) / gaps
    return arcosh1p(u) / c**0.5


def pairwise_distance(x: Float[Tensor, "B D"], y: Float[Tensor, "N D"], *, c: float | Tensor) -> Float[Tensor, "B N"]:
    """Geodesic distances of all pairs from one matrix product, in (B, N) memory.

    ``|x - y|^2`` comes from its expansion, so that its absolute error is a few ``eps * (|x|^2 + |y|^2)``. With u, g and
    eps as in `distance`, ``u = cosh(sqrt(c) d) - 1`` comes out within

        E = k eps (2c (|x|^2 + |y|^2) / (g_x g_y) + u (1/g_x + 1/g_y)),        k = 4

    (k = 2 D + 3 covers any order of adding), and d therefore within ``arcosh(1 + E) / sqrt(c) + 4 eps d``; where
    E <= u / 2, also within ``2 E / sqrt(u (u + 2)) / sqrt(c) + 4 eps d``. In the inner half of the ball a pair closer
    than 1e-3 in float32 is only known to be that close; at the rim (radius 1 - 1e-5) two coincident points can come
    out 9 / sqrt(c) apart in float32, 4e-3 / sqrt(c) in float64. Compute such pairs by `distance`, which has no such
    error.
    """
    x, y = widen(x), widen(y)  # before the rim gaps
    u = pairwise_squared_distance(x, y) * (2.0 * c / rim_gap(x, c=c))[:, None] / rim_gap(y, c=c)[None, :]
    return arcosh1p(u) / c**0.5


def tanh_ratio(square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """``tanh(a) / a`` from ``square`` = a^2, with its limit 1 at 0, smooth there."""
    small = square < _SMALL_SQUARE
    a = torch.where(small, 1.0, square).sqrt()
    s = torch.where(small, square, 0.0)
    series = 1.0 - s / 3.0 * (1.0 - s * (2.0 / 5.0) * (1.0 - s * (17.0 / 42.0) * (1.0 - s * (62.0 / 153.0))))
    return torch.where(small, series, a.tanh() / a)


def squared_sech(square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """``1 - tanh(a)^2 = 1 / cosh(a)^2`` from ``square`` = a^2, without the cancellation, smooth at 0."""
    small = square < _SMALL_SQUARE
    a = torch.where(small, 1.0, square).sqrt()
    s = torch.where(small, square, 0.0)
    series = 1.0 - s * (1.0 - s * (2.0 / 3.0) * (1.0 - s * (17.0 / 30.0) * (1.0 - s * (62.0 / 119.0))))
    return torch.where(small, series, a.cosh().square().reciprocal())


def artanh_ratio(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """``artanh(a) / a`` for 0 <= a < 1, with its limit 1 at 0; held finite at a = 1 as `rim_gap` is."""
    small = a.abs() < _SMALL
    safe = torch.where(small, 0.5, a).clamp_max(1.0 - torch.finfo(a.dtype).eps / 2)
    return torch.where(small, 1.0 + a.square() / 3.0, safe.atanh() / safe)


def exp0(v: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch D"]:
    """Exponential map at the origin, ``tanh(sqrt(c)|v|) v / (sqrt(c)|v|)``; the point lies at distance ``2 |v|``.

    In float32 the hyperbolic tangent rounds to 1, the rim itself, once sqrt(c)|v| passes 9.
    """
    return v * tanh_ratio(v.square().sum(-1, keepdim=True) * c)


def log0(x: Float[Tensor, "*batch D"], *, c: float | Tensor) -> Float[Tensor, "*batch D"]:
    """Logarithmic map at the origin, ``artanh(sqrt(c)|x|) x / (sqrt(c)|x|)``, the inverse of `exp0`."""
    return x * artanh_ratio(norm(x) * c**0.5)


def mobius_add(
    x: Float[Tensor, "*#batch D"], y: Float[Tensor, "*#batch D"], *, c: float | Tensor
) -> Float[Tensor, "*#batch D"]:
    """Möbius sum x + y of the ball, the left translation of y by x; an isometry in y (Ungar 2008)."""
    xy = (x * y).sum(-1, keepdim=True)
    xx = x.square().sum(-1, keepdim=True)
    yy = y.square().sum(-1, keepdim=True)
    numerator = (1.0 + 2.0 * c * xy + c * yy) * x + (1.0 - c * xx) * y
    denominator = 1.0 + 2.0 * c * xy + c * c * xx * yy
    return numerator / denominator.clamp_min(torch.finfo(x.dtype).tiny)


def directions(
    base: Float[Tensor, "*#batch D"], x: Float[Tensor, "*#batch D"], *, c: float | Tensor
) -> Float[Tensor, "*#batch D"]:
    """Vectors of no set length from ``base`` towards x, in the frame that the translation by -base takes to the origin.

    They are ``(-base) + x`` of the ball but for its denominator, written without its subtraction.
    """
    gap = x - base
    return (1.0 - c * base.square().sum(-1, keepdim=True)) * gap - c * gap.square().sum(-1, keepdim=True) * base


def log_map(
    base: Float[Tensor, "*#batch D"], x: Float[Tensor, "*#batch D"], *, c: float | Tensor
) -> Float[Tensor, "*#batch D"]:
    """Logarithmic map at ``base``: tangent vectors in the frame of `directions`, as long as the points are away."""
    return distance(base, x, c=c)[..., None] * unit(directions(base, x, c=c))


def exp_map(
    base: Float[Tensor, "*#batch D"], v: Float[Tensor, "*#batch D"], *, c: float | Tensor
) -> Float[Tensor, "*#batch D"]:
    """Exponential map at ``base``, the inverse of `log_map`: the point at the distance ``|v|``."""
    return mobius_add(base, exp0(v / 2.0, c=c), c=c)  # exp0 goes twice as far as its vector is long


def centroid(x: Float[Tensor, "*batch K D"], *, c: float | Tensor) -> Float[Tensor, "*batch D"]:
    """The point whose squared Lorentz distances ``(2 / c) (cosh(sqrt(c) d) - 1)`` to K points add up to the least.

    It is the mean of the points on the hyperboloid, scaled back onto it, and the same as Einstein's midpoint. With the
    weights ``w = 1 / (1 - c |x|^2)``, the weighted mean m in the ball and ``q = 2c mean(w |x - m|^2)``

        m / (1 + q / (1 + sqrt(1 + 2 q mean(w))))

    which subtracts nothing: coincident points give themselves and the rim loses no digits beyond those of w.
    Law et al. 2019 (Lorentzian distance learning for hyperbolic representations); Ungar 2008 for the midpoint.
    """
    x = widen(x)
    weights = 1.0 / rim_gap(x, c=c)
    middle = (weights / weights.sum(-1, keepdim=True))[..., None].mul(x).sum(-2)
    spread = 2.0 * c * (weights * (x - middle[..., None, :]).square().sum(-1)).mean(-1)
    shrink = 1.0 + spread / (1.0 + (1.0 + 2.0 * spread * weights.mean(-1)).sqrt())
    return middle / shrink[..., None]
