"""Laws of all figures together: what scores that are sick, or useless, come to."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, gaussian_llrs, split

from curvox.errors import InputError
from curvox.metrics import OperatingPoint, detection_figures

USELESS = {"eer": 0.5, "eer_hull": 0.5, "auc": 0.5, "min_cllr": 1.0, "min_dcf:0.01": 1.0, "min_dcf:0.05": 1.0}


def values(scores, labels, *, llrs=False, weights=None):
    found = detection_figures(scores, labels, rates=(0.01, 0.1), llrs=llrs, weights=weights)
    return {figure.key: figure.value for figure in found}


def test_detection_figures__of_constant_scores_are_those_of_no_scores():
    labels = np.arange(100) < 30
    found = values(np.full(100, 0.7), labels)
    assert {key: found[key] for key in USELESS} == USELESS
    assert found["frr_at_far:0.01"] == found["far_at_frr:0.01"] == 1


def test_detection_figures__of_shuffled_scores_are_nearly_those_of_no_scores():
    scores, labels = gaussian_llrs(40_000, 3.0)
    found = values(np.random.default_rng(5).permutation(scores), labels, llrs=True)
    assert {key: found[key] for key in USELESS} == pytest.approx(USELESS, abs=0.02)
    assert found["frr_at_far:0.1"] == pytest.approx(0.9, abs=0.02)
    assert found["cllr"] > 1


def test_detection_figures__of_reversed_scores_are_as_bad_as_can_be():
    scores, labels = gaussian_llrs(4000, 3.0)
    there, back = values(scores, labels), values(-scores, labels)
    assert back["eer"] == pytest.approx(1 - there["eer"])
    assert back["auc"] == pytest.approx(1 - there["auc"])
    for key in ("eer_hull", "min_cllr", "min_dcf:0.01"):
        assert back[key] == pytest.approx(USELESS[key])


@LAW
@given(TRIALS, st.integers(1, 5), st.randoms())
def test_detection_figures__do_not_see_how_ties_are_ordered_or_trials_repeated(trials, times, random):
    scores, labels = split(trials)
    order = list(range(len(trials))) * times
    random.shuffle(order)
    expected = values(scores, labels, llrs=True)
    assert values(scores[order], labels[order], llrs=True) == pytest.approx(expected, abs=1e-12)
    assert values(scores, labels, llrs=True, weights=np.full(len(trials), 0.3)) == pytest.approx(expected, abs=1e-9)


@LAW
@given(TRIALS)
def test_detection_figures__are_in_their_ranges_and_order(trials):
    found = values(*split(trials), llrs=True)
    for key, value in found.items():
        assert 0 <= value <= (math.inf if key.split(":")[0] in ("cllr", "act_dcf") else 1)
    assert found["eer_hull"] <= found["eer"] + 1e-12
    assert found["min_cllr"] <= found["cllr"] + 1e-12
    for p_target in ("0.01", "0.05"):
        assert found[f"min_dcf:{p_target}"] <= found[f"act_dcf:{p_target}"] + 1e-12


@LAW
@given(TRIALS)
def test_detection_figures__reach_their_values_at_their_thresholds(trials):
    scores, labels = split(trials)
    point = OperatingPoint(0.05)
    for figure in detection_figures(scores, labels, points=[point], rates=(0.1,), llrs=True):
        if figure.threshold is None:
            continue
        far, frr = np.mean(scores[~labels] >= figure.threshold), np.mean(scores[labels] < figure.threshold)
        reached = {"min_dcf": frr + 19 * far, "act_dcf": frr + 19 * far, "frr_at_far": frr, "far_at_frr": far}
        name = figure.key.split(":")[0]
        if name in reached:
            assert figure.value == pytest.approx(reached[name])


@pytest.mark.parametrize(
    ("scores", "labels", "weights", "message"),
    [
        ([], [], None, "no trials at all"),
        ([math.nan] * 4, [0, 1, 0, 1], None, "4 NaN"),
        ([math.inf, 0.0], [0, 1], None, "1 infinite"),
        ([0.1, 0.2], [1, 1], None, "no non-target trial"),
        ([0.1, 0.2], [0, 0], None, "no target trial"),
        ([0.1, 0.2], [0, 1], [0, 1], "no non-target trial of positive weight"),
    ],
)
def test_detection_figures__refuse_what_has_no_figures(scores, labels, weights, message):
    with pytest.raises(InputError, match=message):
        detection_figures(scores, labels, weights=weights)
