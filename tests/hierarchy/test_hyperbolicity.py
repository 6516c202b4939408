"""Gromov's δ, exact and sampled, and the distortion of a tree metric."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall, exp0
from curvox.hierarchy.hyperbolicity import (
    average_of_sorted,
    base_point_delta,
    distortion,
    exceeding_share,
    four_point_delta,
    sampled_delta,
)
from curvox.hierarchy.paths import planted_paths


def of_cloud(seed: int, n: int = 9, dim: int = 3) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, dim))
    return np.linalg.norm(x[:, None] - x[None, :], axis=-1)


def of_tree(seed: int) -> np.ndarray:
    """Distances of leaves of a random tree with random edges, from the paths to the root."""
    rng = np.random.default_rng(seed)
    parent, edge = [0], [0.0]
    for node in range(1, 15):
        parent.append(int(rng.integers(node)))
        edge.append(float(rng.uniform(0.1, 2)))
    to_root = []
    for node in range(15):
        path = {}
        while node:
            path[node] = edge[node]
            node = parent[node]
        to_root.append(path)
    return np.array([[sum(e for k, e in {**a, **b}.items() if (k in a) != (k in b)) for b in to_root] for a in to_root])


def by_definition(d: np.ndarray) -> float:
    largest = 0.0
    for x, y, z, w in itertools.combinations(range(len(d)), 4):
        sums = sorted([d[x, y] + d[z, w], d[x, z] + d[y, w], d[x, w] + d[y, z]])
        largest = max(largest, (sums[2] - sums[1]) / 2)
    return largest


@pytest.mark.parametrize("seed", range(3))
def test_delta__is_that_of_all_quadruples(seed: int) -> None:
    d = of_cloud(seed)
    assert four_point_delta(d) == pytest.approx(by_definition(d), abs=1e-12)


@given(st.integers(0, 10**6), st.integers(0, 8))
def test_delta_at_a_base_point__is_within_a_factor_of_two(seed: int, base: int) -> None:
    d = of_cloud(seed)
    at_base, delta = base_point_delta(d, base=base), four_point_delta(d)
    assert at_base <= delta + 1e-12
    assert delta <= 2 * at_base + 1e-12
    assert delta <= d.max() / 2 + 1e-12


@given(st.integers(0, 10**6))
def test_delta__of_a_tree_is_zero(seed: int) -> None:
    assert four_point_delta(of_tree(seed)) == pytest.approx(0, abs=1e-12)


def test_delta__of_the_label_tree_is_zero() -> None:
    paths = planted_paths((2, 3, 2), 2)
    every = np.arange(len(paths))
    assert four_point_delta(paths.tree_distance(every[:, None], every).astype(float)) == 0


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_delta__scales_and_takes_any_order(scale: float) -> None:
    d, order = of_cloud(5), np.random.default_rng(1).permutation(9)
    assert four_point_delta(scale * d) == pytest.approx(scale * four_point_delta(d))
    assert four_point_delta(d[order][:, order]) == pytest.approx(four_point_delta(d))
    assert base_point_delta(d[order][:, order], base=int(np.argmin(order))) == pytest.approx(base_point_delta(d, 0))


def test_delta__of_a_square_is_known() -> None:
    d = np.array(
        [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]]
    )  # the cycle of four, as far from a tree as can be
    assert four_point_delta(d) == 1


@pytest.mark.parametrize("c", [0.25, 1.0, 4.0])
def test_delta__of_the_hyperbolic_plane_is_log_2(c: float) -> None:
    """No quadruple exceeds it, and squares come as near as they are large."""
    ball, rng = PoincareBall(c=c), np.random.default_rng(0)
    points = exp0(torch.from_numpy(rng.normal(size=(60, 2)) * 3 / c**0.5), c=c)
    limit = math.log(2) / c**0.5
    found = sampled_delta(ball, points.numpy(), quadruples=20_000)
    assert 0.5 * limit < found.largest <= limit + 1e-3
    square = exp0(torch.tensor([[4.0, 0], [0, 4], [-4, 0], [0, -4]], dtype=torch.float64) / c**0.5, c=c)
    assert four_point_delta(ball.pairwise_distance(square, square).fill_diagonal_(0).numpy()) == pytest.approx(
        limit, rel=1e-3
    )


@pytest.mark.parametrize("space", [Euclidean(), PoincareBall(c=0.5)])
def test_sampled__of_few_points_is_exact_in_any_order(space) -> None:
    x = 0.5 * np.random.default_rng(2).uniform(-1, 1, size=(40, 3))
    points = torch.from_numpy(x)
    d = space.pairwise_distance(points, points).fill_diagonal_(0).numpy()
    found = sampled_delta(space, x, quadruples=1000)
    assert found.relative == pytest.approx(2 * four_point_delta((d + d.T) / 2) / d.max(), abs=1e-6)
    assert (found.interval, found.subsets, found.subset_size, found.bases, found.quadruples) == (None, 1, 40, 40, 0)
    assert found.diameter == pytest.approx(d.max())
    for seed in range(5):
        again = sampled_delta(space, np.random.default_rng(seed).permutation(x), seed=seed)
        assert again.relative == pytest.approx(found.relative, rel=1e-6)


def test_sampled__of_all_points_is_the_mean_over_base_points() -> None:
    """210 points are too many to be exact, too few to draw from: what is drawn is the base."""
    x = np.random.default_rng(7).normal(size=(210, 2))
    d = np.linalg.norm(x[:, None] - x[None, :], axis=-1)
    of_bases = [2 * base_point_delta(d, base) / d.max() for base in range(0, 210, 3)]
    assert np.ptp(of_bases) > 0.05  # which point is the base matters
    found = sampled_delta(Euclidean(), x, subsets=30, quadruples=500)
    assert (found.subsets, found.subset_size, found.bases) == (1, 210, 30)
    assert found.interval is not None
    assert found.interval.low < np.mean(of_bases) < found.interval.high
    assert found.relative == pytest.approx(np.mean(of_bases), abs=4 * np.std(of_bases) / 30**0.5)


def test_sampled__bounds_delta_from_below_and_follows_the_seed() -> None:
    x = np.random.default_rng(3).normal(size=(60, 3))
    d = np.linalg.norm(x[:, None] - x[None, :], axis=-1)
    found = sampled_delta(Euclidean(), x, subsets=4, subset_size=20, quadruples=500, seed=1)
    assert found == sampled_delta(Euclidean(), x, subsets=4, subset_size=20, quadruples=500, seed=1)
    assert found.largest <= four_point_delta(d) + 1e-9
    assert found.largest_of_quadruples <= found.largest
    assert found.interval is not None
    assert found.interval.low <= found.relative <= found.interval.high


def test_sampled__says_how_few_quadruples_exceed_what_it_saw() -> None:
    """Over many samples the bound holds in 95 of 100."""
    x = np.random.default_rng(4).normal(size=(14, 2))
    d = np.linalg.norm(x[:, None] - x[None, :], axis=-1)
    every = []
    for a, b, c, e in itertools.combinations(range(14), 4):
        sums = sorted([d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]])
        every.append((sums[2] - sums[1]) / 2)
    found = [sampled_delta(Euclidean(), x, subsets=1, subset_size=13, quadruples=30, seed=seed) for seed in range(200)]
    held = [np.mean(np.array(every) > f.largest_of_quadruples + 1e-12) <= f.exceeding_share for f in found]
    assert 0.9 < np.mean(held) <= 1
    assert exceeding_share(10_000) == pytest.approx(3e-4, rel=0.01)


def test_sampled__refuses_too_few_points_and_is_zero_of_one_point() -> None:
    with pytest.raises(InputError, match="at least 4 points"):
        sampled_delta(Hypersphere(), np.eye(3))
    assert sampled_delta(Hypersphere(), np.ones((4, 1))).relative == 0


def drawn(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 3, n), 2.0 * rng.integers(0, 5, n), rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_average__is_the_least_over_all_scales(seed: int) -> None:
    d, t, w = drawn(seed)
    kept = (t > 0) & (w > 0)

    def cost(scale: float) -> float:
        return sum(w[k] * abs(scale * d[k] - t[k]) / t[k] for k in np.flatnonzero(kept)) / w[kept].sum()

    best = min(cost(scale) for scale in t[kept] / d[kept])
    order = np.argsort(-d[kept] / t[kept])
    ratios = (d[kept] / t[kept])[order]
    average, scale = average_of_sorted(ratios, w[kept][order])
    assert average == pytest.approx(best)
    assert average == pytest.approx(cost(scale))
    assert average <= minimize_scalar(cost, bounds=(0, 50), method="bounded").fun + 1e-9
    # to count pairs twice is to have them twice
    times = w.astype(int)
    found = distortion(np.repeat(d, times), np.repeat(t, times))
    assert (found.average, found.scale) == pytest.approx((average, scale))
    assert found.worst == pytest.approx(max(ratios) / min(ratios))
    assert found.pairs == w[kept].sum()


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_distortion__does_not_know_the_unit(seed: int, scale: float) -> None:
    d, t, _ = drawn(seed)
    one, other = distortion(d, t), distortion(scale * d, t)
    assert other.average == pytest.approx(one.average)
    assert other.worst == pytest.approx(one.worst)
    assert other.scale == pytest.approx(one.scale / scale)
    assert 0 <= one.average <= 1
    assert one.worst >= 1


def test_distortion__of_the_tree_itself_is_none() -> None:
    found = distortion(np.array([1.0, 2, 3, 0]), np.array([2.0, 4, 6, 0]))
    assert (found.average, found.worst, found.scale, found.pairs) == (0, 1, 2, 3)


def test_distortion__of_points_that_coincide() -> None:
    found = distortion(np.array([0.0, 1, 1]), np.array([2.0, 2, 2]))
    assert (found.worst, found.average) == (math.inf, pytest.approx(1 / 3))
    assert distortion(np.zeros(2), np.array([2.0, 4])).average == 1
