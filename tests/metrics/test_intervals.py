"""Laws of the intervals of error rates at a fixed threshold, and of sums of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW
from scipy.stats import beta, t

from curvox.metrics import Interval, OperatingPoint, bootstrap_speakers, rate_interval, sum_interval

RATES = st.floats(0, 1)


def clopper_pearson(errors, trials, level=0.95):
    tail = (1 - level) / 2
    low = beta.ppf(tail, errors, trials - errors + 1) if errors else 0.0
    high = beta.ppf(1 - tail, errors + 1, trials - errors) if errors < trials else 1.0
    return low, high


@LAW
@given(st.integers(0, 50), st.integers(1, 50), st.floats(0.5, 0.99))
def test_rate_interval__without_spread_is_that_of_independent_trials(errors, trials, level):
    errors = min(errors, trials)
    found = rate_interval(errors / trials, np.full(9, errors / trials), trials=trials, speakers=5, level=level)
    assert (found.low, found.high) == pytest.approx(clopper_pearson(errors, trials, level), abs=1e-9)
    assert found.level == level


def test_rate_interval__of_spread_is_symmetric_on_the_scale_of_log_odds():
    values = np.array([0.1, 0.2, 0.3])
    found = rate_interval(0.2, values, trials=1e6, speakers=4)
    reach = t.ppf(0.975, 3) * values.std() * (4 / 3) ** 0.5 / (0.2 * 0.8)
    odds = [np.log(end / (1 - end)) for end in (found.low, 0.2, found.high)]
    assert np.diff(odds) == pytest.approx([reach, reach])


def test_rate_interval__of_one_speaker_says_nothing():
    assert rate_interval(0.1, np.full(3, 0.1), trials=1000, speakers=1) == Interval(0.0, 1.0, 0.95)


@LAW
@given(st.lists(st.tuples(st.floats(0, 100), RATES, RATES, RATES), min_size=1, max_size=4))
def test_sum_interval__holds_the_sum_and_stays_within_the_sums_of_the_ends(parts):
    parts = [(w, sorted(rates)[1], Interval(min(rates), max(rates), 0.9)) for w, *rates in parts]
    found = sum_interval(parts)
    total = sum(w * rate for w, rate, _ in parts)
    ends = [sum(w * getattr(interval, end) for w, _, interval in parts) for end in ("low", "high")]
    assert ends[0] - 1e-9 <= found.low <= total <= found.high <= ends[1] + 1e-9
    assert found.level == 0.9
    if len(parts) == 1:
        assert (found.low, found.high) == pytest.approx(tuple(ends))


def test_interval_of_an_actual_cost__knows_that_no_false_alarm_is_not_none():
    labels = np.arange(600) < 300
    enrolment = np.arange(600) % 10
    test = np.where(labels, enrolment, (enrolment + 1) % 10)
    llrs = np.where(labels, 10.0, -10.0)
    llrs[:30] = -1.0
    point = OperatingPoint(0.01)
    found = bootstrap_speakers(
        llrs, labels, enrolment_speakers=enrolment, test_speakers=test, points=(point,), llrs=True, resamples=20
    )
    interval = found.interval("act_dcf:0.01")
    far = 99 * clopper_pearson(0, 300)[1]
    frr = rate_interval(0.1, found.rates[1, 0, 1:], trials=300, speakers=10)
    assert interval.high == pytest.approx(0.1 + np.hypot(far, frr.high - 0.1))
    assert interval.low == pytest.approx(frr.low)
