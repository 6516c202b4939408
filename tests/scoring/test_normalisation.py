"""Laws of cohort means, cohort statistics and normalised scores."""

import math

import numpy as np
import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.scoring import CohortStatistics, cohort_means, cohort_statistics, normalise, score_pairs

SPACES = [Euclidean(), Hypersphere(), PoincareBall(c=1.0), PoincareBall(c=0.1)]


def draw_points(space, count=30, dimension=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return space.project(torch.randn(count, dimension, generator=generator) * 0.4)


def statistics_by_hand(space, points, cohort, top_k, scorer=None):
    """Means and deviations from sorted scores of single pairs, in plain Python numbers."""
    everything = torch.cat([points, cohort])
    found = []
    for i in range(len(points)):
        rows = range(len(points), len(everything))
        scores = [float(score_pairs(space, everything, [i], [j], scorer=scorer)[0]) for j in rows]
        kept = sorted(scores, reverse=True)[:top_k]
        mean = math.fsum(kept) / len(kept)
        found.append((mean, math.sqrt(math.fsum((score - mean) ** 2 for score in kept) / len(kept))))
    return np.array(found).T


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
@pytest.mark.parametrize("top_k", [None, 2, 7, 40])
def test_cohort_statistics__are_those_of_the_largest_scores_one_by_one(space, top_k):
    points, cohort = draw_points(space, 6), draw_points(space, 40, seed=1)
    found = cohort_statistics(space, points, cohort, top_k=top_k)
    np.testing.assert_allclose([found.mean, found.std], statistics_by_hand(space, points, cohort, top_k), atol=1e-9)
    assert found.top_k == top_k


@pytest.mark.parametrize("space", [Euclidean(), PoincareBall()], ids=["flat", "ball"])
def test_cohort_statistics__score_a_cohort_point_equal_to_the_point_directly(space):
    cohort = draw_points(space, 40, seed=1).double()
    points = torch.cat([draw_points(space, 3).double(), cohort[:2], cohort[:1] * (1 + 1e-12)])
    found = cohort_statistics(space, points, cohort, top_k=5)
    np.testing.assert_allclose([found.mean, found.std], statistics_by_hand(space, points, cohort, 5), atol=1e-9)


def test_cohort_statistics__take_the_scorer_of_the_trials():
    space = PoincareBall()
    points, cohort = draw_points(space, 5), draw_points(space, 20, seed=1)
    found = cohort_statistics(space, points, cohort, scorer="cosine", top_k=4)
    by_hand = statistics_by_hand(space, points, cohort, 4, "cosine")
    np.testing.assert_allclose([found.mean, found.std], by_hand, atol=1e-12)


def test_cohort_statistics__do_not_depend_on_other_points_or_on_threads():
    space = Hypersphere()
    points, cohort = draw_points(space, 700, 32), draw_points(space, 3000, 32, seed=1)  # three blocks
    together = cohort_statistics(space, points, cohort, top_k=50)
    order = np.random.default_rng(0).permutation(len(points))
    shuffled = cohort_statistics(space, points[order], cohort, top_k=50)
    np.testing.assert_allclose(shuffled.mean, together.mean[order], atol=1e-12)
    np.testing.assert_allclose(shuffled.std, together.std[order], atol=1e-12)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        other = cohort_statistics(space, points[:20], cohort.flip(0), top_k=50)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(other.mean, together.mean[:20], atol=1e-12)
    np.testing.assert_allclose(other.std, together.std[:20], atol=1e-12)


def test_normalise__measures_a_score_against_both_sides():
    statistics = CohortStatistics(np.array([0.1, 0.2, -0.3]), np.array([0.5, 0.25, 2.0]), 3)
    scores = normalise([0.6, 0.0], [0, 2], [1, 1], statistics)
    np.testing.assert_allclose(scores, [(0.5 / 0.5 + 0.4 / 0.25) / 2, (0.3 / 2 - 0.2 / 0.25) / 2])


def test_normalise__does_not_feel_a_shift_or_a_scale_of_all_scores():
    rng = np.random.default_rng(0)
    scores, cohort_scores = rng.standard_normal(50), rng.standard_normal((10, 20))
    enrolment, test = rng.integers(0, 10, 50), rng.integers(0, 10, 50)

    def normalised(of_trials, of_cohort):
        return normalise(of_trials, enrolment, test, CohortStatistics(of_cohort.mean(1), of_cohort.std(1)))

    before = normalised(scores, cohort_scores)
    np.testing.assert_allclose(normalised(3 * scores - 7, 3 * cohort_scores - 7), before, atol=1e-12)
    swapped = normalise(scores, test, enrolment, CohortStatistics(cohort_scores.mean(1), cohort_scores.std(1)))
    np.testing.assert_allclose(swapped, before, atol=1e-12)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
def test_cohort_means__are_the_means_of_the_space_by_sorted_speaker(space):
    points = draw_points(space, 12)
    speakers = np.array(["zoe", "al", "zoe", "mo", "al", "zoe"] * 2)
    means = cohort_means(space, points, speakers)
    for name, mean in zip(("al", "mo", "zoe"), means, strict=True):
        np.testing.assert_allclose(mean, space.mean(points[speakers == name].double()), atol=1e-14)
    order = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(cohort_means(space, points[order], speakers[order]), means, atol=1e-12)


def test_cohort_means__take_numbers_for_speakers():
    points = draw_points(Euclidean(), 4)
    means = cohort_means(Euclidean(), points, [10, 9, 10, 9])
    np.testing.assert_allclose(means, [points[1::2].double().mean(0), points[::2].double().mean(0)])


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        (["a", "b"], "one speaker for each of the 3 points"),
        (["a", "", "b"], "point 1 is missing"),
        (["a", None, "b"], "point 1 is missing"),
        ([0.5, 1.0, 2.0], "all text or all whole numbers, got float64"),
        (np.array(["a", 1, "b"], dtype=object), "all text or all whole numbers"),
    ],
)
def test_cohort_means__refuse_speakers_that_are_none(speakers, message):
    with pytest.raises(InputError, match=message):
        cohort_means(Euclidean(), draw_points(Euclidean(), 3), speakers)


@pytest.mark.parametrize(
    ("top_k", "message"),
    [(21, "top_k is 21, but the cohort has 20"), (1, "at least 2, got 1"), (2.0, "got 2.0"), (True, "got True")],
)
def test_cohort_statistics__refuse_a_top_k_that_the_cohort_cannot_give(top_k, message):
    points, cohort = draw_points(Hypersphere(), 3), draw_points(Hypersphere(), 20, seed=1)
    with pytest.raises(InputError, match=message):
        cohort_statistics(Hypersphere(), points, cohort, top_k=top_k)


def test_cohort_statistics__refuse_a_cohort_of_one():
    with pytest.raises(InputError, match="at least two speakers, who are not in the trials; got 1"):
        cohort_statistics(Hypersphere(), draw_points(Hypersphere()), draw_points(Hypersphere(), 1))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
def test_cohort_statistics__name_a_point_whose_cohort_scores_do_not_differ(space):
    points = torch.eye(5, dtype=torch.float64)[:3] * 0.2
    cohort = torch.eye(5, dtype=torch.float64)[2:] * 0.2  # at one distance from points 0 and 1
    with pytest.raises(InputError, match=r"2 of 3 points cannot be normalised: points\[0\] has the same score"):
        cohort_statistics(space, points, cohort)


def test_cohort_statistics__refuse_other_dimensions_and_cohorts_that_cannot_be_scored():
    points = draw_points(Hypersphere())
    with pytest.raises(InputError, match="one dimension, got 5 and 4"):
        cohort_statistics(Hypersphere(), points, draw_points(Hypersphere(), dimension=4))
    with pytest.raises(InputError, match=r"cohort must be finite.*cohort\[1\]"):
        cohort_statistics(Hypersphere(), points, [[1.0] * 5, [math.nan] * 5])
    with pytest.raises(InputError, match=r"the cohort cannot be scored: 1 of 2 points.*points\[0\] is a zero vector"):
        cohort_statistics(Hypersphere(), points, [[0.0] * 5, [1.0] * 5])


def test_normalise__refuses_scores_that_do_not_fit_the_trials():
    statistics = CohortStatistics(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match=r"one score for each of the 2 trials, got shape \(3,\)"):
        normalise([0.0, 1.0, 2.0], [0, 1], [1, 2], statistics)
    with pytest.raises(InputError, match="that of trial 1 is nan"):
        normalise([0.0, math.nan], [0, 1], [1, 2], statistics)
    with pytest.raises(InputError, match="test_index must lie between 0 and 2"):
        normalise([0.0, 1.0], [0, 1], [1, 3], statistics)
