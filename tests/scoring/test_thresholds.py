"""Laws of named thresholds."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from builders import draw_llrs, draw_trials
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from curvox.errors import InputError, UnknownNameError
from curvox.metrics import OperatingPoint, bayes_threshold, equal_error_rate
from curvox.records import from_plain, to_json, to_plain
from curvox.scoring.calibration.thresholds import NamedThreshold, find_thresholds, measurable_rates

LAW = settings(max_examples=30, deadline=None)
POINTS = (OperatingPoint(0.01), OperatingPoint(0.05, cost_miss=10.0))


def draw_ratios(seed=0, speakers=25, trials=3000, decimals=12, spread=6.0, effect=0.0):
    rng = np.random.default_rng(seed)
    labels, enrolment, test = draw_trials(rng, speakers=speakers, trials=trials, one_target_in=3)
    llrs = draw_llrs(rng, labels, spread=spread)
    of_speaker = effect * rng.normal(size=speakers)
    llrs = llrs + of_speaker[enrolment] + of_speaker[test]
    sides: dict[str, Any] = {"enrolment_speakers": enrolment, "test_speakers": test}
    return np.round(llrs, decimals), labels, sides


def rates(llrs, labels, threshold):
    return np.mean(llrs[~labels] >= threshold), np.mean(llrs[labels] < threshold)


@LAW
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 12]))
def test_find_thresholds__keep_their_rate_and_no_score_keeps_it_closer(seed, decimals):
    llrs, labels, speakers = draw_ratios(seed, trials=600, decimals=decimals)
    found = find_thresholds(llrs, labels, **speakers, fars=(0.1, 0.01), frrs=(0.1, 0.01), resamples=5)
    candidates = np.unique(llrs)
    for one in found:
        far, frr = rates(llrs, labels, one.llr_threshold)
        assert (one.measured_far, one.measured_frr) == (far, frr)
        if one.kind == "far":
            assert far <= one.rate
            lower = candidates[candidates < one.llr_threshold]
            assert lower.size == 0 or rates(llrs, labels, lower[-1])[0] > one.rate
        elif one.kind == "frr":
            assert frr <= one.rate
            higher = candidates[candidates > one.llr_threshold]
            assert higher.size == 0 or rates(llrs, labels, higher[0])[1] > one.rate
        else:
            assert one.llr_threshold == equal_error_rate(llrs, labels).threshold


def test_find_thresholds__have_names_that_say_what_they_are():
    llrs, labels, speakers = draw_ratios()
    found = find_thresholds(llrs, labels, **speakers, fars=(0.01, 0.001), frrs=(0.05,), points=POINTS, resamples=5)
    assert [(one.name, one.kind, one.rate, one.point) for one in found] == [
        ("far:0.01", "far", 0.01, None),
        ("far:0.001", "far", 0.001, None),
        ("frr:0.05", "frr", 0.05, None),
        ("eer", "eer", None, None),
        ("bayes:0.01", "bayes", None, POINTS[0]),
        ("bayes:0.05:10:1", "bayes", None, POINTS[1]),
    ]
    assert found[4].llr_threshold == pytest.approx(math.log(99))
    assert found[5].llr_threshold == pytest.approx(math.log(19 / 10))


def test_find_thresholds__of_gaussian_ratios_are_the_closed_form():
    llrs, labels, speakers = draw_ratios(1, speakers=200, trials=90_000)
    found = find_thresholds(llrs, labels, **speakers, fars=(0.01,), frrs=(0.05,), points=POINTS, resamples=5)
    deviation = math.sqrt(6)
    expected = [-3 + deviation * norm.isf(0.01), 3 + deviation * norm.ppf(0.05), 0.0, math.log(99), math.log(1.9)]
    np.testing.assert_allclose([one.llr_threshold for one in found], expected, atol=0.1)
    for one in found:
        assert one.measured_far == pytest.approx(norm.sf(one.llr_threshold, -3, deviation), abs=0.005)
        assert one.measured_frr == pytest.approx(norm.cdf(one.llr_threshold, 3, deviation), abs=0.005)
        assert one.too_small is None


def interval_by_loop(errors, labels, enrolment, test, resamples, seed, level):
    """The bootstrap over speakers trial by trial, and not below the exact binomial interval."""
    rng = np.random.default_rng(seed)
    count = len(set(enrolment) | set(test))
    values = []
    while len(values) < resamples:
        n = rng.multinomial(count, np.full(count, 1 / count))
        weights = np.array([n[e] if e == t else n[e] * n[t] for e, t in zip(enrolment, test, strict=True)], float)
        if weights[labels].sum() and weights[~labels].sum():
            values.append([np.average(errors[side], weights=weights[side]) for side in (~labels, labels)])
    found = []
    for side, replicates in zip((~labels, labels), np.array(values).T, strict=True):
        rate, low, high = errors[side].mean(), 1.0, 0.0
        speakers = len(set(enrolment[side]) | set(test[side]))
        reach = student.ppf((1 + level) / 2, speakers - 1) * replicates.std() * math.sqrt(speakers / (speakers - 1))
        if 0 < rate < 1:
            odds = rate / (1 - rate) * np.exp(np.array([-1, 1]) * reach / (rate * (1 - rate)))
            low, high = odds / (1 + odds)
        exact = binomtest(int(errors[side].sum()), int(side.sum())).proportion_ci(level)
        found.append((min(low, exact.low), max(high, exact.high), level))
    return found


@pytest.mark.parametrize(("speakers", "level", "effect"), [(25, 0.95, 1.5), (5, 0.8, 0.0)])
def test_find_thresholds__intervals_are_those_of_a_slow_loop(speakers, level, effect):
    llrs, labels, sides = draw_ratios(2, speakers=speakers, trials=200, effect=effect)
    found = find_thresholds(
        llrs, labels, **sides, fars=(0.1,), frrs=(0.2,), points=POINTS, resamples=40, seed=7, level=level
    )
    for one in found:
        errors = (llrs >= one.llr_threshold) != labels
        expected = interval_by_loop(errors, labels, *sides.values(), resamples=40, seed=7, level=level)
        for interval, values in zip((one.far_interval, one.frr_interval), expected, strict=True):
            assert dataclasses.astuple(interval) == pytest.approx(values, abs=1e-9)


def test_find_thresholds__intervals_hold_the_true_rates_as_often_as_they_say():
    held = []
    for seed in range(300):
        llrs, labels, sides = draw_ratios(seed, speakers=50, trials=1500, effect=1.0)
        found = find_thresholds(llrs, labels, **sides, fars=(0.05,), frrs=(0.1,), resamples=100, seed=seed)
        for one in found:
            true_far = norm.sf(one.llr_threshold, -3, math.sqrt(6 + 2))
            true_frr = norm.cdf(one.llr_threshold, 3, math.sqrt(6 + 4))
            held.append(
                [
                    interval.low <= rate <= interval.high
                    for interval, rate in ((one.far_interval, true_far), (one.frr_interval, true_frr))
                ]
            )
    shares = np.mean(np.reshape(held, (300, 6)), axis=0)
    assert ((shares > 0.92) & (shares < 0.98)).all(), shares


def test_find_thresholds__of_one_target_speaker_know_nothing_of_rejections():
    llrs, labels, sides = draw_ratios(12)
    kept = ~labels | (sides["enrolment_speakers"] == 0)
    of_kept = {name: values[kept] for name, values in sides.items()}
    (one,) = find_thresholds(llrs[kept], labels[kept], **of_kept, fars=(0.1,), frrs=(), eer=False, resamples=20)
    assert (one.frr_interval.low, one.frr_interval.high) == (0, 1)
    assert one.far_interval.high < 0.2


def test_find_thresholds__no_error_seen_is_not_no_error():
    # Nothing is accepted at a threshold of 10 with 200 non-targets: the rate may still be 1.8 %.
    _, labels, sides = draw_ratios(3, trials=300)
    found = find_thresholds(
        np.where(labels, 5.0, -5.0) + np.arange(300) * 1e-3, labels, **sides, fars=(), frrs=(), resamples=20
    )
    assert found[0].measured_far == 0
    assert found[0].far_interval.low == 0
    assert found[0].far_interval.high == pytest.approx(1 - 0.025 ** (1 / 200), abs=1e-9)
    assert "0 false acceptances" in str(found[0].too_small)


def test_find_thresholds__speakers_that_differ_make_the_interval_wider():
    widths = []
    for effect in (0.0, 2.0):
        llrs, labels, sides = draw_ratios(4, speakers=30, trials=20_000, effect=effect)
        (one,) = find_thresholds(llrs, labels, **sides, fars=(0.1,), frrs=(), eer=False, resamples=200)
        widths.append(one.far_interval.high - one.far_interval.low)
    assert widths[1] > 3 * widths[0]


def test_find_thresholds__depend_on_the_seed_and_not_on_the_order():
    llrs, labels, sides = draw_ratios(5)
    order = np.random.default_rng(0).permutation(labels.size)
    first = find_thresholds(llrs, labels, **sides, resamples=50, seed=1)
    shuffled = {name: values[order] for name, values in sides.items()}
    second = find_thresholds(llrs[order], labels[order], **shuffled, resamples=50, seed=1)
    for one, other in zip(first, second, strict=True):
        assert one.llr_threshold == other.llr_threshold
        assert dataclasses.astuple(one.far_interval) == pytest.approx(dataclasses.astuple(other.far_interval))
    assert find_thresholds(llrs, labels, **sides, resamples=50, seed=2) != first


def test_find_thresholds__refuse_rates_that_cannot_be_known():
    llrs, labels, sides = draw_ratios(6, trials=300)
    with pytest.raises(InputError, match=r"less than one error in 200 non-target.*30,000"):
        find_thresholds(llrs, labels, **sides, fars=(0.001,))
    with pytest.raises(InputError, match=r"less than one error in 100 target.*6,000"):
        find_thresholds(llrs, labels, **sides, fars=(), frrs=(0.005,))
    assert measurable_rates((0.1, 0.005, 0.001), 200) == (0.1, 0.005)
    (one,) = find_thresholds(llrs, labels, **sides, fars=(0.01,), frrs=(), eer=False, resamples=5)
    assert one.too_small == ("rests on 2 false acceptances; fewer than 30 say little (Doddington's rule of 30)")


def test_find_thresholds__refuse_what_makes_no_sense():
    llrs, labels, sides = draw_ratios(7)
    refused = [
        ({"fars": (0.0,)}, "rate"),
        ({"fars": (1,)}, "rate"),
        ({"frrs": ("1%",)}, "rate"),
        ({"fars": (0.01, 0.01)}, "twice"),
        ({"resamples": 0}, "resamples"),
        ({"level": 1.0}, "level"),
    ]
    for settings_, message in refused:
        with pytest.raises(InputError, match=message):
            find_thresholds(llrs, labels, **sides, **settings_)
    with pytest.raises(InputError, match="contradict"):
        find_thresholds(llrs, ~labels, **sides)
    with pytest.raises(InputError, match="rejects everything"):
        find_thresholds(np.zeros(labels.size), labels, **sides)
    with pytest.raises(InputError, match="NaN"):
        find_thresholds(np.full(labels.size, np.nan), labels, **sides)


def test_record__makes_the_same_threshold_again():
    llrs, labels, sides = draw_ratios(8, trials=600)
    found = find_thresholds(llrs, labels, **sides, fars=(0.01,), points=POINTS, resamples=20)
    for one in found:
        assert from_plain(NamedThreshold, json.loads(to_json(to_plain(one))), what="a threshold") == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "fra"}, "far"),
        ({"name": ""}, "name"),
        ({"llr_threshold": math.inf}, "finite"),
        ({"llr_threshold": "1"}, "llr_threshold: expected a number"),
        ({"measured_far": 1.5}, "measured_far"),
        ({"measured_frr": math.nan}, "measured_frr"),
        ({"rate": None}, "rate"),
        ({"rate": 2.0}, "rate"),
        ({"kind": "eer"}, "rate"),
        ({"kind": "bayes", "rate": None}, "operating point"),
        ({"point": {"p_target": 0.5}}, "cost_miss"),
        ({"far_interval": {"low": 0.2, "high": 0.1, "level": 0.95}}, "far_interval"),
        ({"far_interval": {"low": 0.0, "high": 0.1, "level": 95}}, "far_interval"),
        ({"far_interval": None}, "mapping"),
        ({"too_small": 3}, "too_small"),
        ({"colour": 1}, "unknown key"),
    ],
)
def test_record__refuses_what_is_no_threshold(change, message):
    llrs, labels, sides = draw_ratios(9, trials=600)
    (plain,) = (to_plain(one) for one in find_thresholds(llrs, labels, **sides, fars=(0.1,), frrs=(), eer=False))
    with pytest.raises(InputError, match=message):
        from_plain(NamedThreshold, plain | change, what="a threshold")
    for key in plain:
        with pytest.raises(InputError, match=key):
            from_plain(NamedThreshold, {k: v for k, v in plain.items() if k != key}, what="a threshold")


def test_accepts__at_the_threshold_and_above():
    llrs, labels, sides = draw_ratios(10)
    one = find_thresholds(llrs, labels, **sides, resamples=5)[0]
    limit = one.llr_threshold
    assert one.accepts([limit, np.nextafter(limit, -10), 1e300, -np.inf]).tolist() == [True, False, True, False]
    assert one.accepts(llrs[~labels]).mean() == one.measured_far
    with pytest.raises(InputError, match="NaN"):
        one.accepts([np.nan])


@LAW
@given(st.floats(0.01, 0.99), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(-8, 8))
def test_bayes_threshold__decides_at_the_least_cost_that_is_expected(p_target, cost_miss, cost_false_alarm, llr):
    point = OperatingPoint(p_target, cost_miss, cost_false_alarm)
    odds = math.exp(llr) * p_target / (1 - p_target)
    accepting, rejecting = cost_false_alarm / (1 + odds), cost_miss * odds / (1 + odds)
    if not math.isclose(accepting, rejecting, rel_tol=1e-9):
        assert (llr >= bayes_threshold(point)) == (accepting < rejecting)


def test_named_threshold__of_an_unknown_kind_is_refused_with_the_nearest():
    llrs, labels, sides = draw_ratios(11)
    one = find_thresholds(llrs, labels, **sides, resamples=5)[0]
    with pytest.raises(UnknownNameError, match='did you mean "far"'):
        dataclasses.replace(one, kind="faar")
