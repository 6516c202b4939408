"""Laws of the Poincaré ball, over curvatures, precisions and drawn points."""

import math
import warnings

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curvox.geometry import (
    arcosh1p,
    conformal_factor,
    distance,
    exp0,
    log0,
    mobius_add,
    pairwise_distance,
)

with warnings.catch_warnings():  # geoopt scripts its functions, which torch has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import geoopt.manifolds.stereographic.math as oracle

CURVATURES = [0.1, 1.0, 4.0]
DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 2e-3, torch.float64: 1e-10}

cases = st.tuples(
    st.sampled_from(CURVATURES),
    st.sampled_from(DTYPES),
    st.integers(1, 12),
    st.integers(0, 2**31 - 1),
)
laws = settings(max_examples=60, deadline=None, derandomize=True)


def draw(c: float, dtype: torch.dtype, dim: int, seed: int, *, count: int = 3, most: float = 3.0) -> Tensor:
    """Points up to the distance ``2 most / sqrt(c)`` from the origin, some at the origin, some coincident."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    length = torch.rand(count, 1, generator=generator, dtype=torch.float64) * most
    length[torch.rand(count, 1, generator=generator) < 0.1] = 0.0
    x = exp0(direction * length / math.sqrt(c), c=c)
    if seed % 7 == 0:
        x[1] = x[0]
    return x.to(dtype)


@laws
@given(cases)
def test_distance__is_symmetric(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, _, _ = case
    x, y, _ = draw(*case)
    assert torch.equal(distance(x, y, c=c), distance(y, x, c=c))
    assert distance(x, x, c=c) == 0
    assert distance(x, y, c=c) >= 0
    assert distance(x, y, c=c).dtype == dtype


@laws
@given(cases)
def test_distance__keeps_the_triangle_inequality(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, _, _ = case
    x, y, w = draw(*case)
    detour = distance(x, w, c=c) + distance(w, y, c=c)
    assert distance(x, y, c=c) <= detour * (1 + TOLERANCE[dtype]) + TOLERANCE[dtype]


@laws
@given(cases)
def test_distance__is_invariant_under_mobius_translation(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, dim, seed = case
    x, y, a = draw(c, dtype, dim, seed, most=1.2)
    moved = distance(mobius_add(a, x, c=c), mobius_add(a, y, c=c), c=c)
    torch.testing.assert_close(moved, distance(x, y, c=c), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@laws
@given(cases)
def test_distance__equals_geoopt(case: tuple[float, torch.dtype, int, int]) -> None:
    c, _, dim, seed = case
    x, y, _ = draw(c, torch.float64, dim, seed)
    k = torch.tensor(-c, dtype=torch.float64)
    torch.testing.assert_close(distance(x, y, c=c), oracle.dist(x, y, k=k), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(mobius_add(x, y, c=c), oracle.mobius_add(x, y, k=k), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(conformal_factor(x, c=c), oracle.lambda_x(x, k=k), rtol=1e-9, atol=0)
    torch.testing.assert_close(log0(x, c=c), oracle.logmap0(x, k=k), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(exp0(x, c=c), oracle.expmap0(x, k=k), rtol=1e-9, atol=1e-12)


@laws
@given(cases)
def test_pairwise_distance__equals_a_loop(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, dim, seed = case
    x = draw(c, dtype, dim, seed, count=2, most=1.5)
    y = draw(c, dtype, dim, seed + 1, count=3, most=1.5)
    found = pairwise_distance(x, y, c=c)
    assert found.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            # the expansion is good to sqrt(eps) near coincidence
            near = 20 * torch.finfo(dtype).eps ** 0.5
            torch.testing.assert_close(found[i, j], distance(x[i], y[j], c=c), rtol=TOLERANCE[dtype], atol=near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CURVATURES)
def test_distance__gradients_are_finite_from_a_hair_to_the_rim(c: float, dtype: torch.dtype) -> None:
    rim = (1 - 1e-5) / c**0.5
    for apart in (0.0, 1e-30, 1e-20, 1e-15, 1e-9, 1e-4, 0.1):
        for radius in (0.0, 1e-15, 0.5 * rim, rim, 1 / c**0.5):
            x = torch.tensor([[radius, 0.0]], dtype=dtype, requires_grad=True)
            y = torch.tensor([[radius, 0.0], [-radius, apart]], dtype=dtype)
            y = (y + torch.tensor([0.0, apart], dtype=dtype)) * min(1.0, rim / max(radius, 1e-300))
            y.requires_grad_()
            for found in (distance(x, y, c=c), pairwise_distance(x, y, c=c)):
                gradients = torch.autograd.grad(found.sum(), (x, y))
                assert torch.isfinite(found).all()
                assert all(torch.isfinite(gradient).all() for gradient in gradients), (apart, radius)


@pytest.mark.parametrize("c", CURVATURES)
def test_distance__has_zero_gradient_at_coincidence_and_unit_slope_beside_it(c: float) -> None:
    x = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(distance(x, x.detach(), c=c), x)
    assert torch.equal(gradient, torch.zeros(2, dtype=torch.float64))
    beside = x.detach() + torch.tensor([1e-9, 0.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(distance(x, beside, c=c), x)
    assert gradient.norm().item() == pytest.approx(conformal_factor(x.detach(), c=c).item(), rel=1e-6)


@laws
@given(cases)
def test_distance__grows_along_a_geodesic_by_the_way_gone(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, dim, seed = case
    x, y, _ = draw(c, dtype, dim, seed, most=1.0)
    toward = log0(mobius_add(-x, y, c=c), c=c)
    shares = torch.tensor([0.0, 0.1, 0.35, 0.6, 0.8, 1.0, 1.2], dtype=dtype)
    way = [mobius_add(x, exp0(share * toward, c=c), c=c) for share in shares]
    gone = torch.stack([distance(x, point, c=c) for point in way])
    whole, slack = distance(x, y, c=c), TOLERANCE[dtype]
    torch.testing.assert_close(gone, whole * shares, rtol=slack, atol=slack)
    if whole > 0.1:
        assert (gone.diff() > 0).all()


@laws
@given(st.sampled_from(DTYPES), st.integers(1, 12), st.integers(0, 2**31 - 1))
def test_distance__tends_to_twice_the_flat_one_as_c_vanishes(dtype: torch.dtype, dim: int, seed: int) -> None:
    x, y = torch.randn(2, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    flat = 2 * (x - y).double().norm()
    squares = (x.square().sum() + y.square().sum()).item()
    for c in (1e-3, 1e-4, 1e-6):
        for found in (distance(x, y, c=c), pairwise_distance(x[None], y[None], c=c)[0, 0]):
            rounding = 100 * torch.finfo(dtype).eps * (1 + squares / (flat / 2) ** 2)
            # to the first order in c the relative excess is c (|x|^2 + |y|^2) / 2 - c |x - y|^2 / 6, and not below 0
            assert -rounding <= found.double() / flat - 1 <= c * squares + rounding


def test_distance__scales_with_the_ball() -> None:
    x, y, _ = draw(1.0, torch.float64, 4, 1)
    for c in CURVATURES:
        scaled = distance(x / c**0.5, y / c**0.5, c=c)
        torch.testing.assert_close(scaled * c**0.5, distance(x, y, c=1.0), rtol=1e-12, atol=0)


@laws
@given(cases)
def test_log0__inverts_exp0(case: tuple[float, torch.dtype, int, int]) -> None:
    c, dtype, _, _ = case
    x = draw(*case)
    torch.testing.assert_close(exp0(log0(x, c=c), c=c), x, rtol=TOLERANCE[dtype], atol=1e-7)
    origin = torch.zeros_like(x)
    reached = distance(origin, x, c=c)
    torch.testing.assert_close(reached, 2 * log0(x, c=c).norm(dim=-1), rtol=TOLERANCE[dtype], atol=1e-7)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-5, 2e-4, 0.5, 3.0])
def test_exp0_log0__pass_gradcheck(size: float) -> None:
    v = size * torch.tensor([[0.6, -0.8, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(log0(exp0(v, c=2.0), c=2.0), v, rtol=1e-6, atol=0)
    v.requires_grad_()
    assert torch.autograd.gradcheck(lambda a: exp0(a, c=2.0), v, eps=1e-7, atol=1e-6)


@pytest.mark.parametrize("function", [exp0, log0])
def test_maps_at_the_origin__are_finite_at_the_ends(function) -> None:
    for dtype in DTYPES:
        for size in (0.0, 1e-30, 1e-12, 1.0, 1e4):
            point = torch.tensor([size, 0.0], dtype=dtype, requires_grad=True)
            found = function(point, c=1.0)
            (gradient,) = torch.autograd.grad(found.sum(), point)
            assert torch.isfinite(found).all(), (dtype, size)
            assert torch.isfinite(gradient).all(), (dtype, size)


def test_arcosh1p__equals_fifty_digit_arithmetic() -> None:
    for dtype in DTYPES:
        for exponent in range(-30, 12):
            u = torch.tensor(10.0**exponent, dtype=dtype)
            with mpmath.workdps(50):
                exact = float(mpmath.acosh(1 + mpmath.mpf(u.item())))
            assert arcosh1p(u).item() == pytest.approx(exact, rel=4 * torch.finfo(dtype).eps), exponent


def test_arcosh1p__passes_gradcheck_twice() -> None:
    u = torch.tensor([1e-3, 0.1, 1.0, 50.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(arcosh1p, u)
    assert torch.autograd.gradgradcheck(arcosh1p, u)
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.equal(torch.autograd.grad(arcosh1p(zero).sum(), zero)[0], torch.zeros(1, dtype=torch.float64))


def test_arcosh1p__maps_over_a_batch() -> None:
    u = torch.linspace(0.1, 2.0, 6, dtype=torch.float64).reshape(2, 3)
    slopes = torch.func.vmap(torch.func.vmap(torch.func.grad(arcosh1p)))(u)
    torch.testing.assert_close(slopes, (u * (u + 2)).rsqrt())


@pytest.mark.parametrize("c", CURVATURES)
def test_distance__passes_gradcheck_twice(c: float) -> None:
    x, y, w = draw(c, torch.float64, 3, 5)
    x, y = x.requires_grad_(), torch.stack([y, w]).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: distance(a, b, c=c), (x, y))
    assert torch.autograd.gradgradcheck(lambda a, b: distance(a, b, c=c), (x, y))
    assert torch.autograd.gradcheck(lambda a, b: pairwise_distance(a[None], b, c=c), (x, y))
