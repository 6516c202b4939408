"""Spaces: projection, distance, and the way to a description and back."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from curvox.errors import InputError, RecipeError, UnknownNameError
from curvox.geometry import (
    SPACES,
    AbstractSpace,
    Clip,
    Euclidean,
    ExpMap,
    Hypersphere,
    PoincareBall,
    Published,
    SoftClip,
    angle,
    create_space,
    log0,
    mobius_add,
    pairwise_angle,
    sqrt0,
    unit,
)
from curvox.geometry.vectors import pairwise_squared_distance

ALL = {
    "euclidean": Euclidean(),
    "hypersphere": Hypersphere(),
    "ball": PoincareBall(),
    "ball c=4 clip": PoincareBall(c=4.0, lift=Clip(0.3)),
    "ball published": PoincareBall(lift=Published(5.0)),
    "ball exp_map": PoincareBall(c=0.1, lift=ExpMap(gain=0.25)),
    "ball soft_clip": PoincareBall(c=2.0, lift=SoftClip(width=1.0, radius=0.5)),
}
every_space = pytest.mark.parametrize("space", ALL.values(), ids=ALL.keys())


@every_space
def test_description__builds_the_space_again(space: AbstractSpace) -> None:
    written = json.loads(json.dumps(space.describe()))
    again = create_space(written)
    assert type(again) is type(space)
    assert again.describe() == space.describe()
    again.load_state_dict(space.state_dict())
    z = torch.randn(3, 5)
    assert torch.equal(space.project(z), again.project(z))


def test_description__carries_a_learned_gain_in_the_state() -> None:
    space = create_space({"name": "poincare_ball", "lift": {"name": "exp_map", "gain": 0.25}})
    assert isinstance(space, PoincareBall)
    assert isinstance(space.lift, ExpMap)
    with torch.no_grad():
        space.lift.raw_gain.add_(1.0)
    again = create_space(space.describe())
    z = torch.randn(3, 5)
    assert not torch.allclose(space.project(z), again.project(z))
    again.load_state_dict(space.state_dict())
    assert torch.equal(space.project(z), again.project(z))


@pytest.mark.parametrize("name", SPACES)
def test_every_space_of_the_table__is_built_by_its_bare_name(name: str) -> None:
    space = create_space(name)
    assert SPACES.name_of(type(space)) == name == space.describe()["name"]


def test_create_space__refuses_what_it_does_not_know() -> None:
    with pytest.raises(UnknownNameError, match="poincare_ball"):
        create_space("poincare_bal")
    with pytest.raises(UnknownNameError, match="exp_map"):
        create_space({"name": "poincare_ball", "lift": "expmap"})
    with pytest.raises(RecipeError, match=r'"curvature".*c, lift'):
        create_space({"name": "poincare_ball", "curvature": 3.0})
    with pytest.raises(RecipeError, match='did you mean "radius"'):
        create_space({"name": "poincare_ball", "lift": {"name": "clip", "radios": 0.5}})
    with pytest.raises(RecipeError, match="takes none"):
        create_space({"name": "hypersphere", "c": 1.0})
    with pytest.raises(RecipeError, match="name"):
        create_space({"c": 1.0})


@pytest.mark.parametrize("c", [0.0, -1.0, float("nan"), float("inf")])
def test_ball__refuses_curvature_that_is_no_positive_number(c: float) -> None:
    with pytest.raises(InputError, match="c must be"):
        PoincareBall(c=c)


@every_space
def test_distance__obeys_the_laws_of_a_metric(space: AbstractSpace) -> None:
    x = space.project(torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    d = space.pairwise_distance(x, x)
    torch.testing.assert_close(d, d.T, rtol=1e-12, atol=1e-12)
    # at the rim the expansion of |x - y|^2 knows the distance of a point to itself to 2e-3 only
    others = ~torch.eye(20, dtype=torch.bool)
    torch.testing.assert_close(space.distance(x[:, None], x[None, :])[others], d[others], rtol=1e-9, atol=1e-9)
    assert d.diagonal().max() < 1e-2
    assert torch.equal(space.distance(x, x), torch.zeros(20, dtype=torch.float64))
    assert (d[:, :, None] <= d[:, None, :] + d[None, :, :] + 1e-6).all()
    assert d.max() <= space.max_distance


@every_space
def test_space__widens_half_precision_and_ignores_autocast(space: AbstractSpace) -> None:
    z = torch.randn(4, 6)
    for dtype in (torch.float16, torch.bfloat16):
        half = z.to(dtype)
        x = space.project(half)
        assert x.dtype == torch.float32
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = space.pairwise_distance(space.project(half), x)
        assert torch.equal(inside, space.pairwise_distance(x, x))


@every_space
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_space__is_finite_at_every_size(space: AbstractSpace, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    for size in (0.0, 1e-30, 1e-12, 1.0, 1e4, 1e15):
        z = (size * torch.randn(4, 6, generator=generator, dtype=dtype)).requires_grad_()
        x = space.project(z)
        for d in (space.distance(x, x.flip(0)), space.pairwise_distance(x, x)):
            (gradient,) = torch.autograd.grad(d.sum(), z, retain_graph=True)
            assert torch.isfinite(d).all(), size
            assert torch.isfinite(gradient).all(), size


@every_space
def test_space__passes_gradcheck(space: AbstractSpace) -> None:
    z = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    wide = create_space(space.describe()).double()
    assert torch.autograd.gradcheck(lambda a: wide.pairwise_distance(wide.project(a), wide.project(a[:2] + 1)), z)
    assert torch.autograd.gradcheck(lambda a: wide.distance(wide.project(a), wide.project(a.flip(0) + 1)), z)


@pytest.mark.parametrize("turn", [0.0, 1e-9, 1e-4, 0.3, math.pi / 2, math.pi - 1e-4, math.pi])
def test_angle__is_exact_from_zero_to_pi(turn: float) -> None:
    x = torch.tensor([1.0, 0.0], dtype=torch.float64)
    y = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    assert angle(x, y).item() == pytest.approx(turn, rel=1e-12, abs=1e-15)
    assert pairwise_angle(x[None], y[None]).item() == pytest.approx(turn, rel=1e-4, abs=1e-7)
    assert angle(x.float(), y.float()).item() == pytest.approx(turn, rel=1e-6, abs=1e-7)


def test_angle__equals_numpy_arccos() -> None:
    x, y = unit(torch.randn(2, 50, 7, dtype=torch.float64))
    expected = np.arccos((x.numpy() * y.numpy()).sum(-1))
    np.testing.assert_allclose(angle(x, y).numpy(), expected, rtol=1e-10)


def test_unit__of_zero_is_zero_and_can_be_left() -> None:
    z = torch.zeros(1, 3, requires_grad=True)
    x = unit(z)
    (gradient,) = torch.autograd.grad(x.sum(), z)
    assert torch.equal(x, torch.zeros(1, 3))
    assert torch.equal(gradient, torch.ones(1, 3))
    assert angle(x, torch.tensor([1.0, 0.0, 0.0])).item() == pytest.approx(math.pi / 2)


def test_pairwise_squared_distance__equals_numpy() -> None:
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    expected = ((x.numpy()[:, None] - y.numpy()[None]) ** 2).sum(-1)
    np.testing.assert_allclose(pairwise_squared_distance(x, y).numpy(), expected, rtol=1e-12)
    assert (pairwise_squared_distance(1e3 + x.float(), 1e3 + x.float()) >= 0).all()


def test_sqrt0__has_no_gradient_at_zero() -> None:
    a = torch.tensor([0.0, 4.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(sqrt0(a).sum(), a)
    assert sqrt0(a).tolist() == [0.0, 2.0]
    assert gradient.tolist() == [0.0, 0.25]


def test_in_words__says_the_curvature_in_force() -> None:
    assert Hypersphere().in_words() == "hypersphere"
    assert PoincareBall(c=3.0).in_words() == "Poincaré ball, c = 3, clip"
    learnt = PoincareBall(c=2.0, learn_c=True)
    assert learnt.raw_c is not None
    with torch.no_grad():
        learnt.raw_c.fill_(1.0)
    words, shown = learnt.in_words(), torch.as_tensor(learnt.c).item()
    assert words.endswith(" (learnt), clip")
    assert float(words.split("c = ")[1].split()[0]) == pytest.approx(shown, rel=1e-3)
    assert shown != 2.0


def test_log_map__of_the_ball_is_that_of_the_origin_after_a_translation() -> None:
    """Against Möbius addition and the map at the origin, whose vectors are half as long."""
    ball = PoincareBall(c=0.7)
    x, y = ball.project(0.4 * torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    torch.testing.assert_close(ball.log_map(x, y), 2.0 * log0(mobius_add(-x, y, c=0.7), c=0.7), rtol=1e-9, atol=1e-9)


def test_log_map__of_the_sphere_leads_along_a_great_circle() -> None:
    sphere, angles = Hypersphere(), torch.linspace(-3.0, 3.0, 13, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin(), 0.0 * angles], dim=1)
    found = sphere.log_map(torch.eye(3, dtype=torch.float64)[:1], circle)
    torch.testing.assert_close(found, torch.stack([0.0 * angles, angles, 0.0 * angles], dim=1))


def test_packages__outside_geometry_never_ask_of_which_class_a_space_is(repository: Path) -> None:
    """What they want to know the space itself answers, so that a space of one's own fits everywhere."""
    classes = {"AbstractSpace", *(entry.attribute for entry in SPACES.values())}
    asked = []
    for file in (repository / "src" / "curvox").rglob("*.py"):
        if file.parent.name == "geometry":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                names = {leaf.id for leaf in ast.walk(node.args[1]) if isinstance(leaf, ast.Name)}
                names |= {leaf.attr for leaf in ast.walk(node.args[1]) if isinstance(leaf, ast.Attribute)}
                asked += [f"{file.name}:{node.lineno}"] if names & classes else []
    assert asked == []
