"""Scores of trials against slow loops, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from scoring_draws import draw_points, draw_rows

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall, lorentz_inner, to_lorentz
from curvox.scoring import SCORERS, AbstractScorer, score_pairs
from curvox.scoring.pairs import gathered_products, pair_products
from curvox.scoring.scorers import PRODUCT_BOUND

SPACES = [Euclidean(), Hypersphere(), PoincareBall(c=1.0), PoincareBall(c=0.1), PoincareBall(c=4.0)]


def score_by_hand(space, x, y):
    """The default score of two points by the textbook formula, in plain Python numbers."""
    x, y = x.double().tolist(), y.double().tolist()

    def dot(a, b):
        return math.fsum(p * q for p, q in zip(a, b, strict=True))

    difference = [p - q for p, q in zip(x, y, strict=True)]
    if isinstance(space, Hypersphere):
        return dot(x, y) / math.sqrt(dot(x, x) * dot(y, y))
    if isinstance(space, Euclidean):
        return -math.sqrt(dot(difference, difference))
    c = space.c
    inner = 1 + 2 * c * dot(difference, difference) / ((1 - c * dot(x, x)) * (1 - c * dot(y, y)))
    return -math.acosh(max(inner, 1.0)) / math.sqrt(c)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
def test_score_pairs__by_default_is_the_score_of_the_space(space):
    points, (enrolment, test) = draw_points(space), draw_rows()
    expected = [score_by_hand(space, points[e], points[t]) for e, t in zip(enrolment, test, strict=True)]
    scores = score_pairs(space, points, enrolment, test)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, atol=1e-7)


@pytest.mark.parametrize("scorer", sorted(SCORERS))
@pytest.mark.parametrize("block_size", [1, 7, 200, 10_000])
def test_score_pairs__does_not_depend_on_block_size_or_order(scorer, block_size):
    space = PoincareBall()
    points, (enrolment, test) = draw_points(space), draw_rows()
    whole = score_pairs(space, points, enrolment, test, scorer=scorer)
    order = np.random.default_rng(2).permutation(len(enrolment))
    shuffled = score_pairs(space, points, enrolment[order], test[order], scorer=scorer, block_size=block_size)
    np.testing.assert_allclose(shuffled, whole[order], atol=0 if scorer == "cosine" else 1e-14, rtol=0)


@pytest.mark.parametrize("scorer", sorted(SCORERS))
def test_score_pairs__does_not_depend_on_the_number_of_threads_or_on_other_trials(scorer):
    space = PoincareBall()
    points, (enrolment, test) = draw_points(space, 500, 64), draw_rows(20_000, 500)
    threads = torch.get_num_threads()
    by_threads = []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            by_threads.append(score_pairs(space, points, enrolment, test, scorer=scorer))
    finally:
        torch.set_num_threads(threads)
    exactly = 0 if scorer == "cosine" else 1e-14
    np.testing.assert_allclose(by_threads[1:], [by_threads[0]] * 2, atol=exactly, rtol=0)
    alone = np.concatenate(
        [score_pairs(space, points, [e], [t], scorer=scorer) for e, t in zip(enrolment[:50], test[:50], strict=True)]
    )
    np.testing.assert_allclose(alone, by_threads[0][:50], atol=exactly, rtol=0)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
def test_score_pairs__equals_the_direct_formula_within_its_bound_from_coincident_to_opposite(space):
    first, second = draw_pairs_at_all_distances(space)
    points = torch.cat([first, second])
    trials = np.arange(len(first)), np.arange(len(first)) + len(first)
    scores = score_pairs(space, points, *trials)
    rule = SCORERS.load(space.default_scorer)(space)
    rows = rule.prepare(points)
    direct = rule.score(rows[: len(first)], rows[len(first) :]).numpy()
    bound = np.full(len(first), PRODUCT_BOUND)
    if isinstance(space, PoincareBall):
        bound /= space.c**0.5
    if isinstance(space, Euclidean):
        bound *= (first.square().sum(1) + second.square().sum(1)).sqrt().numpy()
    assert (np.abs(scores - direct) <= bound).all()


@pytest.mark.parametrize("space", [Euclidean(), PoincareBall(), PoincareBall(c=0.1)], ids=["flat", "ball", "wide ball"])
def test_scorers__know_which_inner_products_have_lost_their_digits(space):
    first, second = draw_pairs_at_all_distances(space)
    rule = SCORERS.load(space.default_scorer)(space)
    terms = rule.terms(first), rule.terms(second)
    scores, good = rule.from_nearness(rule.nearness((first * second).sum(1), *terms), *terms)
    error = (scores - rule.score(first, second)).abs()
    assert good is not None
    assert 0.4 < good.double().mean() < 1
    assert error[~good].max() > 1e-8 > 3 * error[good].max()


@pytest.mark.parametrize("trials", [1, 2, 5000])
def test_pair_products__are_those_of_gathered_rows(trials):
    rows = torch.randn(40, 17, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first, second = draw_rows(trials, 40)
    expected = gathered_products(rows, first, second)
    np.testing.assert_allclose(pair_products(rows, first, second), expected, atol=1e-13)
    in_order = np.sort(first)
    np.testing.assert_array_equal(
        pair_products(rows, in_order, second[np.argsort(first)]), pair_products(rows, first, second)[np.argsort(first)]
    )


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
@pytest.mark.parametrize("trials", [1, 4, 5, 49, 50, 1500])
def test_pair_products__of_the_same_pair_again_and_again_are_the_same(rows, trials):
    points = torch.randn(rows, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first, second = np.full(trials, rows - 1), np.zeros(trials, dtype=np.int64)
    expected = float((points[rows - 1] * points[0]).sum())
    np.testing.assert_allclose(pair_products(points, first, second), expected, rtol=1e-13)


def draw_pairs_at_all_distances(space):
    """Pairs of points in float64, from the origin to the rim, from coincident to opposite."""
    generator = torch.Generator().manual_seed(5)
    firsts, seconds = [], []
    for share in (0.0, 1e-3, 0.5, 0.9, 0.999, 1 - 1e-5, 1 - 1e-12):
        for apart in (0.0, 1e-15, 1e-9, 1e-6, 1e-4, 1e-2, 0.3, 1.0):
            directions = torch.randn(4, 2, 64, generator=generator, dtype=torch.float64)
            one, other = torch.nn.functional.normalize(directions, dim=-1).unbind(1)
            firsts += [one * share, one * share]
            seconds += [torch.nn.functional.normalize(one + apart * other, dim=-1) * share, -one * share * apart]
    scale = space.c**-0.5 if isinstance(space, PoincareBall) else 1.0
    first, second = torch.cat(firsts) * scale, torch.cat(seconds) * scale
    if isinstance(space, Hypersphere):
        kept = (first.norm(dim=1) > 0) & (second.norm(dim=1) > 0)
        return first[kept], second[kept]
    return first, second


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_score_pairs__hyperbolic_is_the_arcosh_of_the_lorentz_product(c):
    space = PoincareBall(c=c)
    points, (enrolment, test) = draw_points(space), draw_rows()
    distinct = enrolment != test
    p = to_lorentz(points.double(), c=c)
    expected = -(-c * lorentz_inner(p[enrolment[distinct]], p[test[distinct]])).arccosh() / c**0.5
    scores = score_pairs(space, points, enrolment[distinct], test[distinct])
    np.testing.assert_allclose(scores, expected.numpy(), atol=1e-9)


def test_score_pairs__takes_the_curvature_in_force():
    space = PoincareBall(c=1.0, learn_c=True)
    assert space.raw_c is not None
    with torch.no_grad():
        space.raw_c.fill_(0.3)
    fixed = PoincareBall(c=float(torch.as_tensor(space.c).detach()))
    points, (enrolment, test) = draw_points(space), draw_rows()
    np.testing.assert_array_equal(
        score_pairs(space, points, enrolment, test),
        score_pairs(fixed, points, enrolment, test),
    )


@pytest.mark.parametrize("scorer", sorted(SCORERS))
def test_score_pairs__is_symmetric_and_largest_for_the_same_point(scorer):
    space = PoincareBall()
    points, (enrolment, test) = draw_points(space), draw_rows()
    scores = score_pairs(space, points, enrolment, test, scorer=scorer)
    np.testing.assert_allclose(scores, score_pairs(space, points, test, enrolment, scorer=scorer), atol=1e-12)
    same = score_pairs(space, points, enrolment, enrolment, scorer=scorer)
    np.testing.assert_allclose(same, 1 if scorer == "cosine" else 0, atol=1e-7)
    assert (scores[enrolment != test] < same[enrolment != test]).all()


@pytest.mark.parametrize("space", [Euclidean(), PoincareBall()], ids=["euclidean", "ball"])
def test_score_pairs__forced_cosine_ignores_the_length_of_points(space):
    points, (enrolment, test) = draw_points(space), draw_rows()
    lengths = torch.linspace(0.1, 0.9, len(points))[:, None]
    forced = score_pairs(space, points, enrolment, test, scorer="cosine")
    np.testing.assert_allclose(
        score_pairs(space, points * lengths, enrolment, test, scorer="cosine"), forced, atol=1e-6
    )
    np.testing.assert_allclose(score_pairs(Hypersphere(), points, enrolment, test), forced, atol=1e-12)


def test_score_pairs__cosine_of_very_short_and_long_vectors_is_exact():
    points = np.array([[3e-200, 4e-200], [3e200, 4e200], [4.0, -3.0]])
    scores = score_pairs(Euclidean(), points, [0, 0], [1, 2], scorer="cosine")
    np.testing.assert_allclose(scores, [1, 0], atol=1e-15)


def test_score_pairs__hyperbolic_near_the_rim_stays_exact():
    radius = 1 - 1e-5
    points = np.array([[radius, 0.0], [-radius, 0.0]])
    expected = -4 * math.atanh(radius)
    assert score_pairs(PoincareBall(), points, [0], [1]) == pytest.approx(expected, rel=1e-9)


def test_score_pairs__takes_arrays_and_tensors_of_any_precision():
    points, (enrolment, test) = draw_points(Euclidean()), draw_rows()
    expected = score_pairs(Euclidean(), points, enrolment, test)
    np.testing.assert_array_equal(score_pairs(Euclidean(), points.numpy(), enrolment, test), expected)
    np.testing.assert_array_equal(
        score_pairs(Euclidean(), points.double(), enrolment.tolist(), test.tolist()), expected
    )
    np.testing.assert_allclose(score_pairs(Euclidean(), points.half(), enrolment, test), expected, atol=2e-3)


def test_score_pairs__leaves_its_input_alone_and_builds_no_graph():
    points, (enrolment, test) = draw_points(Euclidean()), draw_rows()
    before = points.clone().requires_grad_()
    score_pairs(Euclidean(), before, enrolment, test, scorer="cosine")
    assert before.grad is None
    assert torch.equal(before, points)


def test_score_pairs__gives_a_trial_that_comes_twice_the_same_score_twice():
    points = draw_points(Hypersphere())
    scores = score_pairs(Hypersphere(), points, [3, 1, 3, 3], [2, 0, 2, 1])
    assert scores[0] == scores[2]
    assert len(set(scores)) == 3


def test_score_pairs__of_no_trials_is_empty():
    assert score_pairs(Hypersphere(), draw_points(Hypersphere()), [], []).shape == (0,)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()], ids=["euclidean", "hypersphere"])
def test_score_pairs__refuses_hyperbolic_scores_outside_a_ball(space):
    with pytest.raises(InputError, match=f"needs points of a PoincareBall, these live in {type(space).__name__}"):
        score_pairs(space, draw_points(space), [0], [1], scorer="hyperbolic")


def test_score_pairs__refuses_a_point_outside_the_ball_by_index():
    points = draw_points(PoincareBall(c=4.0))
    points[4] = torch.tensor([0.5, 0, 0, 0, 0])
    with pytest.raises(InputError, match=r"points\[4\] lies outside the Poincaré ball of radius 0.5"):
        score_pairs(PoincareBall(c=4.0), points, [0], [1])


@pytest.mark.parametrize("space", [Hypersphere(), PoincareBall()], ids=["hypersphere", "ball"])
def test_score_pairs__refuses_a_zero_vector_under_cosine_by_index(space):
    points = draw_points(space)
    points[17] = 0
    with pytest.raises(InputError, match=r"points\[17\] is a zero vector"):
        score_pairs(space, points, [0], [17], scorer="cosine")


def test_score_pairs__refuses_an_unknown_scorer_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match='unknown scorer "cosin": did you mean "cosine"'):
        score_pairs(Euclidean(), draw_points(Euclidean()), [0], [1], scorer="cosin")


@pytest.mark.parametrize(
    ("points", "enrolment", "test", "message"),
    [
        (np.ones(4), [0], [1], "of shape .4,."),
        (np.ones((4, 2), dtype=complex), [0], [1], "complex128"),
        (np.array([[1.0, 0], [np.nan, 0], [np.inf, 0]]), [0], [0], r"2 of 3 are not, the first is points\[1\]"),
        (np.ones((4, 2)), [0, 4], [1, 1], "enrolment_index must lie between 0 and 3.*trial 1 names row 4"),
        (np.ones((4, 2)), [0, 0], [1, -1], "test_index must lie between 0 and 3.*trial 1 names row -1"),
        (np.ones((4, 2)), [0.0], [1], "enrolment_index must be a vector of whole numbers.*float64"),
        (np.ones((4, 2)), [[0]], [1], "enrolment_index must be a vector"),
        (np.ones((4, 2)), [True], [1], "whole numbers.*bool"),
        (np.ones((4, 2)), [0, 1], [1], "two sides, got 2 enrolment and 1 test"),
    ],
)
def test_score_pairs__refuses_bad_input_by_name(points, enrolment, test, message):
    with pytest.raises(InputError, match=message):
        score_pairs(Euclidean(), points, enrolment, test)


def test_score_pairs__refuses_an_empty_block():
    with pytest.raises(InputError, match="block_size must be at least 1"):
        score_pairs(Euclidean(), np.ones((2, 2)), [0], [1], block_size=0)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_scorers__every_entry_is_a_scorer(name):
    scorer = SCORERS.load(name)
    assert issubclass(scorer, AbstractScorer)
    assert SCORERS.name_of(scorer) == name
    assert SCORERS[name].summary
