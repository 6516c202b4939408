"""Laws of the Fréchet mean: the least sum of squared distances, moved along by every isometry."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall, distance, exp0, mobius_add
from curvox.scoring import enrol

CURVATURES = [0.1, 1.0, 4.0]


def draw_in_ball(c, count=5, dimension=3, depth=3.0, seed=0):
    """Points in float64, up to the distance ``depth / sqrt(c)`` from the origin."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(
        torch.randn(count, dimension, generator=generator, dtype=torch.float64), dim=-1
    )
    lengths = torch.rand(count, 1, generator=generator, dtype=torch.float64) * depth / 2
    return exp0(directions * lengths / c**0.5, c=c)


def mean_in_ball(points, c):
    return torch.from_numpy(enrol(PoincareBall(c=c), points, [list(range(len(points)))], way="frechet_mean"))[0]


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("depth", [0.1, 3.0, 8.0])
def test_frechet_mean__in_a_ball_is_what_scipy_finds(c, depth):
    points = draw_in_ball(c, depth=depth)
    numbers = points.numpy()

    def cost(v):  # over the whole space: the ball's exponential map at the origin
        length = math.sqrt(c) * np.linalg.norm(v)
        x = v * (math.tanh(length) / length)
        gap = ((numbers - x) ** 2).sum(1)
        u = 2 * c * gap / ((1 - c * (numbers**2).sum(1)) * (1 - c * (x**2).sum()))
        return (np.arccosh(1 + u) ** 2).sum()

    found = minimize(cost, numbers.mean(0), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    expected = exp0(torch.from_numpy(found.x), c=c)
    assert distance(mean_in_ball(points, c), expected, c=c) < 1e-5 / c**0.5


@pytest.mark.parametrize("c", CURVATURES)
def test_frechet_mean__of_two_points_is_half_way_on_their_geodesic(c):
    points = draw_in_ball(c, 2, 6, depth=6.0)
    middle = mean_in_ball(points, c)
    whole = distance(points[0], points[1], c=c)
    halves = distance(middle, points, c=c)
    np.testing.assert_allclose(halves, [whole / 2] * 2, atol=1e-8 / c**0.5)


@pytest.mark.parametrize("c", CURVATURES)
def test_frechet_mean__moves_along_with_a_mobius_translation(c):
    points = draw_in_ball(c, 6, 4)
    aside = draw_in_ball(c, 1, 4, seed=1)
    moved = mean_in_ball(mobius_add(aside, points, c=c), c)
    assert distance(moved, mobius_add(aside[0], mean_in_ball(points, c), c=c), c=c) < 1e-8 / c**0.5


def test_frechet_mean__is_found_for_float32_points_on_the_rim():
    generator = torch.Generator().manual_seed(2)
    directions = torch.nn.functional.normalize(torch.randn(40, 16, generator=generator), dim=-1)
    for radius in (1 - 1e-5, 1 - 1e-7):
        points = directions * radius
        enrolled = torch.from_numpy(enrol(PoincareBall(), points, [range(20), range(20, 40)], way="frechet_mean"))
        for mean, of_mean in zip(enrolled, points.double().split(20), strict=True):
            assert mean.norm() < 1
            at_mean = distance(mean, of_mean, c=1.0).square().sum()
            aside = mean + 1e-4 * directions[:8].double()
            assert (distance(aside[:, None], of_mean, c=1.0).square().sum(1) > at_mean).all()


def test_frechet_mean__of_one_far_and_many_near_points_converges():
    points = torch.zeros(50, 3, dtype=torch.float64)
    points[0, 0] = 1 - 1e-5
    mean = mean_in_ball(points, 1.0)
    np.testing.assert_allclose(mean, [math.tanh(math.atanh(1 - 1e-5) / 50), 0, 0], atol=1e-9)


def test_frechet_mean__on_the_sphere_is_what_scipy_finds():
    generator = torch.Generator().manual_seed(3)
    ahead = torch.tensor([2.0, 0, 0], dtype=torch.float64)
    points = torch.nn.functional.normalize(torch.randn(6, 3, generator=generator, dtype=torch.float64) + ahead, dim=-1)

    def on_sphere(v):  # the sphere seen from the first axis
        length = np.linalg.norm(v)
        return np.array([math.cos(length), *(math.sin(length) / length * np.asarray(v))])

    def cost(v):
        return (np.arccos(points.numpy() @ on_sphere(v)) ** 2).sum()

    found = minimize(cost, [0.1, 0.1], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    mean = enrol(Hypersphere(), points, [range(6)], way="frechet_mean")[0]
    np.testing.assert_allclose(mean, on_sphere(found.x), atol=1e-6)


def test_frechet_mean__in_flat_space_is_the_arithmetic_mean():
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    np.testing.assert_allclose(enrol(Euclidean(), points, [range(5)], way="frechet_mean")[0], points.mean(0))


def test_frechet_mean__names_the_model_whose_directions_cancel():
    points = np.array([[1.0, 0], [-1, 0]])
    with pytest.raises(InputError, match="model 1 cannot be enrolled: the directions of its recordings cancel"):
        enrol(Hypersphere(), points, [[0, 0], [0, 1]], way="frechet_mean")
