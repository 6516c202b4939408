"""Laws of the ROC curve, of what it refuses, and of the DET curve that is drawn of it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, rates_by_loop, split, whole_curve
from scipy.special import ndtri
from sklearn.metrics import roc_curve

from curvox.errors import InputError
from curvox.metrics import det_curve, equal_error_rate, probit, roc_corners, tied_share


@LAW
@given(TRIALS)
def test_roc_corners__match_counting(trials):
    scores, labels = split(trials)
    roc = roc_corners(scores, labels)
    assert set(roc.threshold.tolist()) <= {math.inf, *scores.tolist()}
    for far, frr, threshold in zip(roc.false_acceptance, roc.false_rejection, roc.threshold, strict=True):
        assert (far, frr) == pytest.approx(rates_by_loop(scores, labels, threshold), abs=1e-15)


@pytest.mark.parametrize("decimals", [1, 12])
def test_roc_corners__match_scikit_learn(decimals):
    rng = np.random.default_rng(3)
    labels = rng.random(2000) < 0.2
    scores = np.round(rng.normal(size=2000) + 2 * labels, decimals)
    weights = rng.random(2000)
    for weight in (None, weights):
        roc = roc_corners(scores, labels, weight)
        far, tpr, threshold = roc_curve(labels, scores, sample_weight=weight, drop_intermediate=False)
        at = np.searchsorted(-threshold, -roc.threshold)
        np.testing.assert_array_equal(roc.threshold, threshold[at])
        np.testing.assert_allclose(roc.false_acceptance, far[at], atol=1e-12)
        np.testing.assert_allclose(roc.false_rejection, 1 - tpr[at], atol=1e-12)


@LAW
@given(TRIALS)
def test_roc_corners__hold_both_extremes_and_are_monotone(trials):
    roc = roc_corners(*split(trials))
    assert (roc.false_acceptance[0], roc.false_rejection[0]) == (0, 1)
    assert (roc.false_acceptance[-1], roc.false_rejection[-1]) == (1, 0)
    assert (np.diff(roc.false_acceptance) >= 0).all()
    assert (np.diff(roc.false_rejection) <= 0).all()


@LAW
@given(TRIALS, st.data())
def test_roc_corners__whole_weights_are_repetitions(trials, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(trials), max_size=len(trials))))
    repeated_labels = np.repeat(labels, times)
    if len(set(repeated_labels.tolist())) < 2:
        with pytest.raises(InputError, match="of positive weight"):
            roc_corners(scores, labels, times)
        return
    weighted, repeated = roc_corners(scores, labels, times), roc_corners(np.repeat(scores, times), repeated_labels)
    np.testing.assert_array_equal(weighted.threshold, repeated.threshold)
    np.testing.assert_allclose(weighted.false_acceptance, repeated.false_acceptance, atol=1e-15)
    np.testing.assert_allclose(weighted.false_rejection, repeated.false_rejection, atol=1e-15)


def test_roc_corners__takes_numbers_and_booleans_as_labels():
    scores = [0.1, 0.4, 0.3, 0.9]
    expected = roc_corners(scores, [False, True, False, True])
    for labels in ([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], np.array([0, 1, 0, 1], dtype=np.uint8)):
        np.testing.assert_array_equal(roc_corners(scores, labels).false_rejection, expected.false_rejection)


def test_roc_corners__do_not_overflow_on_the_largest_scores():
    largest = np.finfo(np.float64).max
    assert len(roc_corners([-largest, largest], [0, 1]).threshold) == 3


@pytest.mark.parametrize(
    ("scores", "labels", "weights", "message"),
    [
        ([], [], None, "no trials at all"),
        ([0.1, math.nan], [0, 1], None, "1 NaN and 0 infinite .* index 1"),
        ([math.nan, math.nan], [0, 1], None, "2 NaN"),
        ([math.inf, 0.0], [0, 1], None, "1 infinite .* index 0"),
        ([0.1, 0.2], [1, 1], None, "no non-target trial"),
        ([0.1, 0.2], [0, 0], None, "no target trial"),
        ([0.1, 0.2], [0, 1, 1], None, "as long as the scores"),
        ([[0.1], [0.2]], [0, 1], None, "must be a vector"),
        ([0.1, 0.2], [-1, 1], None, "index 0 .-1."),
        ([0.1, 0.2, 0.3], [0, 1, 2], None, "index 2 .2."),
        ([0.1, 0.2, 0.3], [0.0, 1.0, math.nan], None, "index 2 .nan."),
        ([0.1, 0.2, 0.3], [0, None, 1], None, "index 1 .None."),
        ([0.1, 0.2], ["0", "1"], None, "index 0 .'0'."),
        (["a", "b"], [0, 1], None, "real numbers"),
        ([1j, 2j], [0, 1], None, "real numbers"),
        ([0.1, 0.2], [0, 1], [1, -1], "at least 0, got -1.0 at index 1"),
        ([0.1, 0.2], [0, 1], [1, math.nan], "weights must be finite"),
        ([0.1, 0.2], [0, 1], [1], "weights must be a vector as long"),
        ([0.1, 0.2], [0, 1], [1, 0], "no target trial of positive weight"),
    ],
)
def test_roc_corners__refuses_bad_input_by_name(scores, labels, weights, message):
    with pytest.raises(InputError, match=message):
        roc_corners(scores, labels, weights)
    with pytest.raises(InputError, match=message):
        equal_error_rate(scores, labels, weights)


@LAW
@given(st.lists(st.integers(-5, 5), max_size=30))
def test_tied_share__matches_counting(scores):
    tied = sum(1 for s in scores if scores.count(s) > 1)
    assert tied_share(scores) == pytest.approx(tied / len(scores) if scores else 0.0)


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
