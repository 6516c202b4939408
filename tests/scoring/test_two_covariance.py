"""Laws of the estimation of two covariances by EM, against the textbook and against densities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from scoring_draws import draw_covariance, draw_problem, joint_covariance

from curvox.scoring.back_ends.two_covariance import (
    estimate_two_covariances,
    log_likelihood,
    moment_between,
    pooled_within,
    speaker_statistics,
)

LAW = settings(max_examples=25, deadline=None)


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
