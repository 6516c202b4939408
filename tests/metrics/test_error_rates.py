"""Laws of the equal error rate, and of one error rate at a given value of the other."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, every_threshold, gaussian_llrs, rates_by_loop, split, whole_curve
from scipy.spatial import ConvexHull
from sklearn.metrics import roc_auc_score, roc_curve

from curvox.errors import InputError
from curvox.metrics import (
    OPERATING_POINTS,
    Eer,
    OperatingPoint,
    actual_dcf,
    auc,
    bayes_threshold,
    calibration_curve,
    eer_of_hull,
    equal_error_rate,
    far_at_frr,
    frr_at_far,
    min_dcf,
    roc_corners,
)


def eer_by_coin(scores, labels):
    """The EER by bisection: reject below a border, accept above it, toss a coin of bias q on it, till both agree."""
    targets = [s for s, y in zip(scores, labels, strict=True) if y]
    others = [s for s, y in zip(scores, labels, strict=True) if not y]

    def rates(position):
        border, q = borders[min(int(position), len(borders) - 1)], position - min(int(position), len(borders) - 1)
        accepted = sum(s > border for s in others) + q * sum(s == border for s in others)
        rejected = sum(s < border for s in targets) + (1 - q) * sum(s == border for s in targets)
        return accepted / len(others), rejected / len(targets)

    borders = sorted(set(scores), reverse=True)
    low, high = 0.0, float(len(borders))
    for _ in range(60):
        middle = (low + high) / 2
        accepted, rejected = rates(middle)
        low, high = (middle, high) if accepted < rejected else (low, middle)
    return sum(rates(high)) / 2


@LAW
@given(TRIALS)
def test_eer__matches_brute_force(trials):
    scores, labels = split(trials)
    assert equal_error_rate(scores, labels).value == pytest.approx(eer_by_coin(scores.tolist(), labels), abs=1e-9)


@pytest.mark.parametrize("decimals", [1, 12])
def test_eer__matches_interpolation_of_the_scikit_learn_curve(decimals):
    rng = np.random.default_rng(0)
    labels = rng.random(3000) < 0.1
    scores = np.round(rng.normal(size=3000) + 2 * labels, decimals)
    far, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    # Along the curve FAR + TPR rises strictly; the EER is where FAR + TPR passes 1.
    expected = np.interp(1.0, far + tpr, far)
    assert equal_error_rate(scores, labels).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("separation", [0.5, 2.0, 4.0])
def test_eer__of_gaussian_scores_is_the_closed_form(separation):
    rng = np.random.default_rng(1)
    count = 40_000
    scores = np.concatenate((rng.normal(separation, 1, count), rng.normal(0, 1, count)))
    expected = NormalDist().cdf(-separation / 2)
    tolerance = 4 * math.sqrt(expected * (1 - expected) / (2 * count))
    eer = equal_error_rate(scores, np.arange(2 * count) < count)
    assert eer.value == pytest.approx(expected, abs=tolerance)
    assert eer.threshold == pytest.approx(separation / 2, abs=0.05)


@LAW
@given(st.floats(-1e6, 1e6), st.integers(1, 9), st.integers(1, 9))
def test_eer__of_equal_scores_is_one_half(score, targets, non_targets):
    labels = [True] * targets + [False] * non_targets
    assert equal_error_rate([score] * len(labels), labels) == Eer(value=0.5, threshold=score)


def test_eer__of_separated_scores_is_zero_and_its_threshold_separates():
    eer = equal_error_rate([0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1])
    assert eer.value == 0
    assert 0.2 < eer.threshold <= 0.7


@LAW
@given(TRIALS)
def test_eer__of_reversed_scores_is_one_minus(trials):
    scores, labels = split(trials)
    assert equal_error_rate(-scores, labels).value == pytest.approx(1 - equal_error_rate(scores, labels).value)


@LAW
@given(TRIALS)
def test_eer__of_swapped_classes_is_one_minus(trials):
    scores, labels = split(trials)
    assert equal_error_rate(scores, ~labels).value == pytest.approx(1 - equal_error_rate(scores, labels).value)


@LAW
@given(TRIALS, st.randoms())
def test_eer__ignores_order_and_increasing_transforms(trials, random):
    scores, labels = split(trials)
    eer = equal_error_rate(scores, labels)
    order = list(range(len(scores)))
    random.shuffle(order)
    assert equal_error_rate(scores[order], labels[order]) == eer
    for transform in (np.exp, np.arctan, lambda s: s**3, lambda s: 1e-9 * s + 5):
        assert equal_error_rate(transform(scores), labels) == Eer(eer.value, float(transform(np.array(eer.threshold))))


@LAW
@given(TRIALS)
def test_eer__lies_between_the_rates_around_its_threshold(trials):
    scores, labels = split(trials)
    eer = equal_error_rate(scores, labels)
    assert 0 <= eer.value <= 1
    assert eer.threshold in scores
    at = (np.mean(scores[~labels] >= eer.threshold), np.mean(scores[labels] < eer.threshold))
    above = (np.mean(scores[~labels] > eer.threshold), np.mean(scores[labels] <= eer.threshold))
    lower = min(scores[scores < eer.threshold], key=lambda s: eer.threshold - s, default=-np.inf)
    below = (np.mean(scores[~labels] >= lower), np.mean(scores[labels] < lower))
    rates = [*at, *above, *below]
    assert min(rates) - 1e-12 <= eer.value <= max(rates) + 1e-12


@LAW
@given(TRIALS, st.data())
def test_eer__whole_weights_are_repetitions(trials, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(trials), max_size=len(trials))))
    weighted = equal_error_rate(scores, labels, times)
    repeated = equal_error_rate(np.repeat(scores, times), np.repeat(labels, times))
    assert weighted.value == pytest.approx(repeated.value)


@LAW
@given(TRIALS, st.data())
def test_eer__from_the_corners_is_that_of_the_whole_curve(trials, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(trials), max_size=len(trials))))
    for weights in (None, times):
        found, roc = equal_error_rate(scores, labels, weights), whole_curve(scores, labels, weights)
        expected = np.interp(1.0, roc.false_acceptance + 1 - roc.false_rejection, roc.false_acceptance)
        assert found.value == pytest.approx(expected, abs=1e-14)
        gap = np.abs(roc.false_rejection - roc.false_acceptance)
        # Of two vertices equally near it is the lower threshold.
        assert found.threshold == roc.threshold[np.flatnonzero(gap == gap.min())[-1]]


def test_eer__a_common_factor_of_weights_does_not_matter():
    rng = np.random.default_rng(2)
    labels = rng.random(200) < 0.3
    scores, weights = rng.normal(size=200) + labels, rng.random(200)
    halved = equal_error_rate(scores, labels, weights / 2)
    assert equal_error_rate(scores, labels, weights).value == pytest.approx(halved.value)


RATES = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5]), st.floats(0, 0.999))


@LAW
@given(TRIALS, RATES)
def test_frr_at_far__is_that_of_the_lowest_threshold_that_keeps_the_rate(trials, rate):
    scores, labels = split(trials)
    lowest = min(t for t in every_threshold(scores) if rates_by_loop(scores, labels, t)[0] <= rate)
    found = frr_at_far(scores, labels, rate)
    assert (found.rate, found.threshold) == (rate, lowest)
    assert found.value == pytest.approx(rates_by_loop(scores, labels, lowest)[1], abs=1e-15)


@LAW
@given(TRIALS, RATES)
def test_far_at_frr__is_that_of_the_highest_threshold_that_keeps_the_rate(trials, rate):
    scores, labels = split(trials)
    highest = max(t for t in every_threshold(scores) if rates_by_loop(scores, labels, t)[1] <= rate)
    found = far_at_frr(scores, labels, rate)
    assert (found.rate, found.threshold) == (rate, highest)
    assert found.value == pytest.approx(rates_by_loop(scores, labels, highest)[0], abs=1e-15)


def test_frr_at_far__counts_a_rate_that_is_reached_exactly():
    # 29 / 100 as a float is not 0.29 · 100 / 100 rounded down.
    labels = np.arange(200) < 100
    scores = np.where(labels, 0.0, np.arange(200.0))
    found = frr_at_far(scores, labels, 0.29)
    assert rates_by_loop(scores, labels, found.threshold)[0] == 0.29


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_frr_at_far__of_gaussian_scores_is_the_closed_form(rate):
    scores, labels = gaussian_llrs(200_000, 3.0)
    normal = NormalDist()
    expected = normal.cdf(normal.inv_cdf(1 - rate) - 3)
    assert frr_at_far(scores, labels, rate).value == pytest.approx(expected, rel=0.05)
    assert far_at_frr(scores, labels, rate).value == pytest.approx(expected, rel=0.05)


def test_rates__of_constant_separated_and_reversed_scores():
    labels = [0, 0, 1, 1]
    for scores, expected in (([1.0] * 4, 1.0), ([0.0, 1.0, 2.0, 3.0], 0.0), ([3.0, 2.0, 1.0, 0.0], 1.0)):
        assert frr_at_far(scores, labels, 0.1).value == expected
        assert far_at_frr(scores, labels, 0.1).value == expected
    assert frr_at_far([1.0] * 4, labels, 0.1).threshold == math.inf


@LAW
@given(TRIALS, st.data(), RATES)
def test_rates__whole_weights_are_repetitions(trials, data, rate):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(trials), max_size=len(trials))))
    if len(set(labels[times > 0].tolist())) < 2:
        return
    repeated = np.repeat(scores, times), np.repeat(labels, times)
    point = OperatingPoint(0.3)
    assert frr_at_far(scores, labels, rate, times) == frr_at_far(*repeated, rate)
    assert far_at_frr(scores, labels, rate, times) == far_at_frr(*repeated, rate)
    assert auc(scores, labels, times) == pytest.approx(auc(*repeated))
    assert eer_of_hull(scores, labels, times) == pytest.approx(eer_of_hull(*repeated), abs=1e-12)
    assert actual_dcf(scores, labels, point, times).value == pytest.approx(actual_dcf(*repeated, point).value)
    found, expected = calibration_curve(scores, labels, times), calibration_curve(*repeated)
    np.testing.assert_allclose(found.normalised_dcf, expected.normalised_dcf)
    np.testing.assert_allclose(found.min_dcf, expected.min_dcf)


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan, "0.1", True])
def test_rates__refuse_what_is_no_rate(rate):
    for function, name in ((frr_at_far, "far"), (far_at_frr, "frr")):
        with pytest.raises(InputError, match=f"{name} must be a rate"):
            function([0.0, 1.0], [0, 1], rate)


@LAW
@given(TRIALS)
def test_auc__matches_scikit_learn_and_counting_pairs(trials):
    scores, labels = split(trials)
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    assert auc(scores, labels) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auc(-scores, labels) == pytest.approx(1 - auc(scores, labels), abs=1e-12)


def test_auc__of_constant_scores_is_one_half_and_of_shuffled_ones_nearly():
    scores, labels = gaussian_llrs(20_000, 3.0)
    assert auc(np.zeros(20_000), labels) == 0.5
    assert auc(np.random.default_rng(1).permutation(scores), labels) == pytest.approx(0.5, abs=0.02)


@LAW
@given(TRIALS)
def test_eer_of_hull__is_where_the_convex_hull_meets_the_diagonal(trials):
    scores, labels = split(trials)
    roc = whole_curve(scores, labels)
    # A far corner makes the hull closed, and a plane for Qhull.
    points = np.column_stack((np.append(roc.false_acceptance, 1), np.append(roc.false_rejection, 1)))
    hull = ConvexHull(points)
    # a · x + b · y + c ≤ 0 inside; on the diagonal x = y the lowest point inside.
    normals, offsets = hull.equations[:, :2].sum(axis=1), hull.equations[:, 2]
    expected = max(-c / n for n, c in zip(normals, offsets, strict=True) if n < -1e-12)
    assert eer_of_hull(scores, labels) == pytest.approx(expected, abs=1e-9)
    assert eer_of_hull(scores, labels) <= min(equal_error_rate(scores, labels).value, 0.5) + 1e-12


def test_eer_of_hull__of_constant_and_reversed_scores_is_one_half():
    assert eer_of_hull([1.0] * 4, [0, 1, 0, 1]) == 0.5
    assert eer_of_hull([3.0, 2.0, 1.0], [0, 1, 1]) == 0.5


@LAW
@given(TRIALS)
def test_roc_corners__are_the_vertices_where_the_curve_turns(trials):
    scores, labels = split(trials)
    roc, corners = whole_curve(scores, labels), roc_corners(scores, labels)
    kept = [0]
    for i in range(1, len(roc.threshold) - 1):
        steps = [
            (roc.false_acceptance[j + 1] > roc.false_acceptance[j], roc.false_rejection[j + 1] < roc.false_rejection[j])
            for j in (i - 1, i)
        ]
        if steps[0] != steps[1] or steps[0] == (True, True):
            kept.append(i)
    kept.append(len(roc.threshold) - 1)
    for name in ("false_acceptance", "false_rejection", "threshold"):
        np.testing.assert_allclose(getattr(corners, name), getattr(roc, name)[kept], atol=1e-15)


@LAW
@given(TRIALS, st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_actual_dcf__is_the_cost_of_decisions_by_bayes_rule(trials, p_target, cost_miss):
    llrs, labels = split(trials)
    point = OperatingPoint(p_target, cost_miss=cost_miss)
    found = actual_dcf(llrs, labels, point)
    odds = cost_miss * p_target / (1 - p_target)
    assert found.threshold == pytest.approx(-math.log(odds)) == bayes_threshold(point)
    far, frr = rates_by_loop(llrs, labels, found.threshold)
    expected = (cost_miss * p_target * frr + (1 - p_target) * far) / min(cost_miss * p_target, 1 - p_target)
    assert found.value == pytest.approx(expected)
    assert found.value >= min_dcf(llrs, labels, point).value - 1e-12


def test_actual_dcf__of_true_ratios_is_nearly_the_lowest_and_of_shifted_ones_is_not():
    llrs, labels = gaussian_llrs(100_000, 3.0)
    point = OperatingPoint(0.05)
    lowest = min_dcf(llrs, labels, point).value
    assert actual_dcf(llrs, labels, point).value == pytest.approx(lowest, abs=0.01)
    assert actual_dcf(llrs + 3, labels, point).value > 2 * lowest


def test_calibration_curve__holds_actual_and_lowest_costs_at_every_prior():
    llrs, labels = gaussian_llrs(3000, 2.0)
    llrs = 0.5 * llrs + 1
    curve = calibration_curve(llrs, labels)
    assert (curve.log_odds[0], curve.log_odds[-1]) == (-7, 7)
    for odds, actual, lowest in zip(curve.log_odds, curve.normalised_dcf, curve.min_dcf, strict=True):
        point = OperatingPoint(1 / (1 + math.exp(-odds)))
        assert actual == pytest.approx(actual_dcf(llrs, labels, point).value, abs=1e-9)
        assert lowest == pytest.approx(min_dcf(llrs, labels, point).value, abs=1e-9)


def test_operating_points__are_those_of_the_published_plans():
    assert OPERATING_POINTS["sre08"] == OperatingPoint(0.01, cost_miss=10, cost_false_alarm=1)
    assert OPERATING_POINTS["sre10"] == OperatingPoint(0.001)
    assert (OPERATING_POINTS["voxsrc"].p_target, OPERATING_POINTS["cnceleb"].p_target) == (0.05, 0.01)
    assert (OPERATING_POINTS["sre16_low"].p_target, OPERATING_POINTS["sre16_high"].p_target) == (0.005, 0.01)


@pytest.mark.parametrize("function", [auc, eer_of_hull, roc_corners, calibration_curve])
def test_curves__refuse_what_is_no_trial_list(function):
    for scores, labels, message in (
        ([], [], "no trials at all"),
        ([math.nan, 1.0], [0, 1], "1 NaN"),
        ([0.0, 1.0], [1, 1], "no non-target trial"),
    ):
        with pytest.raises(InputError, match=message):
            function(scores, labels)
