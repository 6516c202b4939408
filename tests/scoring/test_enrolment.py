"""Enrolment from several recordings, and the means behind it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import (
    Euclidean,
    Hypersphere,
    PoincareBall,
    distance,
    exp0,
    lorentz_distance,
    mobius_add,
    to_lorentz,
)
from curvox.scoring import ENROLMENTS, average_scores, enrol, recording_trials, score_pairs

BALLS = [PoincareBall(c=0.1), PoincareBall(c=1.0), PoincareBall(c=4.0)]
SPACES = [Euclidean(), Hypersphere(), *BALLS]
WAYS = [(space, way) for space in SPACES for way in ENROLMENTS if space in BALLS or way != "einstein_midpoint"]
MODELS = [[0], [1, 2], [3, 4, 5], [6, 7], [8, 8], [9, 1, 5, 0, 2]]
models = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5)
laws = settings(max_examples=20, deadline=None, derandomize=True)


def draw_points(space, count=10, dimension=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return space.project(torch.randn(count, dimension, generator=generator, dtype=torch.float64) * 0.3)


def name_of(value):
    if isinstance(value, str):
        return value
    return f"ball {value.c}" if isinstance(value, PoincareBall) else value.describe()["name"]


@pytest.mark.parametrize(("space", "way"), WAYS, ids=name_of)
def test_enrol__of_one_recording_or_copies_is_the_recording(space, way):
    points = draw_points(space)
    enrolled = enrol(space, points, [[4], [7, 7, 7]], way=way)
    assert enrolled.dtype == np.float64
    np.testing.assert_allclose(enrolled, points[[4, 7]], atol=1e-14)


@pytest.mark.parametrize(("space", "way"), WAYS, ids=name_of)
def test_enrol__depends_on_the_own_recordings_alone_and_not_on_their_order(space, way):
    points = draw_points(space)
    together = enrol(space, points, MODELS, way=way)
    alone = [enrol(space, points, [model[::-1]], way=way)[0] for model in MODELS]
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize(("space", "way"), WAYS, ids=name_of)
def test_enrol__gives_points_that_can_be_scored(space, way):
    points = draw_points(space)
    enrolled = enrol(space, points, MODELS, way=way)
    everything = np.concatenate([points, enrolled])
    assert np.isfinite(score_pairs(space, everything, [10, 11], [0, 15])).all()


@laws
@given(rows=models)
def test_spherical_mean__has_the_largest_sum_of_cosines(rows):
    points = draw_points(Euclidean())
    units = (points / points.norm(dim=1, keepdim=True)).numpy()
    enrolled = enrol(Euclidean(), points, rows, way="spherical_mean")
    others = np.random.default_rng(0).standard_normal((200, 4))
    for model, point in zip(rows, enrolled, strict=True):
        total = units[model].sum(0)
        best = total @ point / np.linalg.norm(point)
        assert best == pytest.approx(np.linalg.norm(total), rel=1e-12)
        assert (others @ total / np.linalg.norm(others, axis=1) <= best).all()
        assert np.linalg.norm(point) == pytest.approx(float(points[model].norm(dim=1).mean()), rel=1e-12)


@pytest.mark.parametrize("space", BALLS, ids=name_of)
@laws
@given(rows=models)
def test_einstein_midpoint__weighs_klein_coordinates_by_their_lorentz_factors(space, rows):
    points = draw_points(space)
    enrolled = enrol(space, points, rows, way="einstein_midpoint")
    for model, point in zip(rows, enrolled, strict=True):
        klein, weights = [], []
        for x in points[model].tolist():
            square = space.c * math.fsum(value * value for value in x)
            klein.append([2 * value / (1 + square) for value in x])
            weights.append((1 + square) / (1 - square))
        middle = [
            math.fsum(w * k[i] for w, k in zip(weights, klein, strict=True)) / math.fsum(weights) for i in range(4)
        ]
        root = math.sqrt(1 - space.c * math.fsum(value * value for value in middle))
        np.testing.assert_allclose(point, [value / (1 + root) for value in middle], atol=1e-13)


def test_score_mean__is_the_mean_over_the_models_recordings():
    space = PoincareBall()
    points = draw_points(space)
    model_index, test_index = [1, 0, 5, 1, 4], [9, 9, 3, 0, 2]
    trials = recording_trials(MODELS, model_index, test_index)
    averaged = average_scores(score_pairs(space, points, trials.enrolment_index, trials.test_index), trials)
    expected = [
        np.mean([score_pairs(space, points, [row], [test])[0] for row in MODELS[model]])
        for model, test in zip(model_index, test_index, strict=True)
    ]
    np.testing.assert_allclose(averaged, expected, rtol=1e-13)


def test_score_mean__of_no_trials_is_empty():
    trials = recording_trials(MODELS, [], [])
    assert average_scores([], trials).shape == (0,)


def test_enrol__of_no_models_is_empty():
    assert enrol(Hypersphere(), draw_points(Hypersphere()), [], way="frechet_mean").shape == (0, 4)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()], ids=name_of)
def test_einstein_midpoint__refuses_other_spaces(space):
    with pytest.raises(InputError, match="einstein_midpoint needs points of a PoincareBall"):
        enrol(space, draw_points(space), [[0, 1]], way="einstein_midpoint")


@pytest.mark.parametrize("way", ["einstein_midpoint", "frechet_mean"])
def test_enrol__refuses_points_outside_the_ball(way):
    points = draw_points(PoincareBall()) * 100
    with pytest.raises(InputError, match="2 points lie outside the Poincaré ball of radius 1"):
        enrol(PoincareBall(), points, [[0, 1]], way=way)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0], []], r"at least one recording.*rows\[1\] is float64 of shape \(0,\)"),
        ([[0.5]], r"rows\[0\] is float64"),
        ([[[0]]], r"shape \(1, 1\)"),
        ([[0], [3, 10]], r"rows\[1\] names row 10, but the points have the rows 0 to 9"),
        ([[-1]], r"rows\[0\] names row -1"),
    ],
)
def test_enrol__refuses_rows_that_are_none(rows, message):
    with pytest.raises(InputError, match=message):
        enrol(Euclidean(), draw_points(Euclidean()), rows, way="spherical_mean")


def test_enrol__names_the_model_that_has_no_mean_direction():
    points = np.array([[1.0, 0], [-1, 0], [0, 1], [0, 0]])
    with pytest.raises(InputError, match="model 2 cannot be enrolled: the directions of its recordings cancel"):
        enrol(Euclidean(), points, [[0], [0, 2], [0, 1]], way="spherical_mean")
    with pytest.raises(InputError, match="model 1 cannot be enrolled: one of its recordings is a zero vector"):
        enrol(Euclidean(), points, [[0], [3]], way="spherical_mean")


def test_enrol__refuses_an_unknown_way_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match='unknown way of enrolment "frechet": did you mean "frechet_mean"'):
        enrol(Euclidean(), draw_points(Euclidean()), [[0]], way="frechet")


def test_recording_trials__refuses_models_that_are_not_there_and_uneven_sides():
    with pytest.raises(InputError, match="model_index must lie between 0 and 5"):
        recording_trials(MODELS, [6], [0])
    with pytest.raises(InputError, match="got 2 model and 1 test indices"):
        recording_trials(MODELS, [1, 2], [0])
    with pytest.raises(InputError, match="one score for each of the 2 trials of recordings"):
        average_scores([1.0], recording_trials(MODELS, [1], [0]))


def test_einstein_midpoint__has_the_least_sum_of_squared_lorentz_distances():
    space = PoincareBall(c=2.0)
    points = draw_points(space)
    enrolled = torch.from_numpy(enrol(space, points, [[0, 1, 2, 3]], way="einstein_midpoint"))

    def cost(x):
        distances = lorentz_distance(to_lorentz(x, c=2.0), to_lorentz(points[:4], c=2.0), c=2.0)
        return float((2**0.5 * distances).cosh().sum())

    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        aside = torch.randn(1, 4, generator=generator, dtype=torch.float64) * 1e-3
        assert cost(enrolled) < cost(enrolled + aside)


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
