"""Laws of the bootstrap over speakers."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.errors import InputError
from curvox.metrics import (
    OperatingPoint,
    bootstrap_speakers,
    equal_error_rate,
    logarithmic_interval,
    min_dcf,
    point_key,
)
from curvox.metrics.figures import Choice, detection_figures
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.metrics.resamples import weighed_trials

LAW = settings(max_examples=50, deadline=None)
POINTS = (OperatingPoint(0.01), OperatingPoint(0.05), OperatingPoint(0.4, cost_miss=3.0))
CHOICE = Choice(points=POINTS, rates=(0.0, 0.01, 0.1, 0.5), llrs=True)


def draw_scores(rng, *, speakers, trials, decimals=12, spread=1.0, separation=2.0):
    """Scores with an effect of every speaker; about a fifth are targets."""
    labels = rng.random(trials) < 0.2
    labels[:2] = True, False
    enrolment = rng.integers(0, speakers, trials)
    other = (enrolment + rng.integers(1, speakers, trials)) % speakers
    test = np.where(labels, enrolment, other)
    effect = rng.normal(size=speakers) * spread
    scores = rng.normal(size=trials) + separation * labels + effect[enrolment] + effect[test]
    return np.round(scores, decimals), labels, enrolment, test


def values_of(found, key):
    """The values (R,) of a figure in all resamples."""
    return found.values[found.keys.index(key)]


def trial_weights(labels, enrolment, test, multiplicity):
    return [
        multiplicity[e] if y else multiplicity[e] * multiplicity[t]
        for y, e, t in zip(labels, enrolment, test, strict=True)
    ]


def weigh(scores, labels, enrolment, test, weights=None):
    scores, labels, weights = check_trials(scores, labels, weights)
    return weighed_trials(scores, labels, weights, *check_speakers(labels, enrolment, test), CHOICE)


def values(scores, labels, weights=None):
    found = detection_figures(
        scores, labels, points=CHOICE.points, rates=CHOICE.rates, llrs=CHOICE.llrs, weights=weights
    )
    return [figure.value for figure in found]


@LAW
@given(st.integers(0, 10_000), st.sampled_from([0, 12]), st.booleans())
def test_figures_of_a_resample__are_those_of_weighted_trials(seed, decimals, weighted):
    rng = np.random.default_rng(seed)
    scores, labels, enrolment, test = draw_scores(rng, speakers=6, trials=60, decimals=decimals)
    own = rng.integers(1, 4, 60) * 0.5 if weighted else np.ones(60)
    trials = weigh(scores, labels, enrolment, test, own if weighted else None)
    present = np.unique(np.concatenate((enrolment, test)))
    for row in rng.integers(0, 3, (5, trials.speakers)):
        multiplicity = dict(zip(present.tolist(), row.tolist(), strict=True))
        weights = own * trial_weights(labels, enrolment.tolist(), test.tolist(), multiplicity)
        both = {bool(y) for y, w in zip(labels, weights, strict=True) if w > 0} == {True, False}
        found = trials.figures_and_rates(row)
        assert (found is not None) == both
        if found is not None:
            assert found[0] == pytest.approx(values(scores, labels, weights), abs=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_figures_of_a_resample__with_every_multiplicity_one_are_those_of_the_trials(decimals):
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(4), speakers=40, trials=6000, decimals=decimals)
    trials = weigh(scores, labels, enrolment, test)
    found = trials.figures_and_rates(np.ones(trials.speakers))
    assert found is not None
    assert found[0] == pytest.approx(values(scores, labels), abs=1e-13)


def test_bootstrap_speakers__is_the_plain_loop_over_redrawn_speakers():
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(6), speakers=12, trials=150)
    found = bootstrap_speakers(
        scores, labels, enrolment_speakers=enrolment, test_speakers=test, points=POINTS, resamples=20, seed=9
    )
    rng = np.random.default_rng(9)
    for i in range(20):
        multiplicity = rng.multinomial(12, [1 / 12] * 12)
        # Repeat every trial instead of weighing it.
        times = np.array(trial_weights(labels, enrolment, test, multiplicity))
        repeated, repeated_labels = np.repeat(scores, times), np.repeat(labels, times)
        assert values_of(found, "eer")[i] == pytest.approx(equal_error_rate(repeated, repeated_labels).value, abs=1e-12)
        for point in POINTS:
            row = values_of(found, f"min_dcf:{point_key(point)}")
            assert row[i] == pytest.approx(min_dcf(repeated, repeated_labels, point).value, abs=1e-12)


def test_bootstrap_speakers__follows_its_seed_and_nothing_else():
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(7), speakers=15, trials=300)
    names = np.array([f"speaker {i:02d}" for i in range(15)])
    order = np.random.default_rng(8).permutation(300)

    def replicates(seed, chosen: Any = slice(None), named=False):
        sides = [names[side] if named else side for side in (enrolment, test)]
        found = bootstrap_speakers(
            scores[chosen],
            labels[chosen],
            enrolment_speakers=sides[0][chosen],
            test_speakers=sides[1][chosen],
            resamples=70,
            seed=seed,
        )
        return values_of(found, "eer")

    first = replicates(1)
    np.testing.assert_array_equal(first, replicates(1))
    np.testing.assert_allclose(first, replicates(1, order), atol=1e-14)
    np.testing.assert_array_equal(first, replicates(1, named=True))
    assert not np.array_equal(first, replicates(2))


def test_bootstrap_speakers__does_not_depend_on_the_block_size(monkeypatch):
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(9), speakers=3, trials=40)
    found = []
    for block_bytes in (1, 100, 10_000):
        monkeypatch.setattr("curvox.metrics.resamples._BLOCK_BYTES", block_bytes)
        found.append(bootstrap_speakers(scores, labels, enrolment_speakers=enrolment, test_speakers=test, resamples=50))
    assert found[0].redrawn > 0
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].values, other.values)
        assert found[0].redrawn == other.redrawn


def test_bootstrap_speakers__draws_again_when_a_class_is_missing():
    # Of two speakers a resample has both with probability one half; only then is there a non-target.
    found = bootstrap_speakers(
        [0.9, 0.8, 0.1], [1, 1, 0], enrolment_speakers=list("aba"), test_speakers=list("abb"), resamples=400
    )
    assert values_of(found, "eer").shape == (400,)
    assert np.isfinite(values_of(found, "eer")).all()
    assert found.redrawn == pytest.approx(400, abs=120)


def test_bootstrap_speakers__of_a_constant_model_is_one_half():
    _, labels, enrolment, test = draw_scores(np.random.default_rng(10), speakers=10, trials=100)
    found = bootstrap_speakers(
        np.zeros(100), labels, enrolment_speakers=enrolment, test_speakers=test, points=POINTS, resamples=20
    )
    assert (values_of(found, "eer") == 0.5).all()
    assert all((values_of(found, f"min_dcf:{point_key(point)}") == 1).all() for point in POINTS)


def test_intervals__cover_the_truth_about_as_often_as_they_say():
    # benchmarks/metrics.py counts this for every figure, with more draws and closer limits.
    setting: dict[str, Any] = {"spread": 0.7, "separation": 3.0}
    population = draw_scores(np.random.default_rng(11), speakers=20_000, trials=200_000, **setting)
    point = OperatingPoint(0.05)
    chosen: dict[str, Any] = {"points": (point,), "rates": (0.1,), "llrs": True}
    truth = {figure.key: figure.value for figure in detection_figures(*population[:2], **chosen)}
    covered, by_trials, by_percentiles, draws = dict.fromkeys(truth, 0), 0, 0, 80
    for seed in range(draws):
        scores, labels, enrolment, test = draw_scores(
            np.random.default_rng(1000 + seed), speakers=50, trials=5000, **setting
        )
        found = bootstrap_speakers(
            scores, labels, enrolment_speakers=enrolment, test_speakers=test, **chosen, resamples=100, seed=seed
        )
        for key in truth:
            interval = found.interval(key)
            covered[key] += interval.low <= truth[key] <= interval.high
        # As if every target trial had a speaker of its own.
        eer = truth["eer"]
        by_trials += abs(found.estimates[found.keys.index("eer")] - eer) <= 1.96 * np.sqrt(
            eer * (1 - eer) / labels.sum()
        )
        low, high = np.quantile(values_of(found, "min_dcf:0.05"), [0.025, 0.975])
        by_percentiles += low <= truth["min_dcf:0.05"] <= high
    assert min(covered.values()) >= 0.86 * draws
    # What the two simpler ways would give.
    assert by_trials < covered["eer"]
    assert by_percentiles < covered["min_dcf:0.05"]


def test_replicates__hold_the_point_estimates():
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(12), speakers=9, trials=200, decimals=1)
    found = bootstrap_speakers(
        scores, labels, enrolment_speakers=enrolment, test_speakers=test, points=POINTS, resamples=2
    )
    by_key = dict(zip(found.keys, found.estimates, strict=True))
    assert by_key["eer"] == pytest.approx(equal_error_rate(scores, labels).value, abs=1e-14)
    for point in POINTS:
        expected = min_dcf(scores, labels, point).value
        assert by_key[f"min_dcf:{point_key(point)}"] == pytest.approx(expected, abs=1e-14)


def test_logarithmic_interval__is_symmetric_in_the_logarithm_around_the_estimate_less_its_bias():
    values = np.exp(np.array([-1.0, 0.0, 1.0]) - 0.3)
    interval = logarithmic_interval(1.0, values, speakers=5)
    reach = 2.7764451 * math.sqrt(5 / 4) * math.sqrt(2 / 3)
    assert (interval.low, interval.high) == pytest.approx((math.exp(0.3 - reach), math.exp(0.3 + reach)))
    assert logarithmic_interval(0.9, values, speakers=5, highest=1.0).high == 1


@LAW
@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(2, 99), st.floats(0.01, 0.99))
def test_logarithmic_interval__holds_the_estimate_and_stays_in_range(estimate, values, speakers, level):
    interval = logarithmic_interval(estimate, np.array(values), speakers=speakers, level=level, highest=1.0)
    assert 0 <= interval.low <= estimate <= interval.high <= 1


def test_logarithmic_interval__of_no_spread_is_the_estimate_and_of_some_zeros_is_finite():
    for rate in (0.0, 0.5, 1.0):
        interval = logarithmic_interval(rate, np.full(10, rate), speakers=9)
        assert (interval.low, interval.high) == pytest.approx((rate, rate))
    interval = logarithmic_interval(0.02, np.array([0.0, 0.01, 0.02, 0.04]), speakers=9)
    assert 0 < interval.low < 0.02 < interval.high < 1
    assert math.isfinite(logarithmic_interval(1.0, np.array([1e-9, 1e9]), speakers=2, level=0.9999).high)


def test_interval_of_the_auc__is_that_of_what_it_lacks():
    scores, labels, enrolment, test = draw_scores(np.random.default_rng(13), speakers=9, trials=200)
    found = bootstrap_speakers(scores, labels, enrolment_speakers=enrolment, test_speakers=test, resamples=30)
    row = found.keys.index("auc")
    lack = logarithmic_interval(1 - found.estimates[row], 1 - found.values[row], speakers=9)
    assert (found.interval("auc").low, found.interval("auc").high) == pytest.approx((1 - lack.high, 1 - lack.low))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_intervals__refuse_a_level_outside_zero_and_one(level):
    with pytest.raises(InputError, match="level"):
        logarithmic_interval(0.1, np.array([0.1]), speakers=9, level=level)


@pytest.mark.parametrize(
    ("enrolment", "test", "message"),
    [
        (["a", "a"], ["a", "a"], "trial 1 is labelled non-target but its speakers are 'a' and 'a'"),
        (["a", "a"], ["b", "b"], "trial 0 is labelled target but its speakers are 'a' and 'b'"),
        (["a"], ["a", "b"], "enrolment_speakers must be a vector as long as the scores"),
        (["a", "a"], ["a"], "test_speakers must be a vector as long as the scores"),
        (["a", None], ["a", "b"], "enrolment_speakers must be text or whole numbers, got None at index 1"),
        ([1, 1], ["1", "2"], "all text or all whole numbers"),
        ([0.5, 0.5], [0.5, 1.5], "text or whole numbers, got 0.5"),
    ],
)
def test_bootstrap_speakers__refuses_speakers_that_contradict(enrolment, test, message):
    with pytest.raises(InputError, match=message):
        bootstrap_speakers([0.9, 0.1], [1, 0], enrolment_speakers=enrolment, test_speakers=test)


def test_bootstrap_speakers__refuses_bad_scores_and_counts():
    speakers: dict[str, Any] = {"enrolment_speakers": ["a", "a"], "test_speakers": ["a", "b"]}
    with pytest.raises(InputError, match="NaN"):
        bootstrap_speakers([0.9, np.nan], [1, 0], **speakers)
    with pytest.raises(InputError, match="resamples must be at least 1"):
        bootstrap_speakers([0.9, 0.1], [1, 0], **speakers, resamples=0)


def test_interval__of_a_rate_whose_resamples_reach_zero_stays_near_them() -> None:
    """Of a few speakers, half of the resamples without an error: the logarithm alone would reach up to 1."""
    values = np.repeat([0.0, 1e-4, 0.02, 0.06], 250)

    interval = logarithmic_interval(0.02, values, speakers=10, highest=1.0)

    assert interval.low < 1e-3
    assert 0.06 < interval.high < 0.25
