"""Scores of trials: which two recordings, by which scorer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.scoring.inputs import check_points, check_trials
from curvox.scoring.products import pair_products, pair_scores
from curvox.scoring.scorers import AbstractProductScorer, AbstractScorer
from curvox.tables import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "cosine": Entry("curvox.scoring.scorers", "CosineScorer", "cosine of the angle between two points"),
        "euclidean": Entry("curvox.scoring.scorers", "EuclideanScorer", "minus the Euclidean distance"),
        "hyperbolic": Entry(
            "curvox.scoring.scorers", "HyperbolicScorer", "minus the hyperbolic distance in the Poincaré ball"
        ),
        "distance": Entry("curvox.scoring.scorers", "DistanceScorer", "minus the distance of any space"),
    },
)

_BLOCK_TRIALS = 1 << 20


def default_scorer(space: AbstractSpace) -> str:
    """Return the name of the scorer that belongs to a space."""
    return space.default_scorer


def create_scorer(space: AbstractSpace, name: str | None = None) -> AbstractScorer:
    """Return the scorer of that name, made for a space; that which belongs to the space if None.

    Raises:
        UnknownNameError: no such scorer.
        InputError: a scorer that does not fit the space.
    """
    return SCORERS.load(default_scorer(space) if name is None else name)(space)


def score_pairs(
    space: AbstractSpace,
    points: Tensor | ArrayLike,
    enrolment_index: ArrayLike,
    test_index: ArrayLike,
    *,
    scorer: str | None = None,
    block_size: int | None = None,
) -> NDArray[np.float64]:
    """Return the score of every trial, larger for the same speaker.

    Computed in float64, on the device of the points, from the inner products of the trials; pairs that come out too
    close for that are scored by the direct formula, so that every score is within `scorers.PRODUCT_BOUND`, 1e-9, of it.

    A score is a function of its two points alone. On a CPU it is the same to the last bit whatever the block size, the
    order of trials and the number of threads, but for the last bit of a logarithm in hyperbolic scores. Beside the
    trials, the scores and the points, these in float64 and twice, the memory is that of a block: at most 150 bytes for
    each of its trials.

    Args:
        space: the space the points live in.
        points: (N, D) finite, one row a recording, as the space's ``project`` gives them.
        enrolment_index: (T,) row of the enrolment side of every trial, 0 … N-1.
        test_index: (T,) row of the test side.
        scorer: a name in ``SCORERS``; that of the space if None (sphere: cosine, ball: minus the hyperbolic
            distance, Euclidean space: minus the Euclidean distance, a space of your own: minus its distance).
        block_size: trials scored at once; 1,048,576 if None.

    Returns:
        (T,) scores.

    Raises:
        UnknownNameError: no such scorer.
        InputError: a scorer that does not fit the space, points of another shape, NaN or infinite points, a zero
            vector under cosine, an index that is not among the rows, sides of different lengths.
    """
    rule = create_scorer(space, scorer)
    points_ = check_points(points)
    enrolment, test = check_trials(enrolment_index, test_index, len(points_))
    if block_size is None:
        block_size = _BLOCK_TRIALS
    elif block_size < 1:
        raise InputError(f"block_size must be at least 1, got {block_size}")
    scores = np.empty(len(enrolment), dtype=np.float64)
    with torch.no_grad():
        rows = rule.prepare(points_)
        terms = rule.terms(rows) if isinstance(rule, AbstractProductScorer) else ()
        for first in range(0, len(scores), block_size):
            block = slice(first, first + block_size)
            scores[block] = _score_block(rule, rows, terms, enrolment[block], test[block])
    return scores


def _score_block(
    rule: AbstractScorer,
    rows: Tensor,
    terms: tuple[Tensor, ...],
    enrolment: NDArray[np.int64],
    test: NDArray[np.int64],
) -> NDArray[np.float64]:
    if not isinstance(rule, AbstractProductScorer):
        return pair_scores(rule, rows, enrolment, test).cpu().numpy()
    products = pair_products(rows, enrolment, test)
    sides = (torch.from_numpy(side).to(rows.device) for side in (enrolment, test))
    x_terms, y_terms = (tuple(term[side] for term in terms) for side in sides)
    scores, good = rule.from_nearness(rule.nearness(products, x_terms, y_terms), x_terms, y_terms)
    if good is not None:
        close = torch.nonzero(~good).flatten()
        where = close.cpu().numpy()
        scores[close] = pair_scores(rule, rows, enrolment[where], test[where])
    return scores.cpu().numpy()
