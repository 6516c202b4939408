"""Lifts: strictly inside, along z, as far as they say, and with a live radius where they promise one."""

import math

import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import LIFTS, AbstractLift, Clip, ExpMap, PoincareBall, Published, SoftClip, clip, exp0

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


def test_clip__equals_the_formula() -> None:
    z = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(clip(z, radius=1.0), expected)


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
