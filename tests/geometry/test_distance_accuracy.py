"""The errors that `distance` and `pairwise_distance` state, held against 50-digit arithmetic on the same points."""

from dataclasses import dataclass
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

from curvox.geometry import (
    PoincareBall,
    distance,
    lorentz_distance,
    pairwise_distance,
    pairwise_lorentz_distance,
    to_lorentz,
)

CURVATURES = [0.1, 1.0, 4.0]
DTYPES = [torch.float32, torch.float64]
RADII = [0.0, 0.1, 0.5, 0.9, 0.999, 1 - 1e-5]  # of the ball's
APART = [0.0, 1e-12, 1e-6, 1e-3, 0.1, 1.0, "elsewhere", "opposite"]  # in units of the space, by a small step
ERRORS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}


Number = Any  # one of mpmath's


@dataclass(frozen=True)
class Exact:
    """Distance d, u = cosh(sqrt(c) d) - 1, and the 1 - c |x|^2 of both points, as numbers of 50 digits."""

    d: Number
    u: Number
    gap_x: Number
    gap_y: Number

    @property
    def pull(self) -> Number:
        return 1 / self.gap_x + 1 / self.gap_y


def exact(x: Tensor, y: Tensor, c: float) -> Exact:
    p, q = ([mpmath.mpf(value) for value in point.tolist()] for point in (x, y))
    gap_x, gap_y = (1 - c * mpmath.fsum(point, squared=True) for point in (p, q))
    u = 2 * c * mpmath.fsum([a - b for a, b in zip(p, q, strict=True)], squared=True) / (gap_x * gap_y)
    return Exact(mpmath.acosh(1 + u) / mpmath.sqrt(c), u, gap_x, gap_y)


def pairs(c: float, dtype: torch.dtype, dim: int) -> list[tuple[Tensor, Tensor]]:
    """From coincident to opposite points, at the origin, half way and on the rim of the lifts."""
    generator = torch.Generator().manual_seed(dim)
    found = []
    for share in RADII:
        for apart in APART:
            n = torch.randn(2, dim, generator=generator, dtype=torch.float64)
            n = n / n.norm(dim=-1, keepdim=True)
            x, y = n * share / c**0.5
            if apart == "opposite":
                y = -x
            elif not isinstance(apart, str):
                y = x + apart * n[1] * (1 - share**2) / 2
                y = y * min(1.0, RADII[-1] / c**0.5 / max(y.norm().item(), 1e-300))
            found.append((x.to(dtype), y.to(dtype)))
    return found


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


@pytest.mark.parametrize("dim", [1, 3, 192])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CURVATURES)
def test_distances__stay_within_their_stated_errors(c: float, dtype: torch.dtype, dim: int) -> None:
    eps, root = ERRORS[dtype], mpmath.sqrt(c)
    for x, y in pairs(c, dtype, dim):
        true = exact(x, y, c)
        bound = 2 * eps * true.pull * min(true.d / 2, 1 / root) + 4 * eps * true.d
        assert abs(distance(x, y, c=c).item() - true.d) <= bound, (x.norm(), true.d)
        squares = mpmath.fsum(x.tolist(), squared=True) + mpmath.fsum(y.tolist(), squared=True)
        doubt = 4 * eps * (2 * c * squares / (true.gap_x * true.gap_y) + true.u * true.pull)
        bound = mpmath.acosh(1 + doubt) / root + 4 * eps * true.d
        if 0 < doubt <= true.u / 2:
            bound = min(bound, 2 * doubt / mpmath.sqrt(true.u * (true.u + 2)) / root + 4 * eps * true.d)
        assert abs(pairwise_distance(x[None], y[None], c=c).item() - true.d) <= bound, (x.norm(), true.d)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz_distances__stay_within_the_errors_of_the_ball(c: float, dtype: torch.dtype) -> None:
    """From points of the ball the way through the hyperboloid can win nothing; it must not lose much either."""
    eps, root = ERRORS[dtype], mpmath.sqrt(c)
    for x, y in pairs(c, dtype, 3):
        true, p, q = exact(x, y, c), to_lorentz(x, c=c), to_lorentz(y, c=c)
        moved = 4 * eps * true.pull / root  # by rounding the coordinates to a relative eps
        assert abs(lorentz_distance(p, q, c=c).item() - true.d) <= moved + 4 * eps * true.d, (x.norm(), true.d)
        doubt = 16 * eps * (true.u * true.pull + (1 / true.gap_x) * (1 / true.gap_y))
        bound = mpmath.acosh(1 + doubt) / root + 4 * eps * true.d
        assert abs(pairwise_lorentz_distance(p[None], q[None], c=c).item() - true.d) <= bound, (x.norm(), true.d)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CURVATURES)
def test_gradients__are_finite_and_zero_at_coincidence(c: float, dtype: torch.dtype) -> None:
    for x, y in pairs(c, dtype, 5):
        for point in (x, y):
            point.requires_grad_()
        values = [
            distance(x, y, c=c),
            pairwise_distance(x[None], y[None], c=c)[0, 0],
            lorentz_distance(to_lorentz(x, c=c), to_lorentz(y, c=c), c=c),
            pairwise_lorentz_distance(to_lorentz(x, c=c)[None], to_lorentz(y, c=c)[None], c=c)[0, 0],
        ]
        for value in values:
            gradients = torch.autograd.grad(value, (x, y), retain_graph=True)
            assert torch.isfinite(value)
            assert all(torch.isfinite(gradient).all() for gradient in gradients)
        if torch.equal(x, y):
            for value in (values[0], values[2]):
                assert value == 0
                assert all((gradient == 0).all() for gradient in torch.autograd.grad(value, (x, y), retain_graph=True))


@pytest.mark.parametrize("c", CURVATURES)
def test_gradient__of_distance_has_the_length_of_a_geodesic(c: float) -> None:
    """Its length is 2 / (1 - c |x|^2) for whatever pair apart, which is the error of that fraction and no more."""
    for x, y in pairs(c, torch.float64, 3):
        true = exact(x, y, c)
        if true.d > 1e-11:
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(distance(x, y, c=c), x)
            assert abs(gradient.norm().item() * true.gap_x / 2 - 1) <= 16 * ERRORS[torch.float64] * true.pull


@pytest.mark.parametrize("c", CURVATURES)
def test_ball__under_bfloat16_is_float32_of_the_rounded_inputs(c: float) -> None:
    ball = PoincareBall(c=c)
    z = 0.5 * torch.randn(2, 6, 24, generator=torch.Generator().manual_seed(0)) / c**0.5
    z = z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x, y = ball.project(z)
        found = [ball.distance(x, y), ball.pairwise_distance(x, y), distance(z[0] / 8, z[1] / 8, c=c)]
    x, y = ball.project(z.float())
    wanted = [ball.distance(x, y), ball.pairwise_distance(x, y), distance(z[0].float() / 8, z[1].float() / 8, c=c)]
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert all(value.dtype == torch.float32 for value in found)
