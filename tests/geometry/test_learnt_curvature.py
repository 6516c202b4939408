"""A curvature that learns: it starts where it was told, moves, keeps to its decade, and is saved with the space."""

import math

import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import Clip, ExpMap, PoincareBall, Published, SoftClip, create_space, lifts
from curvox.scoring import score_pairs

LIFTS = {"clip": Clip, "clip 0.4": lambda: Clip(0.4), "exp_map": ExpMap, "soft_clip": lambda: SoftClip(radius=0.4)}
every_lift = pytest.mark.parametrize("lift", LIFTS.values(), ids=LIFTS.keys())


def with_raw_c(space: PoincareBall, value: float) -> PoincareBall:
    assert space.raw_c is not None
    with torch.no_grad():
        space.raw_c.fill_(value)
    return space


def c_of(space: PoincareBall) -> float:
    return space.c.item() if isinstance(space.c, torch.Tensor) else space.c


@every_lift
@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_curvature__starts_as_the_fixed_one(lift, c: float) -> None:
    fixed, learnt = PoincareBall(c=c, lift=lift()), PoincareBall(c=c, lift=lift(), learn_c=True).double()
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert isinstance(fixed.c, float)
    assert isinstance(learnt.c, torch.Tensor)
    assert learnt.c.shape == ()
    assert learnt.max_distance == pytest.approx(fixed.max_distance, rel=1e-6)
    x, y = fixed.project(z), learnt.project(z)
    torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-9)
    for name in ("distance", "pairwise_distance"):
        found, wanted = getattr(learnt, name)(x, x.flip(0)), getattr(fixed, name)(x, x.flip(0))
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(learnt.mean(x), fixed.mean(x), rtol=1e-6, atol=1e-9)


@every_lift
@pytest.mark.parametrize("raw", [-50.0, -0.5, 0.0, 0.5, 50.0])
def test_curvature__has_a_finite_gradient_and_keeps_points_inside(lift, raw: float) -> None:
    space = with_raw_c(PoincareBall(c=4.0, lift=lift(), learn_c=True), raw)
    assert isinstance(space.c, torch.Tensor)
    assert 0.4 * (1 - 1e-6) <= space.c.item() <= 40 * (1 + 1e-6)
    assert isinstance(space.max_distance, float)
    for size in (0.0, 1e-12, 1.0, 1e4):
        z = size * torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
        x = space.project(z)
        assert (space.c * x.square().sum(-1) < 1).all()
        reached = space.pairwise_distance(x, -x)
        assert reached.max() <= space.max_distance * (1 + 1e-2)
        gradients = torch.autograd.grad(reached.sum() + space.distance(x, x.flip(0)).sum(), list(space.parameters()))
        assert all(torch.isfinite(gradient).all() for gradient in gradients), size


@every_lift
def test_curvature__learns(lift) -> None:
    """Distances asked for are those of twice the curvature; gradient descent on raw_c alone finds it."""
    wanted = with_raw_c(PoincareBall(c=1.0, lift=lift(), learn_c=True), math.atanh(math.log10(2.0)))
    space = PoincareBall(c=1.0, lift=lift(), learn_c=True)
    z = 0.3 * torch.randn(8, 4, generator=torch.Generator().manual_seed(2))
    target = wanted.distance(wanted.project(z), wanted.project(z.flip(0))).detach()
    optimiser = torch.optim.Adam([p for name, p in space.named_parameters() if name == "raw_c"], lr=0.05)
    for _ in range(120):
        optimiser.zero_grad()
        (space.distance(space.project(z), space.project(z.flip(0))) - target).square().sum().backward()
        optimiser.step()
    assert c_of(space) == pytest.approx(2.0, rel=3e-2)


@every_lift
def test_curvature__passes_gradcheck(lift) -> None:
    space = PoincareBall(c=1.5, lift=lift(), learn_c=True).double()
    z = 0.5 * torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def distances(raw_c: torch.Tensor) -> torch.Tensor:
        def forward(a: torch.Tensor) -> torch.Tensor:
            return space.distance(space.project(a), space.project(a.flip(0)))

        call = _Call(space, forward)
        return torch.func.functional_call(call, {"space.raw_c": raw_c}, (z,))

    assert torch.autograd.gradcheck(distances, torch.tensor(0.2, dtype=torch.float64, requires_grad=True))


class _Call(torch.nn.Module):
    def __init__(self, space: PoincareBall, function) -> None:
        super().__init__()
        self.space, self.function = space, function

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.function(z)


def test_curvature__is_described_and_saved() -> None:
    space = with_raw_c(PoincareBall(c=2.0, lift=SoftClip(), learn_c=True), 0.3)
    again = create_space(space.describe())
    assert isinstance(again, PoincareBall)
    assert again.describe() == space.describe()
    assert space.describe()["learn_c"] is True
    assert list(space.state_dict()) == ["raw_c"]
    again.load_state_dict(space.state_dict())
    z = torch.randn(3, 5)
    assert torch.equal(space.project(z), again.project(z))
    assert again.max_distance == space.max_distance
    assert "raw_c" not in PoincareBall(c=2.0).state_dict()
    assert create_space({"name": "poincare_ball", "c": 2.0, "lift": "clip"}).describe()["learn_c"] is False


def test_curvature__scores_as_a_fixed_one_of_that_value() -> None:
    space = with_raw_c(PoincareBall(c=2.0, learn_c=True), 0.3)
    fixed = PoincareBall(c=c_of(space))
    points = fixed.project(torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    found, wanted = (score_pairs(s, points, [0, 1], [2, 3]) for s in (space, fixed))
    assert found == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("c", [0.0, -1.0, float("nan"), float("inf"), True])
def test_curvature__refuses_a_start_that_is_no_positive_number(c) -> None:
    with pytest.raises(InputError, match="c must be"):
        PoincareBall(c=c, learn_c=True)


def test_curvature__refuses_what_cannot_learn() -> None:
    with pytest.raises(InputError, match=r'"published".*cannot be learnt'):
        PoincareBall(lift=Published(3.0), learn_c=True)
    with pytest.raises(InputError, match=r'"published".*one that is learnt'):
        Published(3.0)(torch.randn(2, 3), c=torch.tensor(1.0))
    with pytest.raises(InputError, match="radius must be below"):
        PoincareBall(c=9.0, lift=Clip(0.4), learn_c=True)


def test_radius__follows_the_rim_of_a_ball_that_became_too_small() -> None:
    z = 1e6 * torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for lift in (Clip(0.4), SoftClip(radius=0.4)):
        for raw, share in ((-1.0, None), (3.0, 1 - lifts.RIM_MARGIN)):
            space = with_raw_c(PoincareBall(c=4.0, lift=lift, learn_c=True).double(), raw)
            wanted = 0.4 if share is None else share / c_of(space) ** 0.5
            assert space.project(z).norm().item() == pytest.approx(wanted, rel=1e-6)
