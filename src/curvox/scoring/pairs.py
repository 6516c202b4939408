"""Scores of trials: which two recordings, by which scorer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.scoring.scorers import AbstractScorer
from curvox.tables import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "cosine": Entry("curvox.scoring.scorers", "CosineScorer", "cosine of the angle between two points"),
        "euclidean": Entry("curvox.scoring.scorers", "EuclideanScorer", "minus the Euclidean distance"),
        "hyperbolic": Entry(
            "curvox.scoring.scorers", "HyperbolicScorer", "minus the hyperbolic distance in the Poincaré ball"
        ),
    },
)

_SCORER_OF_SPACE: tuple[tuple[type[AbstractSpace], str], ...] = (
    (Hypersphere, "cosine"),
    (PoincareBall, "hyperbolic"),
    (Euclidean, "euclidean"),
)

# One side of a block of pairs takes about this many numbers (float64: 4 MiB).
_BLOCK_NUMBERS = 1 << 19


def default_scorer(space: AbstractSpace) -> str:
    """Return the name of the scorer that belongs to a space.

    Raises:
        InputError: a space that has none; name one.
    """
    for kind, name in _SCORER_OF_SPACE:
        if isinstance(space, kind):
            return name
    raise InputError(
        f"no scorer belongs to the space {type(space).__name__}; name one with scorer=: {', '.join(SCORERS)}"
    )


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

    Computed in float64, on the device of the points, block by block: beside the points and the scores the memory does
    not grow with the number of trials. Scores do not depend on the block size or on the order of trials.

    Args:
        space: the space the points live in.
        points: (N, D) finite, one row a recording, as the space's ``project`` gives them.
        enrolment_index: (T,) row of the enrolment side of every trial, 0 … N-1.
        test_index: (T,) row of the test side.
        scorer: a name in ``SCORERS``; that of the space if None (sphere: cosine, ball: minus the hyperbolic
            distance, Euclidean space: minus the Euclidean distance).
        block_size: trials scored at once; chosen by the dimension if None.

    Returns:
        (T,) scores.

    Raises:
        UnknownNameError: no such scorer.
        InputError: a scorer that does not fit the space, points of another shape, NaN or infinite points, a zero
            vector under cosine, an index that is not among the rows, sides of different lengths.
    """
    rule: AbstractScorer = SCORERS.load(default_scorer(space) if scorer is None else scorer)(space)
    points_ = _check_points(points)
    enrolment = _check_index(enrolment_index, len(points_), "enrolment_index")
    test = _check_index(test_index, len(points_), "test_index")
    if len(enrolment) != len(test):
        raise InputError(f"a trial has two sides, got {len(enrolment)} enrolment and {len(test)} test indices")
    if block_size is None:
        block_size = max(1, _BLOCK_NUMBERS // max(1, points_.shape[1]))
    elif block_size < 1:
        raise InputError(f"block_size must be at least 1, got {block_size}")
    scores = np.empty(len(enrolment), dtype=np.float64)
    with torch.no_grad():
        prepared = rule.prepare(points_)
        for first in range(0, len(scores), block_size):
            block = slice(first, first + block_size)
            x, y = (prepared[torch.from_numpy(side[block]).to(prepared.device)] for side in (enrolment, test))
            scores[block] = rule.score(x, y).cpu().numpy()
    return scores


def _check_points(points: Tensor | ArrayLike) -> Tensor:
    tensor = points.detach() if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))
    if tensor.ndim != 2 or tensor.is_complex():
        raise InputError(
            f"points must be real numbers of shape (recordings, dimension), got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}"
        )
    tensor = tensor.to(torch.float64)
    wrong = torch.nonzero(~torch.isfinite(tensor).all(dim=1)).flatten()
    if len(wrong):
        raise InputError(
            f"points must be finite, {len(wrong)} of {len(tensor)} are not, the first is points[{int(wrong[0])}]; "
            "the model diverged or the recording is broken"
        )
    return tensor


def _check_index(index: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(index)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} must be a vector of whole numbers, one for each trial, got {array.dtype} of shape {array.shape}"
        )
    array = array.astype(np.int64)
    wrong = np.flatnonzero((array < 0) | (array >= count))
    if wrong.size:
        raise InputError(
            f"{name} must lie between 0 and {count - 1}, the rows of the points; trial {wrong[0]} names row "
            f"{array[wrong[0]]}"
        )
    return array
