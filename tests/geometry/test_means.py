"""Means of points: where copies are, moved along by every isometry, and the least sum of squared distances."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Euclidean, Hypersphere, PoincareBall, centroid, distance, exp0, mobius_add

with warnings.catch_warnings():  # geoopt scripts its functions, which torch has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import geoopt.manifolds.stereographic.math as oracle

CURVATURES = [0.1, 1.0, 4.0]
TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-10}
cases = st.tuples(
    st.sampled_from(CURVATURES),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 2**31 - 1),
)
laws = settings(max_examples=25, deadline=None, derandomize=True)
Case = tuple[float, torch.dtype, int, int, int]


def draw(case: Case, *, most: float = 2.0) -> Tensor:
    """K points up to the distance ``2 most / sqrt(c)`` from the origin."""
    c, dtype, count, dim, seed = case
    generator = torch.Generator().manual_seed(seed)
    v = torch.nn.functional.normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=-1)
    return exp0(most * v * torch.rand(count, 1, generator=generator, dtype=torch.float64) / c**0.5, c=c).to(dtype)


@laws
@given(cases)
def test_centroid__moves_along_with_a_mobius_translation(case: Case) -> None:
    c, dtype = case[:2]
    x = draw(case, most=1.2)
    a = x[0].flip(0) * 0.7
    moved = centroid(mobius_add(a[None], x, c=c), c=c)
    assert distance(moved, mobius_add(a, centroid(x, c=c), c=c), c=c) < TOLERANCE[dtype] / c**0.5


@laws
@given(cases)
def test_centroid__equals_the_scaled_sum_on_the_hyperboloid(case: Case) -> None:
    c, _, count, dim, seed = case
    x = draw((c, torch.float64, count, dim, seed)).numpy()
    gap = 1 - c * (x**2).sum(-1)
    time, space = ((2 - gap) / gap).sum() / c**0.5, (2 * x / gap[:, None]).sum(0)
    scale = np.sqrt(c * (time**2 - (space**2).sum()))
    expected = space / scale / (1 + c**0.5 * time / scale)
    np.testing.assert_allclose(centroid(torch.from_numpy(x), c=c).numpy(), expected, rtol=1e-9, atol=1e-12)


@laws
@given(cases)
def test_centroid__equals_geoopts_midpoint(case: Case) -> None:
    c, _, count, dim, seed = case
    x = draw((c, torch.float64, count, dim, seed))
    expected = oracle.weighted_midpoint(x, k=torch.tensor(-c, dtype=torch.float64))
    torch.testing.assert_close(centroid(x, c=c), expected, rtol=1e-7, atol=1e-9)


@laws
@given(cases)
def test_centroid__has_the_least_sum_of_squared_lorentz_distances(case: Case) -> None:
    c, _, count, dim, seed = case
    x = draw((c, torch.float64, count, dim, seed))

    def cost(y: Tensor) -> Tensor:
        return (torch.cosh(c**0.5 * distance(x, y, c=c)) - 1).sum()

    middle = centroid(x, c=c).requires_grad_()
    (slope,) = torch.autograd.grad(cost(middle), middle)
    scale = sum(torch.sinh(c**0.5 * distance(x, middle, c=c)).detach()) + 1e-9
    assert slope.norm() * (1 - c * middle.square().sum()) / c**0.5 < 1e-6 * scale + 1e-9
    step = 1e-2 * torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / c**0.5
    beside = mobius_add(middle.detach(), step, c=c)
    assert cost(beside) > cost(middle.detach())


@laws
@given(cases)
def test_mean__does_not_depend_on_the_order_and_is_where_copies_are(case: Case) -> None:
    c, dtype = case[:2]
    x = draw(case)
    for space in (Euclidean(), Hypersphere(), PoincareBall(c=c)):
        points = space.project(x)
        torch.testing.assert_close(space.mean(points), space.mean(points.flip(0)), rtol=TOLERANCE[dtype], atol=1e-6)
        copies = points[:1].expand(7, -1)
        torch.testing.assert_close(space.mean(copies), points[0], rtol=4e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("c", CURVATURES)
def test_centroid__is_inside_and_finite_with_its_gradient_up_to_the_rim(c: float, dtype: torch.dtype) -> None:
    rim = (1 - 1e-5) / c**0.5
    east = torch.tensor([rim, 0.0, 0.0], dtype=dtype)
    beside = rim * torch.nn.functional.normalize(torch.tensor([1.0, 1e-4, 0.0], dtype=dtype), dim=0)
    cases = (
        [east, east],
        [east, beside],
        [east, -east],
        [east, 0 * east],
        [0 * east, 0 * east],
        [0 * east, 1e-30 * east],
    )
    for points in cases:
        x = torch.stack(points).requires_grad_()
        middle = centroid(x, c=c)
        (gradient,) = torch.autograd.grad(middle.sum(), x)
        assert torch.isfinite(middle).all()
        assert torch.isfinite(gradient).all()
        assert c * middle.double().square().sum() < 1
        apart = distance(x[0].double(), x[1].double(), c=c)
        if dtype == torch.float64 or apart == 0:
            halves = distance(middle.double(), x.double(), c=c)
            torch.testing.assert_close(halves, (apart / 2).expand(2), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere(), PoincareBall(c=2.0)], ids=lambda s: type(s).__name__)
def test_mean__of_many_sets_is_that_of_each_and_passes_gradcheck(space: AbstractSpace) -> None:
    z = 0.3 * torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = space.project(z)
    means = space.mean(x)
    assert means.shape == (4, 5)
    torch.testing.assert_close(means, torch.stack([space.mean(one) for one in x]))
    assert torch.autograd.gradcheck(lambda a: space.mean(space.project(a)), z.requires_grad_())
    assert space.mean(x.detach().bfloat16()).dtype == torch.float32
    for wrong in (x[0, 0], x[:, :0]):
        with pytest.raises(InputError, match="at least one point"):
            space.mean(wrong)


def test_mean__of_directions_is_a_direction_or_zero() -> None:
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [-1.0, 0.0]]])
    found = Hypersphere().mean(x)
    torch.testing.assert_close(found, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, 0.0]]))
