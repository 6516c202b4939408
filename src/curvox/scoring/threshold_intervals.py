"""Both error rates at fixed thresholds, and how sure one may be of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from curvox.errors import InputError
from curvox.metrics import Interval, draw_speakers, rate_interval


def rate_intervals(
    llrs: NDArray[np.float64],
    labels: NDArray[np.bool_],
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    thresholds: NDArray[np.float64],
    *,
    resamples: int,
    seed: int,
    level: float,
) -> list[tuple[float, Interval, float, Interval]]:
    """Return false acceptance rate, its interval, false rejection rate and its interval at each threshold.

    Speakers are drawn with replacement, as in ``curvox.metrics.bootstrap_speakers``: a target trial of a speaker drawn
    n times weighs n, a non-target trial of speakers drawn n and m times n · m. From the draws to the interval it is
    ``curvox.metrics.rate_interval``.

    Args:
        llrs: (T,) checked log-likelihood ratios.
        labels: (T,) whether the trial is a target.
        enrolment: (T,) number of the speaker of the enrolment side, 0 … S-1.
        test: (T,) of the test side.
        thresholds: (K,) finite.
        resamples: at least 1.
        seed: of the draws.
        level: of the intervals, in (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level}; 0.95 is usual")
    multiplicities = draw_speakers(labels, enrolment, test, resamples=resamples, seed=seed).multiplicities.T.astype(
        float
    )
    sides = []
    for of_class, accepted_is_error in ((~labels, True), (labels, False)):
        trials = int(of_class.sum())
        of_trials = np.union1d(enrolment[of_class], test[of_class]).size
        pairs = enrolment[of_class], test[of_class], multiplicities, labels[of_class][0]
        weight = _weight(np.ones(trials), *pairs)
        side = []
        for threshold in thresholds:
            errors = (llrs[of_class] >= threshold) == accepted_is_error
            replicates = _weight(errors.astype(np.float64), *pairs) / weight
            rate = float(errors.mean())
            interval = rate_interval(rate, replicates, trials=trials, speakers=of_trials, level=level)
            side.append((rate, interval))
        sides.append(side)
    return [(*far, *frr) for far, frr in zip(*sides, strict=True)]


def _weight(
    values: NDArray[np.float64],
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    multiplicities: NDArray[np.float64],
    targets: bool | np.bool_,
) -> NDArray[np.float64]:
    """Return (R,) the sum of values (T,) of one class of trials under multiplicities (S, R)."""
    speakers = len(multiplicities)
    if targets:
        return np.bincount(enrolment, values, speakers) @ multiplicities
    seen = values != 0
    of_pairs = coo_array((values[seen], (enrolment[seen], test[seen])), shape=(speakers, speakers)).tocsr()
    return np.einsum("sr,sr->r", multiplicities, of_pairs @ multiplicities)
