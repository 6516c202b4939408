"""Laws of the cost of log-likelihood ratios."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, gaussian_llrs, split
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression

from curvox.errors import InputError
from curvox.metrics import cllr, min_cllr, pav_llrs


def cllr_by_loop(llrs, labels, weights=None):
    weights = [1.0] * len(llrs) if weights is None else weights
    sums, wholes = [0.0, 0.0], [0.0, 0.0]
    for llr, label, weight in zip(llrs, labels, weights, strict=True):
        sums[int(label)] += weight * math.log2(1 + math.exp(-llr if label else llr))
        wholes[int(label)] += weight
    return (sums[0] / wholes[0] + sums[1] / wholes[1]) / 2


def cllr_of_gaussians(separation, scale=1.0, shift=0.0):
    """Of llr · scale + shift, by numerical integration over the targets and over the non-targets."""
    half = separation**2 / 2

    def cost(z, sign):
        llr = scale * (sign * half + separation * z) + shift
        return np.logaddexp(0, -sign * llr) * norm.pdf(z)

    return sum(quad(cost, -10, 10, args=(sign,))[0] for sign in (-1, 1)) / 2 / math.log(2)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.3, 0.0), (3.0, 0.0), (1.0, 2.0)])
@pytest.mark.parametrize("separation", [0.5, 2.0, 4.0])
def test_cllr__of_gaussian_scores_is_the_closed_form(separation, scale, shift):
    llrs, labels = gaussian_llrs(100_000, separation)
    expected = cllr_of_gaussians(separation, scale, shift)
    assert cllr(scale * llrs + shift, labels) == pytest.approx(expected, rel=0.04)
    if (scale, shift) == (1, 0):
        assert min_cllr(llrs, labels) == pytest.approx(expected, abs=0.004)


@LAW
@given(TRIALS, st.data())
def test_cllr__matches_a_loop_with_weights(trials, data):
    llrs, labels = split(trials)
    weights = data.draw(st.lists(st.floats(0.1, 5), min_size=len(trials), max_size=len(trials)))
    assert cllr(llrs, labels) == pytest.approx(cllr_by_loop(llrs, labels))
    assert cllr(llrs, labels, weights) == pytest.approx(cllr_by_loop(llrs, labels, weights))


@pytest.mark.parametrize("llr", [0.0, 3.0, -700.0])
def test_cllr__of_constant_ratios_is_one_at_zero_and_more_elsewhere(llr):
    found = cllr([llr] * 8, [0, 1] * 4)
    assert found == pytest.approx((math.log2(1 + math.exp(-abs(llr))) * 2 + abs(llr) / math.log(2)) / 2)
    assert found >= 1
    assert min_cllr([llr] * 8, [0, 1] * 4) == 1


def test_cllr__of_huge_ratios_does_not_overflow():
    assert cllr([1e300, -1e300], [1, 0]) == 0
    assert cllr([-1e300, 1e300], [1, 0]) == pytest.approx(1e300 / math.log(2))
    assert cllr([-1e300] * 1000 + [1e300] * 1000, [1] * 1000 + [0] * 1000) == pytest.approx(1e300 / math.log(2))


def test_min_cllr__of_separated_scores_is_zero_and_of_reversed_ones_is_one():
    scores, labels = np.arange(10.0), np.arange(10) >= 4
    assert min_cllr(scores, labels) == 0
    assert min_cllr(-scores, labels) == 1


def test_min_cllr__of_shuffled_scores_is_nearly_one():
    rng = np.random.default_rng(3)
    scores, labels = gaussian_llrs(40_000, 3.0)
    assert 0.999 < min_cllr(rng.permutation(scores), labels) <= 1


@LAW
@given(TRIALS, st.randoms())
def test_min_cllr__ignores_order_and_increasing_transforms(trials, random):
    scores, labels = split(trials)
    order = list(range(len(scores)))
    random.shuffle(order)
    assert min_cllr(np.exp(scores[order]), labels[order]) == pytest.approx(min_cllr(scores, labels), abs=1e-14)


@LAW
@given(TRIALS, st.data())
def test_min_cllr__is_the_cllr_of_the_pooled_ratios_and_no_other_is_lower(trials, data):
    scores, labels = split(trials)
    lowest = min_cllr(scores, labels)
    # Beyond 700 the cost of a ratio that is right is 0 in floating point.
    assert cllr(np.clip(pav_llrs(scores, labels), -700, 700), labels) == pytest.approx(lowest, abs=1e-12)
    rising = np.cumsum(data.draw(st.lists(st.floats(0, 2), min_size=9, max_size=9))) - 3
    assert cllr(rising[scores.astype(int) + 4], labels) >= lowest - 1e-12


@LAW
@given(TRIALS, st.booleans(), st.data())
def test_pav_llrs__match_scikit_learn(trials, weighted, data):
    scores, labels = split(trials)
    weights = np.ones(len(trials))
    if weighted:
        weights = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(trials), max_size=len(trials))))
    posterior = IsotonicRegression().fit_transform(scores, labels.astype(float), sample_weight=weights)
    with np.errstate(divide="ignore"):
        expected = np.log(posterior) - np.log1p(-posterior)
    expected -= math.log(weights[labels].sum() / weights[~labels].sum())
    np.testing.assert_allclose(pav_llrs(scores, labels, weights if weighted else None), expected, atol=1e-9)


@LAW
@given(TRIALS, st.data())
def test_pav_llrs__whole_weights_are_repetitions(trials, data):
    scores, labels = split(trials)
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(trials), max_size=len(trials))))
    if len(set(labels[times > 0].tolist())) < 2:
        return
    weighted = pav_llrs(scores, labels, times)
    repeated = pav_llrs(np.repeat(scores, times), np.repeat(labels, times))
    np.testing.assert_allclose(np.repeat(weighted, times), repeated, atol=1e-12)
    rising = weighted[np.argsort(scores, kind="stable")]
    assert (rising[1:] >= rising[:-1]).all()
    assert cllr(scores, labels, times) == pytest.approx(cllr(np.repeat(scores, times), np.repeat(labels, times)))
    assert min_cllr(scores, labels, times) == pytest.approx(
        min_cllr(np.repeat(scores, times), np.repeat(labels, times)), abs=1e-12
    )


def test_pav_llrs__are_infinite_beyond_the_other_class():
    np.testing.assert_allclose(
        pav_llrs([0.0, 1.0, 2.0, 3.0], [0, 1, 0, 1]), [-math.inf, 0.0, 0.0, math.inf], atol=1e-15
    )


@pytest.mark.parametrize("function", [cllr, min_cllr, pav_llrs])
def test_cllr__refuses_what_is_no_trial_list(function):
    for scores, labels, message in (
        ([], [], "no trials at all"),
        ([math.nan, 1.0], [0, 1], "1 NaN"),
        ([math.inf, 1.0], [0, 1], "1 infinite"),
        ([0.0, 1.0], [1, 1], "no non-target trial"),
        ([0.0, 1.0], [0, 0], "no target trial"),
    ):
        with pytest.raises(InputError, match=message):
            function(scores, labels)
