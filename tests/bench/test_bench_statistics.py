"""Intervals over speakers and seeds: against SciPy, against loops, against each other, and against a planted truth."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from curvox.bench.statistics import (
    SeedReplicates,
    holm,
    mean_difference,
    mean_interval,
    mean_of_measures,
    seed_replicates,
)
from curvox.errors import InputError
from curvox.metrics import Interval, draw_speakers, logarithmic_interval


def small_trials(seed, speakers=6, trials=60):
    rng = np.random.default_rng(seed)
    labels = rng.random(trials) < 0.4
    enrolment = rng.integers(0, speakers, trials)
    other = (enrolment + rng.integers(1, speakers, trials)) % speakers
    scores = np.round(labels + rng.normal(size=trials), 1)  # with ties
    return scores, labels, enrolment, np.where(labels, enrolment, other)


def planted(seed, *, seeds=3, speakers=40, shared=0.05, own=0.05, of_seed=0.01, resamples=150, mean=0.2):
    """Rates that are means over speakers, and their bootstrap: the truth is ``mean``, and all variances are known."""
    rng = np.random.default_rng(seed)
    of_speakers = shared * rng.normal(size=speakers) + own * rng.normal(size=(seeds, speakers))
    rates = mean + of_seed * rng.normal(size=(seeds, 1)) + of_speakers
    shares = rng.multinomial(speakers, np.full(speakers, 1 / speakers), size=resamples) / speakers
    return SeedReplicates(rates.mean(axis=1), rates @ shares.T, speakers)


def width(interval):
    return interval.high - interval.low


def test_replicates__of_no_run_are_refused():
    _, labels, enrolment, test = small_trials(2)
    with pytest.raises(InputError, match="at least one run"):
        seed_replicates(draw_speakers(labels, enrolment, test, resamples=2), [])


def test_interval__of_one_seed_is_that_of_the_speakers_alone():
    found = planted(0, seeds=1)
    expected = logarithmic_interval(found.mean, found.values[0], speakers=found.speakers)
    ours = mean_interval(found)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_interval__of_a_few_errors_is_on_the_scale_of_the_arcsine():
    values = np.array([0.0, 0.0, 0.02, 0.01, 0.0, 0.03] * 20)
    expected = logarithmic_interval(0.01, values, speakers=9, highest=1.0)
    ours = mean_interval(SeedReplicates(np.array([0.01]), values[None], 9))
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    none = SeedReplicates(np.zeros(3), np.zeros((3, 10)), 9)
    assert mean_interval(none) == Interval(0.0, 0.0)


def test_interval__of_seeds_alone_is_students():
    rates = np.array([0.11, 0.14, 0.10])
    ours = mean_interval(SeedReplicates(rates, np.tile(rates[:, None], 50), speakers=500))
    error = rates.std(ddof=1) / math.sqrt(3) / rates.mean()
    ends = np.exp(np.log(rates.mean()) + np.array([-1, 1]) * stats.t.ppf(0.975, 2) * error)
    assert (ours.low, ours.high) == pytest.approx(tuple(ends), rel=1e-9)


def test_interval__of_equal_seeds_is_that_of_one():
    one = planted(1, seeds=1)
    three = SeedReplicates(np.repeat(one.estimates, 3), np.repeat(one.values, 3, axis=0), one.speakers)
    assert mean_interval(three).low == pytest.approx(mean_interval(one).low, rel=1e-12)
    assert mean_interval(three).high == pytest.approx(mean_interval(one).high, rel=1e-12)


def test_interval__counts_what_seeds_hear_in_the_same_speakers_once():
    """Seeds of equal quality: the variance between them is chance of the speakers, which the bootstrap has already."""
    both = [planted(seed, own=0.2, shared=0.0, of_seed=0.0, seeds=5) for seed in range(40)]
    variances = [np.var(found.values.mean(axis=0)) for found in both]
    between = [found.estimates.var(ddof=1) / 5 for found in both]
    assert np.mean(between) == pytest.approx(np.mean(variances), rel=0.3)  # the same, so the sum would be twice it
    none = planted(0, mean=0.3)
    errors = [mean_difference(found, SeedReplicates(none.estimates[:1], 0 * none.values[:1], 40)) for found in both]
    squares = [error.standard_error**2 for error in errors if error.standard_error is not None]
    assert len(squares) == len(both)
    assert np.median(squares) < 1.4 * np.median(variances)


def test_interval__is_wider_where_seeds_differ_more_and_where_there_are_fewer_speakers():
    base = planted(2, of_seed=0.0)
    apart = np.array([-0.03, 0.0, 0.03])
    spread = SeedReplicates(base.estimates + apart, base.values + apart[:, None], base.speakers)
    assert width(mean_interval(spread)) > 1.5 * width(mean_interval(base))
    few = [width(mean_interval(planted(seed, speakers=10))) for seed in range(20)]
    many = [width(mean_interval(planted(seed, speakers=90))) for seed in range(20)]
    assert np.median(few) > 1.5 * np.median(many)
    two = [width(mean_interval(planted(seed, seeds=2, of_seed=0.04))) for seed in range(20)]
    six = [width(mean_interval(planted(seed, seeds=6, of_seed=0.04))) for seed in range(20)]
    assert np.median(two) > 1.5 * np.median(six)


@given(st.integers(0, 10_000), st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_statistics__do_not_hang_on_the_order_of_seeds(seed, order):
    first, second = planted(seed, seeds=4, resamples=20), planted(seed + 1, resamples=20)
    turned = SeedReplicates(first.estimates[list(order)], first.values[list(order)], first.speakers)
    ours, theirs = mean_interval(first), mean_interval(turned)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    assert mean_difference(first, second).p_value == pytest.approx(mean_difference(turned, second).p_value, rel=1e-9)


def test_difference__of_a_setting_from_itself_is_none():
    found = planted(3)
    same = mean_difference(found, found)
    assert (same.difference, same.p_value, same.relative) == (0.0, 1.0, 0.0)
    assert same.interval.low <= 0 <= same.interval.high
    assert same.interval.low == pytest.approx(-same.interval.high)


def test_difference__turns_its_sign_with_the_sides():
    first, second = planted(3), planted(4, mean=0.23)
    there, back = mean_difference(first, second), mean_difference(second, first)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.interval.low, there.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))
    assert there.p_value == pytest.approx(back.p_value)
    assert there.relative is not None
    assert back.relative is not None
    assert (1 + there.relative) * (1 + back.relative) == pytest.approx(1)
    ends = there.relative_interval, back.relative_interval
    assert ends[0] is not None
    assert ends[1] is not None
    assert (1 + ends[0].low) * (1 + ends[1].high) == pytest.approx(1)


@given(
    st.lists(st.floats(0.05, 0.4), min_size=2, max_size=5, unique=True),
    st.lists(st.floats(0.05, 0.4), min_size=2, max_size=5, unique=True),
)
@settings(max_examples=40, deadline=None)
def test_difference__of_seeds_alone_is_welchs(first, second):
    sides = [SeedReplicates(np.array(of), np.tile(np.array(of)[:, None], 9), speakers=10**6) for of in (first, second)]
    ours = mean_difference(sides[0], sides[1])
    theirs: Any = stats.ttest_ind(second, first, equal_var=False)
    if max(np.std(first), np.std(second)) < 1e-6:
        return
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)
    assert ours.degrees == pytest.approx(theirs.df, rel=1e-6)
    ends = theirs.confidence_interval()
    assert (ours.interval.low, ours.interval.high) == pytest.approx((ends.low, ends.high), rel=1e-6, abs=1e-9)


def test_difference__p_belongs_to_the_interval():
    for seed in range(30):
        found = mean_difference(planted(seed), planted(seed + 100, mean=0.21))
        outside = not found.interval.low <= 0 <= found.interval.high
        assert outside == (found.p_value < 0.05)


def test_difference__refuses_other_draws():
    with pytest.raises(InputError, match="resampled alike"):
        mean_difference(planted(0), planted(0, resamples=20))
    with pytest.raises(InputError, match="resampled alike"):
        mean_difference(planted(0), planted(0, speakers=39))


def test_difference__of_faultless_settings_has_no_relative_one():
    none = SeedReplicates(np.zeros(2), np.zeros((2, 5)), 10)
    found = mean_difference(none, none)
    assert (found.difference, found.p_value, found.relative, found.relative_interval) == (0.0, 1.0, None, None)


def test_replicates__refuse_shapes_that_do_not_fit():
    for estimates, values, speakers, match in (
        (np.zeros(0), np.zeros((0, 5)), 4, "replicates"),
        (np.zeros(2), np.zeros((3, 5)), 4, "replicates"),
        (np.zeros(2), np.zeros((2, 5)), 1, "2 speakers"),
    ):
        with pytest.raises(InputError, match=match):
            SeedReplicates(estimates, values, speakers)


def coverage(truth, found):
    return np.mean([interval.low <= truth <= interval.high for interval in found])


@pytest.mark.parametrize(
    ("seeds", "shared", "own", "of_seed"),
    [(3, 0.1, 0.05, 0.0), (3, 0.1, 0.05, 0.02), (3, 0.0, 0.1, 0.01), (3, 0.05, 0.05, 0.05), (5, 0.05, 0.1, 0.02)],
)
def test_interval__holds_a_planted_truth_as_often_as_it_says(seeds, shared, own, of_seed):
    worlds = [
        planted(seed, seeds=seeds, shared=shared, own=own, of_seed=of_seed, speakers=50, resamples=100)
        for seed in range(1000, 1600)
    ]
    # Of 600 draws chance alone moves a share of 95 % by 1.7 points.
    assert 0.92 < coverage(0.2, [mean_interval(found) for found in worlds]) < 0.985


def test_interval__over_speakers_alone_does_not_hold_it():
    worlds = [planted(seed, shared=0.05, own=0.05, of_seed=0.03, speakers=50) for seed in range(2000, 2300)]
    pooled = [SeedReplicates(np.array([w.mean]), w.values.mean(axis=0)[None], w.speakers) for w in worlds]
    assert coverage(0.2, [mean_interval(found) for found in pooled]) < 0.75


def test_difference__of_equal_settings_is_found_as_seldom_as_it_says():
    found = [
        mean_difference(planted(seed, shared=0.0, own=0.1), planted(seed + 5000, shared=0.0, own=0.1))
        for seed in range(600)
    ]
    assert np.mean([one.p_value < 0.05 for one in found]) < 0.07
    assert np.mean([one.p_value < 0.5 for one in found]) > 0.35


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_holm__refuses_what_stepping_down_refuses(p_values, alpha):
    corrected = holm(p_values)
    refused = set()
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if min(1.0, (len(p_values) - rank) * p_values[i]) > alpha:
            break
        refused.add(i)
    assert {i for i, p in enumerate(corrected) if p <= alpha} == refused
    assert all(own <= of for own, of in zip(p_values, corrected, strict=True))


def test_mean_of_measures__adds_the_seeds_to_the_interval_of_one():
    interval = Interval(0.4, 0.6)

    def interval_of(values):
        found = mean_of_measures(values, [interval] * len(values))
        assert found is not None
        return found

    alone = interval_of([0.5])
    assert (alone.low, alone.high) == pytest.approx((0.4, 0.6))
    assert interval_of([0.5, 0.5]).high == pytest.approx(0.6)
    assert interval_of([0.4, 0.6]).high > 0.6
    assert mean_of_measures([0.5, 0.5], [interval, None]) is None
    assert mean_of_measures([], []) is None
