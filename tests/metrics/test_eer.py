"""Laws of the equal error rate."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, split, whole_curve
from sklearn.metrics import roc_curve

from curvox.metrics import Eer, equal_error_rate


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
