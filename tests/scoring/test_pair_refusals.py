"""What the scoring of trials refuses, and the table of scorers."""

import numpy as np
import pytest
import torch
from scoring_draws import draw_points

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.scoring import SCORERS, AbstractScorer, score_pairs


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
