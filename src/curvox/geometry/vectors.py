"""Flat-space pieces that every space is built on: precision, safe roots, unit vectors, angles, squared distances."""

import torch
from jaxtyping import Float
from torch import Tensor


def widen(z: Tensor) -> Tensor:
    """Return ``z`` in float32 when it came in a half-precision type; float32 and float64 pass unchanged."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z


def inner_products(x: Float[Tensor, "B D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
    """All inner products by one matrix product, in the precision of the inputs even under autocast."""
    with torch.autocast(device_type=x.device.type, enabled=False):
        return x @ y.T


def sqrt0(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Square root of values >= 0 whose gradient at 0 is 0 instead of infinite."""
    positive = a > 0
    return torch.where(positive, torch.where(positive, a, 1.0).sqrt(), 0.0)


def norm(x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch 1"]:
    """Euclidean norm, kept as a last axis of one, with gradient 0 at the zero vector."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def unit(z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
    """Scale each vector to length one.

    The zero vector has no direction and stays zero; its gradient is that of the identity, so training can leave it.
    """
    length = norm(z)
    return z / torch.where(length > 0, length, 1.0)


def euclidean_distance(x: Float[Tensor, "*#batch D"], y: Float[Tensor, "*#batch D"]) -> Float[Tensor, "*#batch"]:
    """Length of ``x - y``; gradient 0 where the two coincide."""
    return torch.linalg.vector_norm(widen(x) - widen(y), dim=-1)


def pairwise_squared_distance(x: Float[Tensor, "B D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
    """Squared Euclidean distances as ``|x|^2 + |y|^2 - 2<x, y>``: one matrix product, (B, N) memory.

    The expansion cancels when x is close to y: the absolute error is a few ``eps * (|x|^2 + |y|^2)`` with the
    machine epsilon of the dtype. Values that rounding pushed below zero are returned as zero.
    """
    x, y = widen(x), widen(y)
    squares_x = x.square().sum(-1)[:, None]
    squares_y = y.square().sum(-1)[None, :]
    return (squares_x + squares_y - 2.0 * inner_products(x, y)).clamp_min(0.0)


def pairwise_euclidean_distance(x: Float[Tensor, "B D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
    """Euclidean distances of all pairs; near zero the error is about ``sqrt(eps) * (|x| + |y|)``."""
    return sqrt0(pairwise_squared_distance(x, y))


def angle(x: Float[Tensor, "*#batch D"], y: Float[Tensor, "*#batch D"]) -> Float[Tensor, "*#batch"]:
    """Angle in radians, 0 to pi, between unit vectors, as ``2 atan2(|x - y|, |x + y|)``.

    Exact to a few eps at 0 and at pi, where the arc cosine loses half of the digits. The gradient is bounded
    everywhere and 0 where x = y or x = -y. A zero vector is at pi/2 from every unit vector.
    """
    return 2.0 * torch.atan2(euclidean_distance(x, y), euclidean_distance(x, -y))


def pairwise_angle(x: Float[Tensor, "B D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
    """Angles in radians between all pairs of unit vectors, from one matrix product.

    Closer than ``sqrt(eps)`` to 0 or pi the result is only good to about ``sqrt(eps)``; `angle` is exact there.
    """
    cosines = inner_products(widen(x), widen(y)).clamp(-1.0, 1.0)
    return 2.0 * torch.atan2(sqrt0(1.0 - cosines), sqrt0(1.0 + cosines))


def log_map_of_angles(base: Float[Tensor, "*#batch D"], x: Float[Tensor, "*#batch D"]) -> Float[Tensor, "*#batch D"]:
    """Logarithmic map of the sphere of unit vectors at ``base``: tangent vectors as long as the angles to the points.

    The zero vector stands for a point that is opposite, as for one that coincides: it has no direction.
    """
    gap = x - base
    return angle(base, x)[..., None] * unit(gap - (gap * base).sum(-1, keepdim=True) * base)


def exp_map_of_angles(base: Float[Tensor, "*#batch D"], v: Float[Tensor, "*#batch D"]) -> Float[Tensor, "*#batch D"]:
    """Exponential map of the sphere at ``base``: the unit vector at the angle ``|v|``, in the direction of v."""
    length = norm(v)
    return unit(length.cos() * base + torch.sinc(length / torch.pi) * v)
