"""Lifts: strictly inside, along z, as far as they say, and with a live radius where they promise one."""

import math
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.errors import InputError
from curvox.geometry import LIFTS, AbstractLift, Clip, ExpMap, PoincareBall, Published, SoftClip, exp0

CASES = {
    "clip": (1.0, Clip()),
    "clip c=4": (4.0, Clip()),
    "clip radius": (0.1, Clip(2.0)),
    "published": (1.0, Published(3.0)),
    "published C=1": (1.0, Published(1.0)),
    "exp_map": (1.0, ExpMap()),
    "exp_map c=4": (4.0, ExpMap(0.5)),
    "soft_clip": (1.0, SoftClip()),
    "soft_clip c=0.1": (0.1, SoftClip(0.1, radius=3.0)),
}
laws = settings(max_examples=60, deadline=None, derandomize=True)
every_lift = pytest.mark.parametrize(("c", "lift"), CASES.values(), ids=CASES.keys())
SIZES = [0.0, 1e-30, 1e-12, 1e-3, 1.0, math.sqrt(192), 1e4, 1e12]


def directions(count: int, dim: int) -> torch.Tensor:
    z = torch.randn(count, dim, generator=torch.Generator().manual_seed(0))
    return z / z.norm(dim=-1, keepdim=True)


@every_lift
def test_lift__stays_strictly_inside_in_float32(c: float, lift: AbstractLift) -> None:
    for dim in (1, 2, 192):
        for size in SIZES:
            x = lift(size * directions(50, dim), c=c)
            assert x.dtype == torch.float32
            assert (c * x.double().square().sum(-1) < 1 - 1e-5).all(), (dim, size)
            # float32 sees it inside too
            assert (1 - c * x.square().sum(-1) > 0).all(), (dim, size)


@every_lift
def test_lift__is_finite_in_value_and_gradient(c: float, lift: AbstractLift) -> None:
    for size in SIZES:
        z = (size * directions(5, 192)).requires_grad_()
        x = lift(z, c=c)
        (gradient,) = torch.autograd.grad(x.sum(), z)
        assert torch.isfinite(x).all(), size
        assert torch.isfinite(gradient).all(), size


@every_lift
def test_lift__keeps_the_direction_and_grows_with_the_length(c: float, lift: AbstractLift) -> None:
    z = directions(5, 16).double()
    before = torch.zeros(5)
    for size in (1e-12, 1e-3, 0.1, 1.0, 10.0):
        x = lift(size * z, c=c)
        torch.testing.assert_close(x / x.norm(dim=-1, keepdim=True), z, rtol=1e-6, atol=1e-7)
        assert (x.norm(dim=-1) >= before).all()
        before = x.norm(dim=-1) * (1 - 1e-12)


@every_lift
def test_max_distance__is_that_of_two_opposite_endless_embeddings(c: float, lift: AbstractLift) -> None:
    space = PoincareBall(c=c, lift=lift)
    z = 1e12 * torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    x = space.project(z)
    reached = space.distance(x[0], x[1]).item()
    assert reached == pytest.approx(space.max_distance, rel=1e-6)


@every_lift
def test_lift__passes_gradcheck(c: float, lift: AbstractLift) -> None:
    for size in (1e-2, 1.0):
        z = (size * directions(3, 4).double()).requires_grad_()
        assert torch.autograd.gradcheck(lambda a: lift(a, c=c), z)


@every_lift
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factor_and_rim_gap__are_finite_with_their_gradients(c: float, lift: AbstractLift, dtype: torch.dtype) -> None:
    sizes = [0.0, 1e-60, 1e-30, 1e-8, 1e-3, 1.0, 192.0, 1e8, 1e30, 1e37, *([1e60] if dtype == torch.float64 else [])]
    for held in (c, torch.tensor(c, requires_grad=True)):
        if isinstance(held, torch.Tensor) and isinstance(lift, Published):
            continue
        squares = torch.tensor(sizes, dtype=dtype, requires_grad=True)
        inputs = [squares, *lift.parameters(), *([held] if isinstance(held, torch.Tensor) else [])]
        for function in (lift.factor, lift.rim_gap):
            found = function(squares, dim=192, c=held)
            assert found.dtype == dtype
            assert found.shape == squares.shape
            assert torch.isfinite(found).all()
            assert (found > 0).all()
            gradients = torch.autograd.grad(found.sum(), inputs, allow_unused=True)
            assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients)


@every_lift
def test_rim_gap__is_that_of_the_point_in_fifty_digits(c: float, lift: AbstractLift) -> None:
    """The point of |z|^2 as its formula has it; the plain difference is off by eps / gap, which at the rim is 1e-2."""
    for dtype in (torch.float32, torch.float64):
        eps = torch.finfo(dtype).eps
        squares = torch.tensor([0.0, 1e-8, 0.01, 0.3, 2.0, 30.0, 192.0, 1e4, 1e12], dtype=dtype)
        wide = torch.tensor(squares.tolist(), dtype=torch.float64)
        found = lift.rim_gap(squares, dim=192, c=c).detach()
        with mpmath.workdps(50):
            exact = torch.tensor([float(_exact_gap(lift, value, c)) for value in wide.tolist()], dtype=torch.float64)
        clips = isinstance(lift, (Clip, Published))
        # a long z of exp_map multiplies the rounding of its depth: d log gap = 2 tanh(a) da, with a up to 6.1
        bound = 4 * eps * torch.ones(len(exact)) if clips else 32 * eps * exact
        assert ((found.double() - exact).abs() <= bound).all()
        assert (lift.rim_gap(squares[-1:], dim=192, c=c).double() / exact[-1] - 1).abs() < 40 * eps
        plain = 1 - c * lift.factor(squares, dim=192, c=c).detach().square() * squares
        assert (plain - found).abs().max() < 32 * eps


def _exact_gap(lift: AbstractLift, square: float, c: float) -> Any:
    length, rim = mpmath.sqrt(square), (1 - mpmath.mpf("1e-5")) / mpmath.sqrt(c)
    if isinstance(lift, ExpMap):
        depth = mpmath.sqrt(c) * mpmath.mpf(lift.gain.item()) * length
        return 1 - mpmath.tanh(min(depth, mpmath.atanh(1 - mpmath.mpf("1e-5")))) ** 2
    if isinstance(lift, Published):
        return 1 - min(length, (1 - mpmath.mpf("1e-5")) / mpmath.sqrt(lift.curvature)) ** 2
    assert isinstance(lift, (Clip, SoftClip))
    radius = rim if lift.radius is None else mpmath.mpf(lift.radius)
    if isinstance(lift, Clip):
        return 1 - c * min(length, radius) ** 2
    width = lift.width * mpmath.sqrt(192)
    return 1 - c * (radius * length / (width + mpmath.sqrt(width**2 + square))) ** 2


@every_lift
def test_factor_and_rim_gap__pass_gradcheck(c: float, lift: AbstractLift) -> None:
    squares = torch.tensor([1e-4, 9e-3, 0.2, 3.0], dtype=torch.float64, requires_grad=True)
    for function in (lift.factor, lift.rim_gap):
        assert torch.autograd.gradcheck(lambda a, f=function: f(a, dim=16, c=c), squares, eps=1e-7)


@laws
@given(
    st.sampled_from(list(CASES)),
    st.sampled_from([torch.float32, torch.float64]),
    st.lists(st.floats(1e-15, 1e15), min_size=2, max_size=6, unique=True),
)
def test_lift__takes_a_longer_z_at_least_as_far(name: str, dtype: torch.dtype, lengths: list[float]) -> None:
    c, lift = CASES[name]
    squares = torch.tensor(sorted(lengths), dtype=dtype).square()
    reached = lift.factor(squares, dim=3, c=c).detach() * squares.sqrt()
    gap = lift.rim_gap(squares, dim=3, c=c).detach()
    slack = 8 * torch.finfo(dtype).eps
    assert (reached[1:] >= reached[:-1] * (1 - slack)).all()
    assert (gap[1:] <= gap[:-1] * (1 + slack)).all()
    assert (reached <= lift.reach(c=c) * (1 + slack)).all()


def test_clip__equals_the_formula() -> None:
    z = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0.54, 0.72], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(Clip(0.9)(z, c=1.0), expected)


def test_published__is_a_clip_of_the_unit_ball() -> None:
    z = torch.randn(10, 5)
    assert torch.equal(Published(3.0)(z, c=1.0), Clip((1 - 1e-5) / math.sqrt(3))(z, c=1.0))
    with pytest.raises(InputError, match="c = 1"):
        PoincareBall(c=3.0, lift=Published(3.0))
    with pytest.raises(InputError, match="at least 1"):
        Published(0.5)


def test_published__puts_batch_normalised_embeddings_on_one_sphere_and_gives_their_length_no_gradient() -> None:
    """The finding that the live lifts answer: the share of the gradient along z, for |z| = sqrt(192)."""
    shares = {
        name: _radial_share(lift)
        for name, lift in {"published": Published(3.0), "exp_map": ExpMap(), "soft_clip": SoftClip()}.items()
    }
    assert shares["published"] < 1e-6
    assert shares["exp_map"] > 0.1
    assert shares["soft_clip"] > 0.1


def _radial_share(lift: AbstractLift) -> float:
    z = (math.sqrt(192) * directions(20, 192)).requires_grad_()
    target = directions(25, 192)[5:] * 0.3
    space = PoincareBall(lift=lift)
    (gradient,) = torch.autograd.grad(space.distance(space.project(z), target).sum(), z)
    radial = (gradient * z).sum(-1) / z.norm(dim=-1)
    return (radial.norm() / gradient.norm()).item()


def test_soft_clip__keeps_the_radius_alive_at_ten_thousand() -> None:
    space = PoincareBall(lift=SoftClip())
    z = (1e4 * directions(3, 192)).requires_grad_()
    depth = space.distance(space.project(z), torch.zeros(192))
    (gradient,) = torch.autograd.grad(depth.sum(), z)
    slope = (gradient * z).sum(-1)  # d depth / d log |z|, which is 1 for a logarithm
    torch.testing.assert_close(slope, torch.ones(3), rtol=0.05, atol=0)


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_soft_clip__lies_at_the_inverse_hyperbolic_sine_of_the_length(c: float) -> None:
    z = torch.randn(6, 8, dtype=torch.float64)
    space = PoincareBall(c=c, lift=SoftClip(width=0.7))
    depth = space.distance(space.project(z), torch.zeros(8, dtype=torch.float64))
    expected = torch.asinh(z.norm(dim=-1) / (0.7 * math.sqrt(8))) / math.sqrt(c)
    torch.testing.assert_close(depth, expected, rtol=1e-3, atol=0)


def test_exp_map__is_the_exponential_map_with_a_gain_above_zero_that_learns() -> None:
    lift = ExpMap(gain=0.3).double()
    z = torch.randn(6, 8, dtype=torch.float64)
    assert lift.gain.item() == pytest.approx(0.3, rel=1e-6)
    torch.testing.assert_close(lift(z, c=2.0), exp0(lift.gain * z, c=2.0))
    lift(z, c=2.0).square().sum().backward()
    assert lift.raw_gain.grad is not None
    assert lift.raw_gain.grad.abs() > 0
    for raw in (-80.0, 0.0, 80.0):
        lift.raw_gain.data.fill_(raw)
        assert lift.gain > 0
        assert torch.isfinite(lift(z, c=2.0)).all()


@pytest.mark.parametrize("gain", [1e-6, 0.1, 5.0, 300.0])
def test_exp_map__starts_from_the_gain_given(gain: float) -> None:
    assert ExpMap(gain).gain.item() == pytest.approx(gain, rel=1e-5)


@pytest.mark.parametrize("name", LIFTS)
def test_every_lift_of_the_table__describes_itself_by_its_name(name: str) -> None:
    lift = LIFTS.load(name)()
    assert lift.describe()["name"] == name
    assert 0 < lift.reach(c=1.0) < 1


def test_radius__must_fit_into_the_ball() -> None:
    for lift in (Clip(0.5), SoftClip(radius=0.5), Clip(0.4999999)):
        with pytest.raises(InputError, match="radius must be below"):
            PoincareBall(c=4.0, lift=lift)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="radius"):
            Clip(wrong)
        with pytest.raises(InputError, match="width"):
            SoftClip(wrong)
        with pytest.raises(InputError, match="gain"):
            ExpMap(wrong)
