"""Inner products of many pairs of rows: chosen pairs one by one, or all pairs of two sets in blocks.

The pairs of a trial list are a sampled matrix product: of the matrix of all inner products, a few entries. PyTorch
computes such entries in place, without copying the rows of every trial beside each other first, which is what takes
the time otherwise. An entry is one dot product, added up in the same order whatever else is computed with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.scoring.scorers import AbstractProductScorer, AbstractScorer

# Rows gathered for the direct formula take about this many numbers a side (float64: 4 MiB).
GATHERED_NUMBERS = 1 << 19


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
    for block in _blocks(len(first), rows.shape[1]):
        products[block] = (_take(rows, first[block]) * _take(rows, second[block])).sum(-1)
    return products


def pair_scores(rule: AbstractScorer, rows: Tensor, first: NDArray[np.int64], second: NDArray[np.int64]) -> Tensor:
    """Return the direct scores (T,) of prepared rows: exact for close pairs, and slow."""
    scores = rows.new_empty(len(first))
    for block in _blocks(len(first), rows.shape[1]):
        scores[block] = rule.score(_take(rows, first[block]), _take(rows, second[block]))
    return scores


def top_score_blocks(
    rule: AbstractScorer, x: Tensor, y: Tensor, top_k: int, block_rows: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the ``top_k`` largest scores of prepared rows x (N, D) with y (S, D), ``block_rows`` rows of x at a time.

    The scores (block_rows, top_k) come in no order. They are chosen by nearness: only the chosen are made scores of.
    """
    if not isinstance(rule, AbstractProductScorer):
        yield from _top_score_rows(rule, x, y, top_k)
        return
    x_terms, y_terms = rule.terms(x), rule.terms(y)
    memory = x.new_empty(min(block_rows, len(x)), len(y))
    for start in range(0, len(x), block_rows):
        block = slice(start, min(start + block_rows, len(x)))
        of_block = tuple(term[block, None] for term in x_terms)
        products = torch.mm(x[block], y.T, out=memory[: block.stop - start])
        nearness, which = _largest(rule.nearness(products, of_block, y_terms), top_k)
        of_chosen = y_terms if top_k == len(y) else tuple(term[which] for term in y_terms)
        scores, good = rule.from_nearness(nearness, of_block, of_chosen)
        if good is not None:
            _score_close(rule, x[block], y, which, scores, good)
        yield block, scores


def _top_score_rows(rule: AbstractScorer, x: Tensor, y: Tensor, top_k: int) -> Iterator[tuple[slice, Tensor]]:
    for row in range(len(x)):
        scores = rule.score(x[row].expand_as(y), y)
        yield slice(row, row + 1), scores.topk(top_k, sorted=False).values[None]


def _largest(nearness: Tensor, count: int) -> tuple[Tensor, Tensor]:
    if count == nearness.shape[1]:
        return nearness, torch.arange(count, device=nearness.device).expand_as(nearness)
    values, which = nearness.topk(count, dim=1, sorted=False)
    return values, which


def _score_close(
    rule: AbstractProductScorer, x: Tensor, y: Tensor, which: Tensor, scores: Tensor, good: Tensor
) -> None:
    i, j = torch.nonzero(~good, as_tuple=True)
    for block in _blocks(len(i), x.shape[1]):
        scores[i[block], j[block]] = rule.score(x[i[block]], y[which[i[block], j[block]]])


def _take(rows: Tensor, index: NDArray[np.int64]) -> Tensor:
    return rows[torch.from_numpy(index).to(rows.device)]


def _blocks(count: int, dim: int) -> Iterator[slice]:
    size = max(1, GATHERED_NUMBERS // max(1, dim))
    return (slice(start, start + size) for start in range(0, count, size))
