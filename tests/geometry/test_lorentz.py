"""Lorentz coordinates: the same space as the ball, on the hyperboloid, and better than it far out."""

import math
import warnings

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curvox.geometry import (
    distance,
    exp0,
    from_lorentz,
    lorentz_distance,
    lorentz_exp0,
    lorentz_inner,
    pairwise_lorentz_distance,
    to_lorentz,
)

with warnings.catch_warnings():  # geoopt scripts its functions, which torch has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import geoopt.manifolds.lorentz.math as oracle

CURVATURES = [0.1, 1.0, 4.0]
DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-11}
Case = tuple[float, torch.dtype, int, int]
cases = st.tuples(st.sampled_from(CURVATURES), st.sampled_from(DTYPES), st.integers(1, 12), st.integers(0, 2**31 - 1))
laws = settings(max_examples=25, deadline=None, derandomize=True)


def tangents(case: Case, *, count: int = 3, most: float = 2.0) -> Tensor:
    """Tangent vectors at the origin up to the length ``most / sqrt(c)``, one of them zero now and then."""
    c, dtype, dim, seed = case
    generator = torch.Generator().manual_seed(seed)
    v = torch.nn.functional.normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=-1)
    v = v * torch.rand(count, 1, generator=generator, dtype=torch.float64) * most / c**0.5
    if seed % 5 == 0:
        v[0] = 0.0
    return v.to(dtype)


@laws
@given(cases)
def test_to_lorentz__lies_on_the_hyperboloid_and_is_inverted(case: Case) -> None:
    c, dtype, dim, _ = case
    x = exp0(tangents(case), c=c)
    p = to_lorentz(x, c=c)
    assert p.shape == (3, dim + 1)
    assert p.dtype == dtype
    assert (p[:, 0] >= (1 - 1e-6) / c**0.5).all()
    scale = c * p.square().sum(-1)
    assert ((c * lorentz_inner(p, p) + 1).abs() <= 100 * torch.finfo(dtype).eps * scale**1.5).all()
    torch.testing.assert_close(from_lorentz(p, c=c), x, rtol=1e-5, atol=1e-7)


@laws
@given(cases)
def test_lorentz_exp0__is_the_exponential_map_of_the_ball(case: Case) -> None:
    c, dtype, _, _ = case
    v = tangents(case)
    p = lorentz_exp0(v, c=c)
    torch.testing.assert_close(from_lorentz(p, c=c), exp0(v, c=c), rtol=1e-5, atol=1e-7)
    origin = lorentz_exp0(torch.zeros_like(v), c=c)
    torch.testing.assert_close(lorentz_distance(p, origin, c=c), 2 * v.norm(dim=-1), rtol=TOLERANCE[dtype], atol=1e-7)


@laws
@given(cases)
def test_lorentz_distance__equals_that_of_the_ball_of_the_inner_product_and_of_all_pairs(case: Case) -> None:
    c, dtype, dim, seed = case
    v, w = tangents(case), tangents((c, dtype, dim, seed + 1))
    p, q = lorentz_exp0(v, c=c), lorentz_exp0(w, c=c)
    found, slack = lorentz_distance(p, q, c=c), TOLERANCE[dtype]
    torch.testing.assert_close(found, distance(exp0(v, c=c), exp0(w, c=c), c=c), rtol=slack, atol=slack)
    torch.testing.assert_close((c**0.5 * found).cosh(), -c * lorentz_inner(p, q), rtol=slack, atol=slack)
    every = torch.stack([lorentz_distance(one, q, c=c) for one in p])
    near = 100 * torch.finfo(dtype).eps ** 0.5 / c**0.5
    torch.testing.assert_close(pairwise_lorentz_distance(p, q, c=c), every, rtol=slack, atol=near)
    assert torch.equal(found, lorentz_distance(q, p, c=c))
    assert (lorentz_distance(p, p, c=c) == 0).all()


@laws
@given(cases)
def test_lorentz_distance__equals_geoopt(case: Case) -> None:
    """geoopt's k is the squared radius 1/c, its exponential map takes tangent vectors of twice the ball's length."""
    c, _, dim, seed = case
    v, w = tangents((c, torch.float64, dim, seed)), tangents((c, torch.float64, dim, seed + 1))
    k = torch.tensor(1 / c, dtype=torch.float64)
    p, q = lorentz_exp0(v, c=c), lorentz_exp0(w, c=c)
    flat = torch.nn.functional.pad(2 * v, (1, 0))
    if (v.norm(dim=-1) > 1e-3).all():  # below, geoopt clamps
        torch.testing.assert_close(p, oracle.expmap0(flat, k=k), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(lorentz_inner(p, q), oracle.inner(p, q), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(lorentz_distance(p, q, c=c), oracle.dist(p, q, k=k), rtol=1e-6, atol=1e-6)
    x = exp0(v * c**0.5, c=1.0)
    torch.testing.assert_close(to_lorentz(x, c=1.0), oracle.poincare_to_lorentz(x, k=k**0), rtol=1e-4, atol=1e-4)


def _exact(v: Tensor, w: Tensor, c: float) -> float:
    with mpmath.workdps(60):
        a, b = ([mpmath.mpf(value) for value in vector.tolist()] for vector in (v, w))
        long_a, long_b = (mpmath.sqrt(mpmath.fsum(vector, squared=True)) for vector in (a, b))
        cosine = mpmath.fdot(a, b) / (long_a * long_b)
        depth_a, depth_b = (2 * mpmath.sqrt(c) * length for length in (long_a, long_b))
        cosh = mpmath.cosh(depth_a) * mpmath.cosh(depth_b) - mpmath.sinh(depth_a) * mpmath.sinh(depth_b) * cosine
        return float(mpmath.acosh(cosh) / mpmath.sqrt(c))


@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz_distance__from_tangent_vectors_keeps_the_digits_that_the_ball_loses_far_out(c: float) -> None:
    generator = torch.Generator().manual_seed(0)
    eps = torch.finfo(torch.float32).eps
    worst_ball = 0.0
    for depth in (1.0, 6.0, 11.0):
        for _ in range(10):
            v, w = torch.nn.functional.normalize(torch.randn(2, 8, generator=generator), dim=-1) * depth / 2 / c**0.5
            true = _exact(v, w, c)
            p, q = (lorentz_exp0(one, c=c) for one in (v, w))
            for found in (lorentz_distance(p, q, c=c), pairwise_lorentz_distance(p[None], q[None], c=c)[0, 0]):
                assert abs(found.item() - true) <= 4 * eps * (1 + depth) / c**0.5
            on_ray = _exact(v, 1.01 * v, c)
            found = lorentz_distance(p, lorentz_exp0(1.01 * v, c=c), c=c).item()
            # sideways, rounding moves a point by eps sinh(depth): on a ray that is felt to the second order
            assert abs(found - on_ray) <= (8 * eps * (1 + depth) + (eps * math.sinh(depth)) ** 2 / 0.01) / c**0.5
            ball = distance(exp0(v, c=c), exp0(w, c=c), c=c).item()
            worst_ball = max(worst_ball, abs(ball - true) * c**0.5)
    assert worst_ball > 100 * 4 * eps * 12


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz__is_finite_with_its_gradient_at_every_length(c: float, dtype: torch.dtype) -> None:
    for size in (0.0, 1e-30, 1e-12, 1e-3, 1.0, 30.0, 1e4, 1e15):
        for turn in (0.0, 1e-9, 1e-3, 2.0, math.pi):
            v = torch.tensor([[size, 0.0, 0.0]], dtype=dtype, requires_grad=True)
            w = torch.tensor([[size * math.cos(turn), size * math.sin(turn), 0.0]], dtype=dtype, requires_grad=True)
            p, q = lorentz_exp0(v, c=c), lorentz_exp0(w, c=c)
            for d in (lorentz_distance(p, q, c=c), pairwise_lorentz_distance(p, q, c=c)):
                gradients = torch.autograd.grad(d.sum(), (v, w), retain_graph=True)
                assert torch.isfinite(d).all(), (size, turn)
                assert all(torch.isfinite(gradient).all() for gradient in gradients), (size, turn)
                assert d.max() <= 4 * min(size, 1e3 / c**0.5) * 1.001
            if turn == 0.0:
                d = lorentz_distance(p, q, c=c)
                assert d == 0
                assert all((gradient == 0).all() for gradient in torch.autograd.grad(d.sum(), (v, w)))


@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz__passes_gradcheck(c: float) -> None:
    v, w = tangents((c, torch.float64, 3, 1)), tangents((c, torch.float64, 3, 2))
    v, w = v.requires_grad_(), w.requires_grad_()
    for function in (lorentz_distance, pairwise_lorentz_distance):
        assert torch.autograd.gradcheck(
            lambda a, b, f=function: f(lorentz_exp0(a, c=c), to_lorentz(exp0(b, c=c), c=c), c=c), (v, w)
        )
    assert torch.autograd.gradcheck(lambda a: from_lorentz(lorentz_exp0(a, c=c), c=c), v)
