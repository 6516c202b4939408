"""Whether scores look like those of a working verifier: ties, constants, saturation, overlap."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_mask, check_trials
from curvox.metrics.sorted_trials import SortedTrials, sort_checked

_TIED = 0.05
_SATURATED = 0.01
_OVERLAPPING = 0.8
_FEWEST_BINS, _MOST_BINS = 10, 100
# The shares of a class that lie beyond the outer edges of a histogram.
_TAIL = 0.001


@dataclass(frozen=True)
class ScoreHistogram:
    """How the scores of both classes are spread over common bins.

    Attributes:
        edges: (B + 1) edges of the bins, rising, equally far apart. What lies beyond them is counted in the outer bins.
        targets: (B) share of the targets in every bin; together 1.
        non_targets: (B) share of the non-targets likewise.
    """

    edges: tuple[float, ...]
    targets: tuple[float, ...]
    non_targets: tuple[float, ...]


@dataclass(frozen=True)
class ScoreHealth:
    """What is suspicious about scores.

    Attributes:
        trials: how many there are.
        tied_share: share of the trials that repeat no other, in [0, 1], whose score another of them has exactly as
            well.
        constant: whether all scores are equal.
        saturated_share: share of them, in [0, 1], at exactly the largest or the smallest score; an end where only one
            is does not count.
        overlap: overlapping coefficient of the histograms of targets and non-targets: 0 apart, 1 the same.
        same_recording: number of trials whose enrolment and test are the same recording.
        warnings: sentences, empty for healthy scores.
        repeated: number of trials that repeat an earlier one, which ties and ends leave out; None if nobody looked.
    """

    trials: int
    tied_share: float
    constant: bool
    saturated_share: float
    overlap: float
    same_recording: int
    warnings: tuple[str, ...]
    repeated: int | None = None


def score_health(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    same_recording: ArrayLike | None = None,
    repeated: ArrayLike | None = None,
) -> ScoreHealth:
    """Look for what working verifiers do not do; the arguments and what is refused are those of ``evaluate``."""
    scores_, labels_, _ = check_trials(scores, labels)
    same = 0 if same_recording is None else int(check_mask(same_recording, scores_.size, "same_recording").sum())
    distinct = None if repeated is None else scores_[~check_mask(repeated, scores_.size, "repeated")]
    trials = sort_checked(scores_, labels_)
    return health_of_sorted(trials, score_histogram(trials), same_recording=same, distinct=distinct)


def tied_share(scores: ArrayLike) -> float:
    """Return the share of scores, in [0, 1], that at least one other trial has exactly as well.

    A healthy model gives about 0; a collapsed one gives 1.
    """
    return _ties_among(np.asarray(scores, dtype=np.float64))[0]


def score_histogram(trials: SortedTrials) -> ScoreHistogram:
    """Return the histograms of both classes.

    The bins reach from the lower of both classes' 0.1 % quantiles to the higher of their 99.9 % quantiles, so that a
    few far scores do not squeeze all others into one bin. There are as many as the root of the smaller class, but at
    least 10 and at most 100.
    """
    smaller = min(side.scores.size for side in trials.sides)
    bins = int(np.clip(np.sqrt(smaller), _FEWEST_BINS, _MOST_BINS))
    edges = _edges(trials, bins)
    shares = []
    for side in trials.sides:
        inner = np.searchsorted(side.scores, edges[1:-1])
        below = side.mass_below(np.concatenate(([0], inner, [side.scores.size])))
        shares.append(tuple((np.diff(below) / below[-1]).tolist()))
    return ScoreHistogram(edges=tuple(edges.tolist()), targets=shares[0], non_targets=shares[1])


def health_of_sorted(
    trials: SortedTrials,
    histogram: ScoreHistogram,
    *,
    same_recording: int = 0,
    distinct: NDArray[np.float64] | None = None,
) -> ScoreHealth:
    """Return the health of sorted trials, as ``score_health`` gives it; weights do not matter for it.

    ``same_recording`` is how many trials compare a recording with itself, ``distinct`` the scores of those that repeat
    no earlier one; None if nobody looked.
    """
    count = trials.size
    repeated = None if distinct is None else count - distinct.size
    sides = [side.scores for side in trials.sides]
    tied, saturated = _ties_among(np.concatenate(sides) if distinct is None else distinct)
    found = ScoreHealth(
        trials=count,
        tied_share=tied,
        constant=bool(min(scores[0] for scores in sides) == max(scores[-1] for scores in sides)),
        saturated_share=saturated,
        overlap=min(float(np.minimum(histogram.targets, histogram.non_targets).sum()), 1.0),
        same_recording=same_recording,
        warnings=(),
        repeated=repeated,
    )
    middles = [scores[scores.size // 2] for scores in sides]
    return replace(found, warnings=tuple(_warnings(found, reversed_=bool(middles[0] < middles[1]))))


def _warnings(found: ScoreHealth, *, reversed_: bool) -> Iterator[str]:
    if found.constant:
        yield f"All {found.trials} scores are equal: the model gives every recording the same embedding."
        return
    if found.tied_share > _TIED:
        which = " that repeat no other" if found.repeated else ""
        again = ", trials are repeated," if found.repeated is None else ""
        yield (
            f"{found.tied_share:.1%} of the trials{which} share their score with another trial: the scores were "
            f"rounded{again} or the model has collapsed."
        )
    if found.saturated_share > _SATURATED:
        yield f"{found.saturated_share:.1%} of the scores are exactly the largest or the smallest: scores were clipped."
    if found.overlap > _OVERLAPPING:
        yield f"The scores of targets and non-targets overlap by {found.overlap:.0%}: they hardly tell speakers apart."
    elif reversed_:
        yield "Targets score lower than non-targets: the sign of the scores or the labels are the wrong way round."
    if found.same_recording:
        yield (
            f"{found.same_recording} trials compare a recording with itself; they say nothing about the verifier, "
            "leave them out."
        )


def _edges(trials: SortedTrials, bins: int) -> NDArray[np.float64]:
    sides = [side.scores for side in trials.sides]
    low = min(float(scores[int(_TAIL * (scores.size - 1))]) for scores in sides)
    high = max(float(scores[math.ceil((1 - _TAIL) * (scores.size - 1))]) for scores in sides)
    if low == high:
        # Room for a bin at any magnitude; the largest floats have it on one side only.
        room = max(0.5, abs(low) * 1e-9)
        low, high = max(low - room, -sys.float_info.max), min(high + room, sys.float_info.max)
    along = np.linspace(0, 1, bins + 1)
    return low * (1 - along) + high * along


def _ties_among(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the share of scores that another one equals, and the share at an end where several are; 0 of none."""
    if not scores.size:
        return 0.0, 0.0
    counts = np.unique(scores, return_counts=True)[1]
    ends = counts[[0, -1]] if counts.size > 1 else counts
    return float(counts[counts > 1].sum() / scores.size), float(ends[ends > 1].sum() / scores.size)
