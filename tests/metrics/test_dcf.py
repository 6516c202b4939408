"""Laws of the minimum detection cost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, split, whole_curve

from curvox.errors import InputError
from curvox.metrics import OperatingPoint, min_dcf

POINTS = st.builds(
    OperatingPoint, st.floats(0.001, 0.999), cost_miss=st.floats(0.1, 10), cost_false_alarm=st.floats(0.1, 10)
)


def expected_cost(scores, labels, point, threshold):
    """The mean cost of deciding trials one by one, targets and non-targets mixed by the prior."""
    cost = 0.0
    for wanted, prior in ((True, point.p_target), (False, 1 - point.p_target)):
        of_class = [s for s, y in zip(scores, labels, strict=True) if y == wanted]
        price = point.cost_miss if wanted else point.cost_false_alarm
        cost += prior * price * sum((s >= threshold) != wanted for s in of_class) / len(of_class)
    return cost


@LAW
@given(TRIALS, POINTS)
def test_min_dcf__matches_brute_force(trials, point):
    scores, labels = split(trials)
    constant = min(expected_cost(scores, labels, point, t) for t in (-math.inf, math.inf))
    thresholds = [math.inf, *scores, *(scores + 0.5), -math.inf]
    lowest = min(expected_cost(scores, labels, point, t) for t in thresholds)
    found = min_dcf(scores, labels, point)
    assert found.value == pytest.approx(lowest / constant, abs=1e-12)
    assert expected_cost(scores, labels, point, found.threshold) / constant == pytest.approx(found.value, abs=1e-12)
    assert found.point == point


def test_min_dcf__of_a_constant_model_is_one():
    for p_target in (0.01, 0.5, 0.99):
        assert min_dcf([0.3] * 10, [0, 1] * 5, OperatingPoint(p_target)).value == 1


def test_min_dcf__of_separated_scores_is_zero():
    found = min_dcf([0.1, 0.2, 0.7], [0, 0, 1], OperatingPoint(0.01))
    assert (found.value, found.threshold) == (0, 0.7)


def test_min_dcf__rejecting_everything_has_an_infinite_threshold():
    found = min_dcf([0.9, 0.1], [0, 1], OperatingPoint(0.01))
    assert (found.value, found.threshold) == (1, math.inf)


@LAW
@given(TRIALS, POINTS, st.randoms())
def test_min_dcf__ignores_order_and_increasing_transforms(trials, point, random):
    scores, labels = split(trials)
    order = list(range(len(scores)))
    random.shuffle(order)
    assert min_dcf(np.exp(scores[order]), labels[order], point).value == min_dcf(scores, labels, point).value


@LAW
@given(TRIALS, POINTS, st.floats(0.1, 10))
def test_min_dcf__depends_on_the_ratio_of_costs_only(trials, point, factor):
    scaled = OperatingPoint(point.p_target, point.cost_miss * factor, point.cost_false_alarm * factor)
    assert min_dcf(*split(trials), scaled).value == pytest.approx(min_dcf(*split(trials), point).value)


@LAW
@given(TRIALS, POINTS)
def test_min_dcf__swapping_the_classes_and_the_sign_swaps_the_costs(trials, point):
    scores, labels = split(trials)
    mirrored = OperatingPoint(1 - point.p_target, point.cost_false_alarm, point.cost_miss)
    assert min_dcf(-scores, ~labels, mirrored).value == pytest.approx(min_dcf(scores, labels, point).value)


@LAW
@given(TRIALS, POINTS, st.data())
def test_min_dcf__whole_weights_are_repetitions(trials, point, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(trials), max_size=len(trials))))
    repeated = min_dcf(np.repeat(scores, times), np.repeat(labels, times), point)
    assert min_dcf(scores, labels, point, times).value == pytest.approx(repeated.value)


@LAW
@given(TRIALS, POINTS, st.data())
def test_min_dcf__from_the_corners_is_that_of_the_whole_curve(trials, point, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(trials), max_size=len(trials))))
    for weights in (None, times):
        roc, found = whole_curve(scores, labels, weights), min_dcf(scores, labels, point, weights)
        miss, false_alarm = point.cost_miss * point.p_target, point.cost_false_alarm * (1 - point.p_target)
        costs = (miss * roc.false_rejection + false_alarm * roc.false_acceptance) / min(miss, false_alarm)
        assert found.value == pytest.approx(costs.min(), abs=1e-12)
        assert costs[roc.threshold == found.threshold] == pytest.approx(costs.min(), abs=1e-12)


@pytest.mark.parametrize("p_target", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_operating_point__refuses_a_prior_outside_zero_and_one(p_target):
    with pytest.raises(InputError, match="p_target"):
        OperatingPoint(p_target)


@pytest.mark.parametrize("cost", [0.0, -1.0, math.inf, math.nan])
def test_operating_point__refuses_costs_that_are_not_positive(cost):
    with pytest.raises(InputError, match="cost_miss"):
        OperatingPoint(0.01, cost_miss=cost)
    with pytest.raises(InputError, match="cost_false_alarm"):
        OperatingPoint(0.01, cost_false_alarm=cost)
