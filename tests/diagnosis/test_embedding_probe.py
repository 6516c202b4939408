"""Measures of embeddings against plain loops, other libraries and known distributions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from made_up_embeddings import SPACES, gaussian_speakers
from torch import Tensor

from curvox.diagnosis.probes.embeddings import (
    alignment,
    distance_variation,
    effective_rank,
    gaussian_rank,
    intrinsic_dimension,
    neighbour_counts,
    radius_quantiles,
    relative_spread,
    same_and_different_distances,
    skewness,
    uniformity,
    variance_shares,
)
from curvox.errors import InputError
from curvox.geometry import Clip, Euclidean, Hypersphere, PoincareBall


def _gaussian(count: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _distances(points: Tensor) -> Tensor:
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


@pytest.mark.parametrize(("count", "dim"), [(5, 3), (12, 40), (40, 12), (2, 7)])
def test_effective_rank__is_exp_of_the_entropy_of_singular_values(count: int, dim: int) -> None:
    points = _gaussian(count, dim).numpy() * np.linspace(0.1, 3.0, dim)
    values = np.linalg.svd(points - points.mean(0), compute_uv=False)
    wanted = math.exp(scipy.stats.entropy(values[values > 1e-9 * values[0]]))
    assert effective_rank(torch.from_numpy(points)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("count", "dim"), [(6, 20), (20, 6)])
def test_effective_rank__reaches_its_bounds(count: int, dim: int) -> None:
    corners = torch.eye(count, dim) if count <= dim else torch.cat((torch.eye(dim), -torch.eye(dim)))
    assert effective_rank(corners) == pytest.approx(min(len(corners) - 1, dim), rel=1e-6)
    line = torch.linspace(-1.0, 1.0, count)[:, None] * torch.ones(dim)
    assert effective_rank(line) == pytest.approx(1.0, rel=1e-3)
    assert effective_rank(torch.full((count, dim), 7.3)) == 0.0


def test_effective_rank__does_not_see_shift_scale_and_rotation() -> None:
    points = _gaussian(30, 10)
    rotation = torch.linalg.qr(_gaussian(10, 10, seed=1))[0]
    assert effective_rank(5.0 * points @ rotation + 100.0) == pytest.approx(effective_rank(points), rel=1e-6)


@pytest.mark.parametrize(("count", "dim"), [(16, 192), (64, 192), (500, 32)])
def test_gaussian_rank__is_that_of_other_noise(count: int, dim: int) -> None:
    assert effective_rank(_gaussian(count, dim, seed=7)) == pytest.approx(gaussian_rank(count, dim), rel=0.03)
    assert gaussian_rank(count, dim) <= min(count - 1, dim)


def test_variance_shares__are_those_of_the_covariance() -> None:
    points = _gaussian(50, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    wanted = np.sort(np.linalg.eigvalsh(np.cov(points.T.numpy())))[::-1]
    assert variance_shares(points).numpy() == pytest.approx(wanted / wanted.sum(), rel=1e-9)


def test_rank__refuses_what_is_no_matrix() -> None:
    with pytest.raises(InputError, match="points must be"):
        effective_rank(torch.zeros(3))


def test_alignment_and_uniformity__match_loops() -> None:
    items = gaussian_speakers(speakers=5, recordings=3, dim=6)
    units = torch.nn.functional.normalize(items.raw, dim=1)
    same, kernel = [], []
    for i, j in itertools.combinations(range(len(units)), 2):
        squared = (units[i] - units[j]).square().sum().item()
        kernel.append(math.exp(-2.0 * squared))
        if items.speakers[i] == items.speakers[j]:
            same.append(squared)
    assert alignment(items.raw, items.speakers) == pytest.approx(np.mean(same), rel=1e-4)
    assert uniformity(items.raw) == pytest.approx(math.log(np.mean(kernel)), rel=1e-4)


def test_alignment_and_uniformity__say_so_where_there_is_no_pair() -> None:
    assert math.isnan(alignment(_gaussian(4, 3), torch.arange(4)))
    assert math.isnan(uniformity(_gaussian(1, 3)))
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_same_and_different_distances__hold_each_pair_once(name: str) -> None:
    space = SPACES[name]
    items = gaussian_speakers(speakers=4, recordings=3, dim=5)
    points = space.project(items.raw.double())
    same, different = same_and_different_distances(space, points, items.speakers)
    pairs = list(itertools.combinations(range(12), 2))
    wanted = [[space.distance(points[i], points[j]).item() for i, j in pairs if (i // 3 == j // 3) == kind]
              for kind in (True, False)]  # fmt: skip
    assert sorted(same.tolist()) == pytest.approx(sorted(wanted[0]), rel=1e-5)
    assert sorted(different.tolist()) == pytest.approx(sorted(wanted[1]), rel=1e-5)


def test_radius_quantiles__are_relative_to_the_reach_of_the_lift() -> None:
    space = PoincareBall(c=4.0, lift=Clip(0.25))
    raw = torch.zeros(101, 3)
    raw[:, 0] = torch.linspace(0.0, 0.2, 101)
    assert radius_quantiles(space, raw) == pytest.approx((0.04, 0.4, 0.76), rel=1e-4)
    assert radius_quantiles(space, 100.0 + raw) == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="hypersphere"):
        radius_quantiles(Hypersphere(), raw)


def test_relative_spread__is_that_of_random_directions_or_nothing() -> None:
    points = _gaussian(60, 50)
    assert relative_spread(Euclidean(), points, _distances(points)) == pytest.approx(0.7, abs=0.03)
    alike = torch.ones(60, 50) + 1e-6 * points
    assert relative_spread(Euclidean(), alike, _distances(alike)) < 1e-5
    assert relative_spread(Euclidean(), torch.zeros(60, 50), torch.zeros(60, 60)) == 0.0


def test_variation__of_equal_distances_is_none() -> None:
    distances = _distances(torch.eye(9))
    assert distance_variation(distances[~torch.eye(9, dtype=torch.bool)]) == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(distance_variation(torch.zeros(5)))


@pytest.mark.parametrize(("dim", "within"), [(1, 0.15), (2, 0.25), (5, 0.7), (10, 2.0)])
def test_intrinsic_dimension__finds_that_of_a_cube_whatever_it_lies_in(dim: int, within: float) -> None:
    cube = torch.rand(800, dim, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    lifted = cube @ torch.linalg.qr(_gaussian(30, 30))[0][:dim]
    assert intrinsic_dimension(_distances(lifted)) == pytest.approx(dim, abs=within)


def test_intrinsic_dimension__leaves_copies_out_and_needs_points() -> None:
    points = _gaussian(300, 3)
    twice = torch.cat((points, points[:10]))
    assert intrinsic_dimension(_distances(twice)) == pytest.approx(3.0, abs=0.6)
    assert math.isnan(intrinsic_dimension(_distances(points[:9])))
    assert math.isnan(intrinsic_dimension(torch.zeros(20, 20)))


def test_neighbour_counts__match_a_loop() -> None:
    distances = _distances(_gaussian(40, 8))
    counts = np.zeros(40)
    for row in range(40):
        order = [place for place in distances[row].argsort().tolist() if place != row]
        counts[order[:5]] += 1
    assert neighbour_counts(distances, neighbours=5).tolist() == counts.tolist()
    assert skewness(neighbour_counts(distances, neighbours=5)) == pytest.approx(scipy.stats.skew(counts))
    assert skewness(torch.full((5,), 3)) == 0.0
    with pytest.raises(InputError, match="more than 40 points"):
        neighbour_counts(distances, neighbours=40)


def test_hubness__grows_with_the_dimension_of_noise() -> None:
    few, many = (skewness(neighbour_counts(_distances(_gaussian(300, dim)))) for dim in (3, 100))
    assert few < 0.5 < 2.5 < many
