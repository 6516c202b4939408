"""Scores of trials, which are pairs of rows of points: what is refused, their inner products, their scores.

The pairs of a trial list are a sampled matrix product: of the matrix of all inner products, a few entries. PyTorch
computes such entries in place, without copying the rows of every trial beside each other first, which is what takes
the time otherwise. An entry is one dot product, added up in the same order whatever else is computed with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.scoring.scorers import AbstractProductScorer, AbstractScorer, create_scorer

Points = Tensor | ArrayLike
"""(N, D), one row a recording."""

# Rows gathered for the direct formula take about this many numbers a side (float64: 4 MiB).
_GATHERED_NUMBERS = 1 << 19
_BLOCK_TRIALS = 1 << 20


def check_points(points: Points, name: str = "points") -> Tensor:
    """Return points (N, D) in float64, or refuse another shape, other numbers, and NaN or infinite rows by index."""
    tensor = points.detach() if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))
    if tensor.ndim != 2 or tensor.is_complex():
        raise InputError(
            f"{name} must be real numbers of shape (recordings, dimension), got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}"
        )
    tensor = tensor.to(torch.float64)
    if tensor.numel() and not torch.isfinite(torch.stack(tensor.aminmax())).all():
        wrong = torch.nonzero(~torch.isfinite(tensor).all(dim=1)).flatten()
        raise InputError(
            f"{name} must be finite, {len(wrong)} of {len(tensor)} are not, the first is {name}[{int(wrong[0])}]; "
            "the model diverged or the recording is broken"
        )
    return tensor


def check_inside(space: AbstractSpace, points: Tensor) -> None:
    """Refuse points (..., D) of a ball that lie outside; elsewhere there is no outside."""
    if space.ball is not None:
        space.ball.require_inside(points)


def check_index(index: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    """Return the rows (T,) that trials name, or refuse what is no row of ``count`` points."""
    array = np.asarray(index)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} must be a vector of whole numbers, one for each trial, got {array.dtype} of shape {array.shape}"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and (array.min() < 0 or array.max() >= count):
        trial = np.flatnonzero((array < 0) | (array >= count))[0]
        raise InputError(
            f"{name} must lie between 0 and {count - 1}, the rows of the points; trial {trial} names row {array[trial]}"
        )
    return array


def check_trials(
    enrolment_index: ArrayLike, test_index: ArrayLike, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both sides of all trials, or refuse sides of different lengths and rows that are not among ``count``."""
    enrolment = check_index(enrolment_index, count, "enrolment_index")
    test = check_index(test_index, count, "test_index")
    if len(enrolment) != len(test):
        raise InputError(f"a trial has two sides, got {len(enrolment)} enrolment and {len(test)} test indices")
    return enrolment, test


def check_speakers(speakers: ArrayLike, count: int) -> NDArray[Any]:
    """Return the speakers (C,) of ``count`` points, text or whole numbers, or refuse another length or a gap."""
    names = np.asarray(speakers)
    if names.shape != (count,):
        raise InputError(f"speakers must name one speaker for each of the {count} points, got shape {names.shape}")
    missing = [i for i, name in enumerate(names.tolist()) if name is None or name == ""]
    if missing:
        raise InputError(f"every point needs its speaker; that of point {missing[0]} is missing")
    if names.dtype.kind == "O" and all(isinstance(name, str) for name in names):
        names = names.astype(str)
    if names.dtype.kind not in "iuU":
        raise InputError(f"speakers must be all text or all whole numbers, got {names.dtype}")
    return names


def pair_products(rows: Tensor, first: NDArray[np.int64], second: NDArray[np.int64]) -> Tensor:
    """Return the inner products (T,) of ``rows[first]`` and ``rows[second]``, rows (N, D) in float64.

    On a CPU the products are equal to the last bit for any order and number of pairs and any number of threads. The
    memory beside the result is about 60 bytes a pair; elsewhere the rows are gathered, in blocks.
    """
    if rows.device.type != "cpu":
        return gathered_products(rows, first, second)
    if len(first) > len(rows) ** 2:  # a sparse matrix has no more entries than places
        every = np.arange(len(rows))
        products = pair_products(rows, np.repeat(every, len(rows)), np.tile(every, len(rows)))
        return products[torch.from_numpy(first * len(rows) + second)]
    order = None if np.all(first[1:] >= first[:-1]) else np.argsort(first)
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.bincount(first, minlength=len(rows)), out=starts[1:])
    columns = torch.from_numpy(second if order is None else second[order])
    with warnings.catch_warnings():  # CSR tensors call themselves a beta
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        wanted = torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            columns,
            torch.zeros(len(columns), dtype=rows.dtype),
            size=(len(rows), len(rows)),
            check_invariants=False,  # the same pair may come twice
        )
        products = torch.sparse.sampled_addmm(wanted, rows, rows.T, beta=0.0).values()
    if order is None:
        return products
    return torch.empty_like(products).index_copy_(0, torch.from_numpy(order), products)


def gathered_products(rows: Tensor, first: NDArray[np.int64], second: NDArray[np.int64]) -> Tensor:
    """Return what `pair_products` returns in the plain way, the rows of a block of pairs copied beside each other."""
    products = rows.new_empty(len(first))
    for block in gathering_blocks(len(first), rows.shape[1]):
        products[block] = (_take(rows, first[block]) * _take(rows, second[block])).sum(-1)
    return products


def pair_scores(rule: AbstractScorer, rows: Tensor, first: NDArray[np.int64], second: NDArray[np.int64]) -> Tensor:
    """Return the direct scores (T,) of prepared rows: exact for close pairs, and slow."""
    scores = rows.new_empty(len(first))
    for block in gathering_blocks(len(first), rows.shape[1]):
        scores[block] = rule.score(_take(rows, first[block]), _take(rows, second[block]))
    return scores


def _take(rows: Tensor, index: NDArray[np.int64]) -> Tensor:
    return rows[torch.from_numpy(index).to(rows.device)]


def gathering_blocks(count: int, dim: int) -> Iterator[slice]:
    """Cut so many pairs into blocks whose rows of ``dim`` numbers may be gathered at once."""
    size = max(1, _GATHERED_NUMBERS // max(1, dim))
    return (slice(start, start + size) for start in range(0, count, size))


def score_pairs(
    space: AbstractSpace,
    points: Points,
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
