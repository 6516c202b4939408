"""S-norm and AS-norm: a score is measured against the scores of both its sides with a cohort of other speakers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.scoring.back_ends.contract import (
    AbstractBackEnd,
    AbstractFittedBackEnd,
    State,
    require_cohort,
    require_state,
)
from curvox.scoring.back_ends.plain import check_scorer, resolve_scorer
from curvox.scoring.pairs import (
    Points,
    check_inside,
    check_points,
    check_speakers,
    check_trials,
    gathering_blocks,
    score_pairs,
)
from curvox.scoring.scorers import AbstractProductScorer, AbstractScorer, create_scorer

# A block of scores with the cohort takes about this many numbers (float64: 8 MiB).
_BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True, eq=False)
class CohortStatistics:
    """Mean and standard deviation (N,) of the scores of N points with their cohort, of the ``top_k`` largest or all.

    ``std`` is that of a population: the root of the mean squared deviation, divided by the count, not count - 1.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    top_k: int | None = None


def cohort_means(space: AbstractSpace, points: Points, speakers: ArrayLike) -> NDArray[np.float64]:
    """Return one point for each speaker, the space's mean of the speaker's points, in the order of the sorted names.

    Args:
        space: the space the points live in.
        points: (C, D) finite, of training speakers; none of them may be in the trials that are to be normalised.
        speakers: (C,) the speaker of each point.

    Returns:
        (S, D) means in float64.

    Raises:
        InputError: points of another shape, NaN or infinite points, points outside the ball, a missing speaker.
    """
    points_ = check_points(points)
    names = check_speakers(speakers, len(points_))
    number, counts = np.unique(names, return_inverse=True, return_counts=True)[1:]
    own = torch.from_numpy(np.argsort(number, kind="stable")).to(points_.device)
    means = points_.new_empty(len(counts), points_.shape[1])
    check_inside(space, points_)
    with torch.no_grad():
        for i, rows in enumerate(own.split(counts.tolist())):
            means[i] = space.mean(points_[rows])
    return means.cpu().numpy()


def cohort_statistics(
    space: AbstractSpace,
    points: Points,
    cohort: Points,
    *,
    scorer: str | None = None,
    top_k: int | None = None,
) -> CohortStatistics:
    """Return mean and standard deviation of the scores of each point with the cohort, of its ``top_k`` largest.

    With ``top_k`` these are the statistics of adaptive normalisation: each point has its own cohort, the speakers most
    like it. Computed in float64 from matrix products, on the device of the points, a block at a time: beside points and
    cohort in float64 the memory is about 100 MiB, and no row is sorted.

    Args:
        space: the space the points live in.
        points: (N, D) finite.
        cohort: (S, D) at least two points, of speakers who are in no trial; see `cohort_means`.
        scorer: as for `score_pairs`; the one the trials are scored by.
        top_k: how many of the largest scores count, 2 … S; all of them if None.

    Raises:
        UnknownNameError: no such scorer.
        InputError: a cohort too small for ``top_k`` or of fewer than two points, points that cannot be scored, another
            dimension than the cohort's, a point whose cohort scores are all the same, named by index.
    """
    rule = create_scorer(space, scorer)
    points_, cohort_ = check_points(points), check_points(cohort, "cohort")
    if points_.shape[1] != cohort_.shape[1]:
        raise InputError(f"points and cohort must have one dimension, got {points_.shape[1]} and {cohort_.shape[1]}")
    kept = check_top_k(top_k, len(cohort_))
    moments = points_.new_empty(2, len(points_))
    spread = torch.empty(len(points_), dtype=torch.bool)
    with torch.no_grad():
        rows, cohort_rows = rule.prepare(points_), _prepare_cohort(rule.prepare, cohort_.to(points_.device))
        block_rows = max(1, _BLOCK_NUMBERS // len(cohort_))
        for block, largest in _top_score_blocks(rule, rows, cohort_rows, kept, block_rows):
            moments[0, block] = largest.mean(dim=1)
            moments[1, block] = largest.std(dim=1, correction=0)
            spread[block] = moments[1, block] > 1e-12 * largest.abs().amax(dim=1)
    _refuse_constant(spread, kept)
    mean, std = moments.cpu().numpy()
    return CohortStatistics(mean, std, top_k)


def normalise(
    scores: ArrayLike, enrolment_index: ArrayLike, test_index: ArrayLike, statistics: CohortStatistics
) -> NDArray[np.float64]:
    """Return normalised scores, ``((s - mean_e) / std_e + (s - mean_t) / std_t) / 2`` over the two sides of a trial.

    With the statistics of the whole cohort this is S-norm (Kenny 2010), with those of the ``top_k`` largest scores of
    each side adaptive S-norm, AS-norm1 of Matějka et al. 2017 (Interspeech).

    Args:
        scores: (T,) of `score_pairs`, with the scorer of the statistics.
        enrolment_index: (T,) the point of the enrolment side of every trial, a row of the statistics.
        test_index: (T,) that of the test side.
        statistics: of the points on both sides.

    Raises:
        InputError: numbers of scores and trials that differ, scores that are not finite, rows that are not there.
    """
    enrolment, test = check_trials(enrolment_index, test_index, len(statistics.mean))
    scores_ = np.asarray(scores, dtype=np.float64)
    if scores_.shape != enrolment.shape:
        raise InputError(f"expected one score for each of the {len(enrolment)} trials, got shape {scores_.shape}")
    if not np.isfinite(scores_).all():
        trial = np.flatnonzero(~np.isfinite(scores_))[0]
        raise InputError(f"scores must be finite, that of trial {trial} is {scores_[trial]}")
    mean, std = statistics.mean, statistics.std
    return ((scores_ - mean[enrolment]) / std[enrolment] + (scores_ - mean[test]) / std[test]) / 2.0


def check_top_k(top_k: int | None, speakers: int) -> int:
    """Return how many cohort scores count, or refuse a cohort that has not as many or fewer than two."""
    if speakers < 2:
        raise InputError(f"a cohort needs at least two speakers, who are not in the trials; got {speakers}")
    if top_k is None:
        return speakers
    _require_top_k(top_k)
    if top_k > speakers:
        raise InputError(
            f"top_k is {top_k}, but the cohort has {speakers} speakers; take a smaller top_k or a larger cohort"
        )
    return top_k


def _top_score_blocks(
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
    for block in gathering_blocks(len(i), x.shape[1]):
        scores[i[block], j[block]] = rule.score(x[i[block]], y[which[i[block], j[block]]])


def _prepare_cohort(prepare: Callable[[Tensor], Tensor], cohort: Tensor) -> Tensor:
    try:
        return prepare(cohort)
    except InputError as error:
        raise InputError(f"the cohort cannot be scored: {error}") from error


def _refuse_constant(spread: Tensor, kept: int) -> None:
    constant = torch.nonzero(~spread).flatten()
    if len(constant):
        raise InputError(
            f"{len(constant)} of {len(spread)} points cannot be normalised: points[{int(constant[0])}] has the same "
            f"score with all {kept} cohort speakers that count, a standard deviation of zero; check that the cohort "
            "holds different speakers, or take a larger top_k"
        )


class _ScoreNorm(AbstractBackEnd):
    """A score norm under its name, with the settings that its kinds take."""

    needs_cohort: ClassVar[bool] = True
    _name: ClassVar[str]
    _scorer: str | None
    _top_k: int | None

    def fit(
        self, space: AbstractSpace, cohort_points: Points | None = None, cohort_speakers: ArrayLike | None = None
    ) -> FittedNorm:
        points, speakers = require_cohort(cohort_points, cohort_speakers, self._name)
        return self._fitted(space, cohort_means(space, points, speakers))

    def restore(self, space: AbstractSpace, description: Mapping[str, Any], state: State) -> FittedNorm:
        require_state(state, ("cohort",), self._name)
        return self._fitted(space, check_points(state["cohort"], "cohort").numpy())

    def describe(self) -> dict[str, Any]:
        return {"name": self._name, **_top_k(self._top_k), "scorer": self._scorer}

    def _fitted(self, space: AbstractSpace, cohort: NDArray[np.float64]) -> FittedNorm:
        check_top_k(self._top_k, len(cohort))
        return FittedNorm(self._name, space, resolve_scorer(space, self._scorer), self._top_k, cohort)


class SNorm(_ScoreNorm):
    """S-norm: scores against mean and standard deviation of both sides' scores with the whole cohort.

    Kenny, "Bayesian speaker verification with heavy-tailed priors" (Odyssey 2010).

    The cohort is one point for each training speaker, see `cohort_means`.

    Args:
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    _name = "s_norm"

    def __init__(self, *, scorer: str | None = None) -> None:
        self._top_k, self._scorer = None, check_scorer(scorer)


class ASNorm(_ScoreNorm):
    """AS-norm: like `SNorm`, but each side is measured against the cohort speakers it scores highest with.

    This is AS-norm1 of Matějka et al. 2017 (Interspeech, "Analysis of score normalization in multilingual speaker
    recognition").

    Args:
        top_k: how many cohort speakers count on each side, at least 2 and at most all of them.
        scorer: a name in ``SCORERS``; that of the space if None.
    """

    _name = "as_norm"

    def __init__(self, *, top_k: int = 300, scorer: str | None = None) -> None:
        _require_top_k(top_k)
        self._top_k, self._scorer = top_k, check_scorer(scorer)


@dataclass(frozen=True, eq=False)
class FittedNorm(AbstractFittedBackEnd):
    """`SNorm` (``top_k`` None) or `ASNorm` with a cohort (S, D); ``scorer`` is the name of the one in use."""

    name: str
    space: AbstractSpace
    scorer: str
    top_k: int | None
    cohort: NDArray[np.float64]

    def scores(self, points: Points, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        points_ = check_points(points)
        enrolment, test = check_trials(enrolment_index, test_index, len(points_))
        raw = score_pairs(self.space, points_, enrolment, test, scorer=self.scorer)
        return normalise(raw, enrolment, test, self.statistics(points_))

    def statistics(self, points: Points) -> CohortStatistics:
        """Return the `cohort_statistics` of points (N, D)."""
        return cohort_statistics(self.space, points, self.cohort, scorer=self.scorer, top_k=self.top_k)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, **_top_k(self.top_k), "scorer": self.scorer, "cohort_speakers": len(self.cohort)}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {"cohort": self.cohort}


def _top_k(top_k: int | None) -> dict[str, int]:
    return {} if top_k is None else {"top_k": top_k}


def _require_top_k(top_k: Any) -> None:
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 2:
        raise InputError(f"top_k must be a whole number of at least 2, got {top_k!r}")
