"""Two-covariance PLDA: its fit against planted truths, its ratios against densities, its state."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from scoring_draws import draw_covariance, draw_problem, draw_recordings, joint_covariance

from curvox.errors import InputError
from curvox.metrics import equal_error_rate
from curvox.scoring.back_ends.plda import TwoCovariancePLDA
from curvox.scoring.back_ends.two_covariance import (
    estimate_two_covariances,
    log_likelihood,
    moment_between,
    pooled_within,
    speaker_statistics,
)

LAW = settings(max_examples=25, deadline=None)


def llr_by_densities(plda, x, y):
    """The same vectors of one speaker against those of two, by three Gaussian densities."""
    both = joint_covariance(plda.between, plda.within, 2)
    same = multivariate_normal(np.tile(plda.mean, 2), both).logpdf(np.concatenate((x, y)))
    alone = multivariate_normal(plda.mean, plda.between + plda.within)
    return same - alone.logpdf(x) - alone.logpdf(y)


@LAW
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans())
def test_llrs__are_the_ratio_of_gaussian_densities(seed, dimension, length_norm):
    points, speakers = draw_problem(seed, dimension)
    plda = TwoCovariancePLDA.fit(points, speakers, length_norm=length_norm)
    vectors = plda.preprocessing(points)
    rng = np.random.default_rng(seed)
    enrolment, test = rng.integers(0, len(points), (2, 10))
    expected = [llr_by_densities(plda, vectors[e], vectors[t]) for e, t in zip(enrolment, test, strict=True)]
    np.testing.assert_allclose(plda.llrs(points, enrolment, test), expected, atol=1e-8)


def test_fit__finds_the_covariances_that_drew_the_recordings():
    rng = np.random.default_rng(5)
    mean, between, within = np.array([1.0, -2.0, 0.5]), draw_covariance(rng, 3, 2.0), draw_covariance(rng, 3)
    points, speakers = draw_recordings(rng, mean, between, within, rng.integers(2, 7, 4000))
    plda = TwoCovariancePLDA.fit(points, speakers, length_norm=False)
    assert plda.converged
    np.testing.assert_allclose(plda.mean + plda.preprocessing.centre, mean, atol=0.1)
    np.testing.assert_allclose(plda.between, between, atol=0.3)
    np.testing.assert_allclose(plda.within, within, atol=0.1)


def test_llrs__of_the_true_model_are_calibrated():
    # The likelihood ratio of a likelihood ratio is itself: E[exp(-llr)] over targets is 1, E[exp(llr)] over others too.
    rng = np.random.default_rng(6)
    within = draw_covariance(rng, 2)
    points, speakers = draw_recordings(rng, np.zeros(2), 0.5 * within, within, np.full(6000, 2))
    plda = TwoCovariancePLDA.fit(points, speakers, length_norm=False)
    first = np.arange(0, len(points), 2)
    targets = plda.llrs(points, first, first + 1)
    non_targets = plda.llrs(points, first, np.roll(first, 1))
    assert np.exp(-targets).mean() == pytest.approx(1, abs=0.05)
    assert np.exp(non_targets).mean() == pytest.approx(1, abs=0.05)


@LAW
@given(st.integers(0, 10_000), st.booleans())
def test_llrs__do_not_depend_on_an_affine_change_of_all_points(seed, length_norm):
    points, speakers = draw_problem(seed, speakers=60)
    rng = np.random.default_rng(seed)
    changed = points @ draw_covariance(rng, 3, 5.0) + rng.normal(size=3) * 100
    enrolment, test = rng.integers(0, len(points), (2, 30))
    before, after = (
        TwoCovariancePLDA.fit(x, speakers, length_norm=length_norm, max_iterations=20) for x in (points, changed)
    )
    expected = before.llrs(points, enrolment, test)
    np.testing.assert_allclose(after.llrs(changed, enrolment, test), expected, atol=1e-6)


def test_llrs__do_not_depend_on_sides_or_blocks():
    points, speakers = draw_problem(1, dimension=4)
    plda = TwoCovariancePLDA.fit(points, speakers)
    enrolment, test = np.random.default_rng(2).integers(0, len(points), (2, 200))
    llrs = plda.llrs(points, enrolment, test)
    np.testing.assert_allclose(plda.llrs(points, test, enrolment), llrs, atol=1e-12)
    np.testing.assert_allclose(plda.llrs(torch.from_numpy(points), enrolment, test, block_size=7), llrs, atol=1e-12)


def test_fit__does_not_depend_on_names_or_order_of_recordings():
    points, speakers = draw_problem(4)
    order = np.random.default_rng(3).permutation(len(points))
    names = np.array([f"speaker {99 - speaker}" for speaker in speakers])
    first, second = TwoCovariancePLDA.fit(points, speakers), TwoCovariancePLDA.fit(points[order], names[order])
    np.testing.assert_allclose(second.between, first.between, atol=1e-9)
    np.testing.assert_allclose(second.within, first.within, atol=1e-9)


def test_plda__beats_the_cosine_where_recordings_vary_in_few_directions():
    rng = np.random.default_rng(7)
    within = np.diag([25.0] * 3 + [0.5] * 9)
    points, speakers = draw_recordings(rng, np.zeros(12), np.eye(12), within, np.full(400, 5))
    fitted, kept = speakers < 300, speakers >= 300
    plda = TwoCovariancePLDA.fit(points[fitted], speakers[fitted])
    points, speakers = points[kept], speakers[kept]
    enrolment, test = np.triu_indices(len(points), 1)
    labels = speakers[enrolment] == speakers[test]
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosine = equal_error_rate((unit[enrolment] * unit[test]).sum(axis=1), labels).value
    assert equal_error_rate(plda.llrs(points, enrolment, test), labels).value < cosine / 2


def test_fit__with_lda_scores_in_the_directions_of_speakers():
    rng = np.random.default_rng(8)
    between = np.diag([4.0, 4.0, 0.0, 0.0, 0.0]) + 1e-9 * np.eye(5)
    points, speakers = draw_recordings(rng, np.zeros(5), between, np.eye(5), np.full(300, 4))
    plda = TwoCovariancePLDA.fit(points, speakers, lda_dimension=2, length_norm=False)
    assert plda.between.shape == (2, 2)
    # What the transform reads of the noise directions is small against the two of the speakers.
    reads = np.linalg.norm(plda.preprocessing.transform, axis=1)
    assert reads[2:].max() < 0.1 * reads[:2].min()


def test_preprocessing__whitens_and_gives_all_vectors_one_length():
    points, speakers = draw_problem(9, dimension=4, speakers=100)
    plda = TwoCovariancePLDA.fit(points, speakers)
    np.testing.assert_allclose(np.linalg.norm(plda.preprocessing(points), axis=1), 2.0, rtol=1e-12)
    whitened = (points - plda.preprocessing.centre) @ plda.preprocessing.transform
    np.testing.assert_allclose(whitened.T @ whitened / len(points), np.eye(4), atol=1e-10)


def test_state__makes_the_same_plda_again():
    points, speakers = draw_problem(10, dimension=4)
    plda = TwoCovariancePLDA.fit(points, speakers, lda_dimension=3, shrinkage=0.1)
    again = TwoCovariancePLDA.from_state(json.loads(json.dumps(plda.describe())), plda.state())
    trials = np.arange(len(points) - 1), np.arange(1, len(points))
    np.testing.assert_array_equal(again.llrs(points, *trials), plda.llrs(points, *trials))
    assert again.describe() == plda.describe()
    assert all(array.flags.c_contiguous and array.dtype == np.float64 for array in plda.state().values())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mean", np.zeros(2), "shape"),
        ("within", -np.eye(3), "covariance"),
        ("within", np.zeros((3, 3)), "covariance"),
        ("between", np.triu(np.ones((3, 3))), "covariance"),
        ("centre", np.full(3, np.nan), "finite"),
        ("name", "plda", "two_covariance_plda"),
        ("converged", 1, "true or false"),
        ("speakers", -1, "whole numbers"),
        ("shrinkage", 1.0, "shrinkage"),
        ("colour", 1, "unknown key"),
    ],
)
def test_from_state__refuses_what_is_no_plda(key, value, message):
    points, speakers = draw_problem()
    plda = TwoCovariancePLDA.fit(points, speakers)
    description, state = plda.describe(), plda.state()
    (state if isinstance(value, np.ndarray) else description)[key] = value
    with pytest.raises(InputError, match=message):
        TwoCovariancePLDA.from_state(description, state)


def test_fit__refuses_a_singular_covariance_and_shrinks_it_on_demand():
    rng = np.random.default_rng(11)
    mean = np.zeros(30)
    points, speakers = draw_recordings(rng, mean, np.eye(30), np.eye(30), np.full(8, 3))
    for length_norm in (True, False):
        with pytest.raises(InputError, match=r"singular.*shrinkage"):
            TwoCovariancePLDA.fit(points, speakers, length_norm=length_norm)
        plda = TwoCovariancePLDA.fit(points, speakers, length_norm=length_norm, shrinkage=0.2)
        llrs = plda.llrs(points, np.arange(24), np.arange(24)[::-1])
        assert np.isfinite(llrs).all()
    constant = np.column_stack((draw_problem()[0], np.ones(len(draw_problem()[0]))))
    with pytest.raises(InputError, match="constant dimensions"):
        TwoCovariancePLDA.fit(constant, draw_problem()[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shrinkage": 1.0}, "shrinkage"),
        ({"lda_dimension": 4}, "from 1 to 3"),
        ({"lda_dimension": 0}, "from 1 to 3"),
        ({"length_norm": 1}, "true or false"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"max_iterations": 0}, "max_iterations"),
    ],
)
def test_fit__refuses_settings_out_of_range(settings, message):
    points, speakers = draw_problem()
    with pytest.raises(InputError, match=message):
        TwoCovariancePLDA.fit(points, speakers, **settings)


def test_fit__refuses_speakers_that_cannot_be_learnt_from():
    points, speakers = draw_problem()
    for wrong in (np.zeros(len(points), dtype=int), np.arange(len(points))):
        with pytest.raises(InputError, match="at least two speakers"):
            TwoCovariancePLDA.fit(points, wrong, length_norm=False)
    with pytest.raises(InputError, match="one speaker for each"):
        TwoCovariancePLDA.fit(points, speakers[1:])
    with pytest.raises(InputError, match="got none"):
        TwoCovariancePLDA.fit(np.empty((0, 3)), np.empty(0, dtype=int))
    plda = TwoCovariancePLDA.fit(points, speakers)
    with pytest.raises(InputError, match="another model"):
        plda.llrs(points[:, :2], [0], [1])
    with pytest.raises(InputError, match="no direction"):
        plda.llrs(plda.preprocessing.centre[None], [0], [0])


@LAW
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_log_likelihood__is_that_of_the_stacked_recordings(seed, dimension):
    points, speakers = draw_problem(seed, dimension, speakers=8)
    rng = np.random.default_rng(seed + 1)
    mean, between, within = rng.normal(size=dimension), draw_covariance(rng, dimension), draw_covariance(rng, dimension)
    expected = 0.0
    for speaker in np.unique(speakers):
        own = points[speakers == speaker]
        joint = multivariate_normal(np.tile(mean, len(own)), joint_covariance(between, within, len(own)))
        expected += joint.logpdf(own.ravel())
    found = log_likelihood(speaker_statistics(points, speakers), mean, between, within)
    assert found == pytest.approx(expected, rel=1e-10)


@LAW
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 0.2]))
def test_em__never_loses(seed, dimension, shrinkage):
    points, speakers = draw_problem(seed, dimension, speakers=12)
    statistics = speaker_statistics(points, speakers)
    found = estimate_two_covariances(statistics, shrinkage=shrinkage, tolerance=1e-9, max_iterations=60)
    assert (np.diff(found.objective) > -1e-10).all()
    assert len(found.objective) > 2


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_em__a_step_is_that_of_the_textbook(shrinkage):
    points, speakers = draw_problem(12, speakers=15)
    statistics = speaker_statistics(points, speakers)
    within, sphere = pooled_within(statistics, shrinkage)
    between, mean = moment_between(statistics, within), statistics.means.mean(axis=0)
    expected, covariances = [], []
    for speaker in range(15):
        own = points[speakers == speaker]
        covariances.append(np.linalg.inv(np.linalg.inv(between) + len(own) * np.linalg.inv(within)))
        evidence = np.linalg.inv(between) @ mean + np.linalg.inv(within) @ own.sum(axis=0)
        expected.append(covariances[-1] @ evidence)
    new_mean = np.mean(expected, axis=0)
    new_between = np.mean([np.outer(y - new_mean, y - new_mean) for y in expected], axis=0)
    new_between += np.mean(covariances, axis=0)
    new_within = np.mean(
        [np.outer(x - expected[s], x - expected[s]) + covariances[s] for x, s in zip(points, speakers, strict=True)],
        axis=0,
    )
    found = estimate_two_covariances(statistics, shrinkage=shrinkage, tolerance=1e-9, max_iterations=1)
    np.testing.assert_allclose(found.mean, new_mean, atol=1e-10)
    np.testing.assert_allclose(found.between, new_between, atol=1e-10)
    np.testing.assert_allclose(found.within, (1 - shrinkage) * new_within + shrinkage * sphere, atol=1e-10)


def test_em__ends_where_no_small_change_is_better():
    points, speakers = draw_problem(3, dimension=2, speakers=60)
    statistics = speaker_statistics(points, speakers)
    found = estimate_two_covariances(statistics, shrinkage=0.0, tolerance=1e-13, max_iterations=2000)
    assert found.converged
    best = log_likelihood(statistics, found.mean, found.between, found.within)
    rng = np.random.default_rng(0)
    for _ in range(20):
        change = rng.normal(size=(2, 2, 2)) * 0.03
        mean = found.mean + rng.normal(size=2) * 0.03
        between, within = found.between + change[0] @ change[0].T, found.within + change[1] + change[1].T
        assert log_likelihood(statistics, mean, found.between, found.within) < best
        assert log_likelihood(statistics, found.mean, between, found.within) < best
        assert log_likelihood(statistics, found.mean, found.between, within) < best
