"""Laws of the DET curve."""

import itertools

import numpy as np
import pytest
from metric_oracles import whole_curve
from scipy.special import ndtri

from curvox.errors import InputError
from curvox.metrics import det_curve, probit

LOWEST_RATE = 1e-4


def gaussian_roc(count, decimals=12, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.2
    return whole_curve(np.round(rng.normal(size=count) + 2.5 * labels, decimals), labels)


def deviates(rate):
    return ndtri(np.clip(rate, LOWEST_RATE, 1 - LOWEST_RATE))


def distance_to_polyline(points, corners):
    """The distance of each point (N, 2) to the nearest of the line segments between corners (V, 2)."""
    nearest = np.full(len(points), np.inf)
    for start, end in itertools.pairwise(corners):
        along = end - start
        share = np.clip((points - start) @ along / max(float(along @ along), 1e-30), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - start - share[:, None] * along, axis=1))
    return nearest


def test_det_curve__of_few_vertices_keeps_them_all():
    roc = whole_curve([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1])
    det = det_curve(roc)
    assert det.false_acceptance == tuple(roc.false_acceptance)
    assert det.false_rejection == tuple(roc.false_rejection)


@pytest.mark.parametrize("max_points", [4, 7, 100, 500])
@pytest.mark.parametrize(("count", "decimals"), [(300, 1), (300, 12), (30_000, 12)])
def test_det_curve__keeps_both_ends_and_the_limit(max_points, count, decimals):
    roc = gaussian_roc(count, decimals)
    det = det_curve(roc, max_points)
    assert len(det.false_acceptance) == len(det.false_rejection) <= max_points
    assert (det.false_acceptance[0], det.false_rejection[0]) == (0, 1)
    assert (det.false_acceptance[-1], det.false_rejection[-1]) == (1, 0)
    vertices = set(zip(roc.false_acceptance.tolist(), roc.false_rejection.tolist(), strict=True))
    assert set(zip(det.false_acceptance, det.false_rejection, strict=True)) <= vertices


@pytest.mark.parametrize("count", [500, 30_000])
def test_det_curve__thinning_is_invisible(count):
    roc = gaussian_roc(count)
    det = det_curve(roc)
    full = np.stack((deviates(roc.false_acceptance), deviates(roc.false_rejection)), axis=1)
    thin = np.stack(det.deviates(LOWEST_RATE), axis=1)
    assert len(thin) < len(full)
    # A drawing of four deviates on 400 pixels: less than two pixels and a half.
    assert distance_to_polyline(full, thin).max() < 0.025


def test_det_curve__of_a_constant_model_is_one_step():
    det = det_curve(whole_curve([1.0, 1.0, 1.0], [0, 1, 1]))
    assert (det.false_acceptance, det.false_rejection) == ((0.0, 1.0), (1.0, 0.0))


def test_det_curve__of_gaussian_scores_is_a_straight_line():
    roc = gaussian_roc(100_000)
    x, y = det_curve(roc).deviates(0.01)
    inside = (np.abs(x) < 2.3) & (np.abs(y) < 2.3)
    np.testing.assert_allclose((x + y)[inside], -2.5, atol=0.1)


def test_probit__matches_scipy():
    rate = np.array([[1e-9, 1e-4, 0.01], [0.4, 0.5, 1 - 1e-6]])
    np.testing.assert_allclose(probit(rate), ndtri(rate), atol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, np.nan])
def test_probit__refuses_rates_without_a_deviate(rate):
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        probit(np.array([0.5, rate]))


def test_det_curve__refuses_senseless_limits():
    roc = gaussian_roc(50)
    with pytest.raises(InputError, match="max_points"):
        det_curve(roc, 3)
    for lowest_rate in (0.0, 0.5):
        with pytest.raises(InputError, match="lowest_rate"):
            det_curve(roc).deviates(lowest_rate)
