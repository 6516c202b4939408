"""Laws of the calibrations and of what describes them."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from curvox.errors import InputError, UnknownNameError
from curvox.scoring.calibration.contract import CALIBRATIONS, calibration_from, fit_calibration, posterior
from curvox.scoring.calibration.regression import IsotonicCalibration, LogisticCalibration

LAW = settings(max_examples=30, deadline=None)
KINDS = sorted(CALIBRATIONS)
SEEDS = st.integers(0, 10_000)
PRIORS = st.floats(0.02, 0.98)


def draw_llrs(rng, targets=300, non_targets=900, spread=4.0):
    """Log-likelihood ratios that are calibrated as they are: Gaussian, variance twice the distance from 0."""
    labels = np.arange(targets + non_targets) < targets
    return np.where(labels, spread, -spread) / 2 + math.sqrt(spread) * rng.normal(size=labels.size), labels


def cllr(llrs, labels):
    """In bits (Brümmer & du Preez 2006)."""
    return (np.logaddexp(0, -llrs[labels]).mean() + np.logaddexp(0, llrs[~labels]).mean()) / (2 * math.log(2))


def test_logistic__recovers_slope_and_offset_of_gaussian_scores():
    llrs, labels = draw_llrs(np.random.default_rng(0), 20_000, 60_000)
    found = fit_calibration(0.05 * llrs + 0.3, labels)
    assert isinstance(found, LogisticCalibration)
    assert found.slope == pytest.approx(20, rel=0.03)
    assert found.offset == pytest.approx(-6, abs=0.2)


@LAW
@given(SEEDS, PRIORS)
def test_logistic__matches_scikit_learn(seed, prior):
    scores, labels = draw_llrs(np.random.default_rng(seed), 60, 200)
    weights = np.where(labels, prior / labels.sum(), (1 - prior) / (~labels).sum()) * labels.size
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(scores[:, None], labels, sample_weight=weights)
    found = fit_calibration(scores, labels, prior=prior)
    expected = scores * oracle.coef_[0, 0] + oracle.intercept_[0] - math.log(prior / (1 - prior))
    np.testing.assert_allclose(found.llrs(scores), expected, atol=1e-3)


@LAW
@given(SEEDS, PRIORS)
def test_logistic__with_quality_and_weights_is_at_the_least_cost(seed, prior):
    rng = np.random.default_rng(seed)
    scores, labels = draw_llrs(rng, 60, 200)
    quality, weights = rng.normal(size=(260, 2)) + labels[:, None] * 0.3, rng.uniform(0, 3, 260)

    def cost(parameters):
        z = np.column_stack((scores, quality, np.ones(260))) @ parameters + math.log(prior / (1 - prior))
        targets = np.average(np.logaddexp(0, -z[labels]), weights=weights[labels])
        return prior * targets + (1 - prior) * np.average(np.logaddexp(0, z[~labels]), weights=weights[~labels])

    found = fit_calibration(scores, labels, quality=quality, quality_names=("a", "b"), prior=prior, weights=weights)
    assert isinstance(found, LogisticCalibration)
    ours = np.array([found.slope, *found.quality_slopes, found.offset])
    assert cost(ours) <= minimize(cost, np.zeros(4), tol=1e-12).fun + 1e-9
    assert np.abs(minimize(cost, ours, method="Nelder-Mead").x - ours).max() < 1e-2


@pytest.mark.parametrize("kind", KINDS)
@LAW
@example(seed=9999, stretch=1.0, shift=0.0)  # two pools of one ratio, apart by rounding
@given(seed=SEEDS, stretch=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_cllr__after_is_never_above_that_before(kind, seed, stretch, shift):
    llrs, labels = draw_llrs(np.random.default_rng(seed), 100, 200)
    scores = stretch * llrs + shift
    # Both families hold the identity but for what keeps them finite: a ridge, and a few trials at the ends.
    slack = 1e-6 if kind == "logistic" else 0.05
    assert cllr(fit_calibration(scores, labels, kind=kind).llrs(scores), labels) <= cllr(scores, labels) + slack


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(seed=SEEDS)
def test_llrs__never_fall_with_the_score(kind, seed):
    scores, labels = draw_llrs(np.random.default_rng(seed), 40, 80)
    calibration = fit_calibration(scores, labels, kind=kind)
    grid = np.sort(np.concatenate((np.linspace(scores.min() - 5, scores.max() + 5, 1000), scores)))
    steps = np.diff(calibration.llrs(grid))
    assert (steps >= 0).all()
    assert steps.sum() > 0


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(seed=SEEDS, stretch=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3), smoothing=st.booleans())
def test_llrs__do_not_depend_on_an_affine_change_of_the_scores(kind, seed, stretch, shift, smoothing):
    scores, labels = draw_llrs(np.random.default_rng(seed), 60, 120)
    changed = stretch * (scores + shift)
    before = fit_calibration(scores, labels, kind=kind, smoothing=smoothing).llrs(scores)
    after = fit_calibration(changed, labels, kind=kind, smoothing=smoothing).llrs(changed)
    np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(seed=SEEDS, prior=PRIORS, smoothing=st.booleans())
def test_llrs__turn_their_sign_when_the_classes_swap(kind, seed, prior, smoothing):
    scores, labels = draw_llrs(np.random.default_rng(seed), 60, 120)
    llrs = fit_calibration(scores, labels, kind=kind, prior=prior, smoothing=smoothing).llrs(scores)
    swapped = fit_calibration(-scores, ~labels, kind=kind, prior=1 - prior, smoothing=smoothing).llrs(-scores)
    np.testing.assert_allclose(swapped, -llrs, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(seed=SEEDS, data=st.data())
def test_fit__whole_weights_are_repetitions_and_no_order_matters(kind, seed, data):
    rng = np.random.default_rng(seed)
    scores, labels = draw_llrs(rng, 30, 60)
    times, order = rng.integers(0, 4, 90), rng.permutation(90)
    smoothing = data.draw(st.booleans())
    weighted = fit_calibration(scores, labels, kind=kind, weights=times, smoothing=smoothing)
    repeated = np.repeat(order, times[order])
    other = fit_calibration(scores[repeated], labels[repeated], kind=kind, smoothing=smoothing)
    np.testing.assert_allclose(other.llrs(scores), weighted.llrs(scores), atol=1e-6)


@LAW
@given(SEEDS, st.sampled_from([0, 1, 9]))
def test_isotonic__matches_scikit_learn_with_a_pair_of_trials_at_both_ends(seed, decimals):
    rng = np.random.default_rng(seed)
    scores, labels = draw_llrs(rng, 40, 80)
    scores = np.round(scores, decimals)
    low, high = scores.min(), scores.max()
    all_scores = np.concatenate((scores, [low - 2, low - 1, high + 1, high + 2]))
    all_labels = np.concatenate((labels, [True, False, True, False]))
    share = IsotonicRegression().fit_transform(all_scores, all_labels.astype(float))[:120]
    expected = np.log(share / (1 - share)) - math.log(42 / 82)
    found = fit_calibration(scores, labels, kind="isotonic")
    np.testing.assert_allclose(found.llrs(scores), expected, atol=1e-9)


def test_isotonic__of_separated_scores_is_bounded_by_their_number():
    scores, labels = np.arange(30.0), np.arange(30) >= 20
    found = fit_calibration(scores, labels, kind="isotonic")
    # Above: 10 targets, and the pair. Below: 20 non-targets, and the pair.
    highest, lowest = math.log((11 / 12) / (1 / 22)), math.log((1 / 12) / (21 / 22))
    np.testing.assert_allclose(found.llrs([-1e9, 0, 19, 20, 29, 1e9]), [lowest] * 3 + [highest] * 3)
    assert isinstance(found, IsotonicCalibration)
    assert found.scores == (0, 19, 20, 29)
    assert found.llrs([19.5])[0] == pytest.approx((lowest + highest) / 2)


def test_logistic__of_separable_scores_is_refused_and_with_smoothing_bounded():
    scores, labels = np.arange(30.0), np.arange(30) >= 20
    for tied in (0.0, 1.0):  # complete separation, and both classes meeting in one score
        scores[20] = 20 - tied
        with pytest.raises(InputError, match=r"without an error.*smoothing"):
            fit_calibration(scores, labels)
        llrs = fit_calibration(scores, labels, smoothing=True).llrs(scores)
        assert (np.diff(llrs) >= 0).all()
    # Two scores only: what is seen at each, with the extra trial of the other class.
    llrs = fit_calibration(labels * 1.0, labels, smoothing=True, prior=0.1).llrs([0, 1])
    np.testing.assert_allclose(llrs, [math.log((1 / 11) / (20 / 21)), math.log((10 / 11) / (1 / 21))], atol=1e-6)


def test_logistic__separable_by_quality_is_refused():
    scores, labels = draw_llrs(np.random.default_rng(1), 30, 60)
    quality = (10.0 * labels - scores)[:, None]
    with pytest.raises(InputError, match="scores and quality together separate"):
        fit_calibration(scores, labels, quality=quality, quality_names=["cheat"])


@pytest.mark.parametrize("kind", KINDS)
def test_fit__refuses_reversed_and_constant_scores(kind):
    scores, labels = draw_llrs(np.random.default_rng(2))
    with pytest.raises(InputError, match="reversed or useless"):
        fit_calibration(-scores, labels, kind=kind)
    with pytest.raises(InputError, match="reversed or useless"):
        fit_calibration(-labels.astype(float), labels, kind=kind)
    for constant in (0.0, 0.7, 1e300):
        with pytest.raises(InputError, match=r"equal|useless"):
            fit_calibration(np.full(labels.size, constant), labels, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_fit__of_shuffled_labels_is_refused_or_knows_next_to_nothing(kind):
    refused = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores, labels = draw_llrs(rng, 1000, 1000)
        shuffled = rng.permutation(labels)
        if kind == "logistic" and scores[shuffled].mean() < scores[~shuffled].mean():
            refused += 1
            with pytest.raises(InputError, match="reversed or useless"):
                fit_calibration(scores, shuffled, kind=kind)
        else:
            llrs = fit_calibration(scores, shuffled, kind=kind).llrs(scores)
            assert np.abs(np.quantile(llrs, [0.1, 0.5, 0.9])).max() < 0.35
    assert refused < 17  # a slope of no meaning has either sign as often


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_fit__takes_scores_of_any_size(kind, scale):
    scores, labels = draw_llrs(np.random.default_rng(3))
    expected = fit_calibration(scores, labels, kind=kind).llrs(scores)
    if kind == "logistic" and scale == 1e-300:
        scale = 1e-290  # a slope of 1e300 leaves room for one factor of ten million
    np.testing.assert_allclose(
        fit_calibration(scores * scale, labels, kind=kind).llrs(scores * scale), expected, atol=1e-6
    )


def test_fit__refuses_what_it_cannot_use():
    scores, labels = draw_llrs(np.random.default_rng(6))
    column = np.random.default_rng(7).normal(size=(labels.size, 1))
    wrong = column.copy()
    wrong[5] = np.nan
    refused = [
        ({"kind": "logit"}, "unknown calibration"),
        ({"prior": 0.0}, "prior"),
        ({"prior": True}, "prior"),
        ({"quality": column}, "quality"),
        ({"quality_names": ["a"]}, "quality is missing"),
        ({"quality": wrong, "quality_names": ["a"]}, '"a" must be finite'),
        ({"quality": column * 0 + 3, "quality_names": ["a"]}, 'quality "a" are equal'),
        ({"quality": np.hstack((column, column)), "quality_names": ["a", "a"]}, "differ"),
        ({"quality": column, "quality_names": "a"}, "sequence"),
        ({"quality": column, "quality_names": ["a"], "kind": "isotonic"}, "takes no quality"),
        ({"smoothing": "yes"}, "true or false"),
        ({"weights": labels * 1.0}, "non-target"),
    ]
    for settings_, message in refused:
        with pytest.raises(InputError, match=message):
            fit_calibration(scores, labels, **settings_)
    with pytest.raises(InputError, match="NaN"):
        fit_calibration(np.where(labels, np.nan, scores), labels)


@pytest.mark.parametrize("kind", KINDS)
def test_llrs__refuse_other_input(kind):
    scores, labels = draw_llrs(np.random.default_rng(8))
    calibration = fit_calibration(scores, labels, kind=kind)
    assert calibration.llrs([]).shape == (0,)
    for wrong, message in (([math.nan], "finite"), ([[1.0]], "vector"), (["a"], "real numbers")):
        with pytest.raises(InputError, match=message):
            calibration.llrs(wrong)
    with pytest.raises(InputError, match="quality"):
        calibration.llrs(scores, np.ones((labels.size, 1)))


def test_fit__same_columns_twice_share_their_weight():
    rng = np.random.default_rng(10)
    scores, labels = draw_llrs(rng)
    column = rng.normal(size=(labels.size, 1)) + labels[:, None]
    once = fit_calibration(scores, labels, quality=column, quality_names=["a"])
    twice = fit_calibration(scores, labels, quality=np.hstack((column, column)), quality_names=["a", "b"])
    assert isinstance(twice, LogisticCalibration)
    assert twice.quality_slopes[0] == pytest.approx(twice.quality_slopes[1], rel=1e-3)
    np.testing.assert_allclose(twice.llrs(scores, np.hstack((column, column))), once.llrs(scores, column), atol=1e-5)


@LAW
@given(st.floats(-50, 50), PRIORS)
def test_posterior__is_bayes_rule(llr, prior):
    ratio = math.exp(llr)
    found = posterior([llr], prior)[0]
    assert found == pytest.approx(ratio * prior / (ratio * prior + 1 - prior), rel=1e-12)
    assert posterior([-llr], 1 - prior)[0] == pytest.approx(1 - found, abs=1e-12)


def test_posterior__is_stable_at_the_ends_and_refuses_nan():
    np.testing.assert_array_equal(posterior([-np.inf, -1e300, 0, 1e300, np.inf], 0.25), [0, 0, 0.25, 1, 1])
    assert posterior(0.0, 0.5).shape == ()
    with pytest.raises(InputError, match="NaN"):
        posterior([np.nan], 0.5)
    for prior in (0, 1, -1, math.nan, "0.5", True):
        with pytest.raises(InputError, match="p_target"):
            posterior([0.0], prior)  # pyright: ignore[reportArgumentType]


def test_calibrations__unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match='did you mean "logistic"'):
        fit_calibration([0, 1], [0, 1], kind="logistik")


def draw_scores(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(400) < 100
    return rng.normal(size=400) + 2 * labels, labels


@pytest.mark.parametrize("kind", KINDS)
def test_describe__makes_the_same_calibration_again(kind):
    scores, labels = draw_scores(4)
    calibration = fit_calibration(scores, labels, kind=kind)
    again = calibration_from(json.loads(json.dumps(calibration.describe())))
    assert again == calibration
    np.testing.assert_array_equal(again.llrs(scores), calibration.llrs(scores))


def test_describe__keeps_the_names_of_quality():
    scores, labels = draw_scores(5)
    quality = np.random.default_rng(6).normal(size=(labels.size, 2))
    calibration = fit_calibration(scores, labels, quality=quality, quality_names=["b", "a"], smoothing=True, prior=0.1)
    again = calibration_from(json.loads(json.dumps(calibration.describe())))
    assert again == calibration
    assert again.quality_names == ("b", "a")
    np.testing.assert_array_equal(again.llrs(scores, quality), calibration.llrs(scores, quality))


LOGISTIC = {"name": "logistic", "slope": 2.0, "offset": -1.0, "quality": {"a": 0.5}, "prior": 0.5, "smoothing": False}
ISOTONIC = {"name": "isotonic", "scores": [0.0, 1.0], "llrs": [-2.0, 3.0]}


@pytest.mark.parametrize(
    ("plain", "change", "message"),
    [
        (LOGISTIC, {"slope": 0.0}, "slope must be above 0"),
        (LOGISTIC, {"slope": float("nan")}, "finite"),
        (LOGISTIC, {"slope": "2"}, "finite number"),
        (LOGISTIC, {"offset": None}, "finite number"),
        (LOGISTIC, {"offset": True}, "finite number"),
        (LOGISTIC, {"quality": ["a"]}, "map names"),
        (LOGISTIC, {"quality": {"a": float("inf")}}, "finite"),
        (LOGISTIC, {"quality": {"": 1.0}}, "names"),
        (LOGISTIC, {"prior": 1.0}, "prior"),
        (LOGISTIC, {"smoothing": 1}, "true or false"),
        (LOGISTIC, {"colour": 1}, "unknown key"),
        (ISOTONIC, {"scores": [0.0, 0.0]}, "rise"),
        (ISOTONIC, {"llrs": [3.0, -2.0]}, "fall"),
        (ISOTONIC, {"llrs": [1.0, 1.0]}, "same llr"),
        (ISOTONIC, {"llrs": [1.0]}, "as many"),
        (ISOTONIC, {"llrs": "12"}, "list"),
        (ISOTONIC, {"llrs": [0.0, float("inf")]}, "finite"),
        (ISOTONIC, {"name": "isotonics"}, "did you mean"),
        (ISOTONIC, {"name": 3}, '"name"'),
    ],
)
def test_calibration_from__refuses_what_is_no_calibration(plain, change, message):
    assert calibration_from(plain).describe() == plain
    with pytest.raises(InputError, match=message):
        calibration_from(plain | change)


@pytest.mark.parametrize("plain", [LOGISTIC, ISOTONIC])
def test_calibration_from__misses_no_key(plain):
    for key in plain:
        with pytest.raises(InputError, match=key):
            calibration_from({name: value for name, value in plain.items() if name != key})
    with pytest.raises(InputError, match="mapping"):
        calibration_from([plain])  # pyright: ignore[reportArgumentType]
