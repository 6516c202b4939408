"""Laws of the paired comparison of two systems."""

from typing import Any

import numpy as np
import pytest
from builders import draw_trials

from curvox.errors import InputError
from curvox.metrics import bootstrap_speakers, compare_systems, detection_figures
from curvox.metrics.figures import choice_of_keys

KEYS = ("min_dcf:0.05", "eer", "auc", "cllr", "act_dcf:0.01:10:1", "frr_at_far:0.1")


def draw_scores(seed=0, speakers=20, trials=800):
    rng = np.random.default_rng(seed)
    labels, enrolment, test = draw_trials(rng, speakers=speakers, trials=trials, one_target_in=3)
    scores = rng.normal(size=trials) + 2 * labels + rng.normal(size=speakers)[enrolment] * 0.5
    sides: dict[str, Any] = {"enrolment_speakers": enrolment, "test_speakers": test}
    return scores, labels, sides


def test_compare_systems__takes_both_on_the_same_draws():
    first, labels, sides = draw_scores()
    second = first + np.random.default_rng(1).normal(size=first.size)
    found = compare_systems(
        first, second, labels, **sides, keys=KEYS, first_llrs=True, second_llrs=True, resamples=50, seed=4
    )
    choice = choice_of_keys(KEYS)
    settings: dict[str, Any] = {"points": choice.points, "rates": choice.rates, "llrs": True}
    both = [bootstrap_speakers(s, labels, **sides, **settings, resamples=50, seed=4) for s in (first, second)]
    assert [difference.key for difference in found] == list(KEYS)
    for difference in found:
        row = both[0].keys.index(difference.key)
        estimates = [replicates.estimates[row] for replicates in both]
        assert (difference.first, difference.second) == pytest.approx(tuple(estimates))
        assert difference.difference == pytest.approx(estimates[1] - estimates[0])
        changes = both[1].values[row] - both[0].values[row]
        low, high = 2 * difference.difference - np.quantile(changes, [0.975, 0.025])
        assert difference.interval.low == pytest.approx(min(low, difference.difference))
        assert difference.interval.high == pytest.approx(max(high, difference.difference))


def test_compare_systems__of_one_system_with_itself_sees_no_difference():
    scores, labels, sides = draw_scores()
    for difference in compare_systems(scores, 3 * scores + 1, labels, **sides, resamples=40):
        assert (difference.difference, difference.p_value) == (0, 1)
        assert (difference.interval.low, difference.interval.high) == (0, 0)


def test_compare_systems__swapping_the_systems_turns_the_sign():
    first, labels, sides = draw_scores()
    second = first + 0.3 * np.random.default_rng(1).normal(size=first.size)
    there = compare_systems(first, second, labels, **sides, resamples=60)
    back = compare_systems(second, first, labels, **sides, resamples=60)
    for one, other in zip(there, back, strict=True):
        assert (one.difference, one.p_value) == pytest.approx((-other.difference, other.p_value))
        assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))


def test_compare_systems__p_value_and_interval_say_the_same():
    first, labels, sides = draw_scores()
    rng = np.random.default_rng(2)
    for noise in (0.02, 0.2, 0.5, 1.0, 3.0):
        second = first + noise * rng.normal(size=first.size)
        for difference in compare_systems(first, second, labels, **sides, resamples=399):
            leaves_out_0 = difference.interval.low > 0 or difference.interval.high < 0
            # The quantile falls between two resamples; p counts whole ones.
            if abs(difference.p_value - 0.05) > 0.01:
                assert leaves_out_0 == (difference.p_value < 0.05)
            assert 2 / 400 <= difference.p_value <= 1


def test_compare_systems__sees_a_much_worse_system():
    first, labels, sides = draw_scores()
    shuffled = np.random.default_rng(3).permutation(first)
    for difference in compare_systems(first, shuffled, labels, **sides, keys=["eer", "min_cllr"], resamples=99):
        assert difference.p_value == pytest.approx(2 / 100)
        assert difference.interval.low > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": ["accuracy"]}, '"accuracy" names no figure'),
        ({"keys": ["eer:0.1"]}, '"eer:0.1" names no figure'),
        ({"keys": ["min_dcf:x"]}, '"min_dcf:x" names no figure'),
        ({"keys": ["min_dcf:0.01:10"]}, '"min_dcf:0.01:10" names no figure'),
        ({"keys": ["min_dcf:0.010"]}, '"min_dcf:0.010" names no figure'),
        ({"keys": ["cllr"], "first_llrs": True}, "log-likelihood ratios of both systems"),
        ({"level": 95.0}, "level must lie strictly between"),
        ({"resamples": 0}, "resamples must be at least 1"),
        ({"second_scores": [0.5]}, "as long as the scores"),
    ],
)
def test_compare_systems__refuses_what_cannot_be_compared(change, message):
    scores, labels, sides = draw_scores()
    given: dict[str, Any] = {"first_scores": scores, "second_scores": scores, "labels": labels, **sides, **change}
    with pytest.raises(InputError, match=message):
        compare_systems(**given)


def test_choice_of_keys__has_the_figures_of_the_keys():
    keys = choice_of_keys(KEYS).keys
    assert set(KEYS) <= set(keys)
    choice = choice_of_keys(keys)
    found = detection_figures([0.0, 1.0], [0, 1], points=choice.points, rates=choice.rates, llrs=choice.llrs)
    assert tuple(figure.key for figure in found) == keys
