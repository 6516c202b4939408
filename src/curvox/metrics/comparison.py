"""Two systems on the same trials: differences of their figures, and how sure one may be of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.bootstrap import replicate
from curvox.metrics.figures import UNBOUNDED, choice_of_keys, figure_title
from curvox.metrics.inputs import check_level, check_speakers, check_trials
from curvox.metrics.intervals import Interval
from curvox.metrics.resamples import weighed_trials


@dataclass(frozen=True)
class Difference:
    """How much a second system differs from a first in one figure.

    Attributes:
        key: of the figure, as in ``Figure``.
        title: of the figure, for people.
        first: the figure of the first system, or its mean over seeds.
        second: that of the second.
        difference: second minus first; below 0 the second has the lower cost or error rate (of the AUC the worse).
        interval: of the difference, by paired bootstrap over speakers; of means over seeds also over these.
        p_value: of the hypothesis that the difference is 0, two-sided, in [0, 1].
        standard_error: of the difference; None where it was not taken.
        degrees: of freedom of Student's distribution behind interval and p; None where none is.
        relative: the difference over ``first``; None where it was not taken or a figure is 0.
        relative_interval: of that, on the scale of the logarithm of second / first.
    """

    key: str
    title: str
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    standard_error: float | None = None
    degrees: float | None = None
    relative: float | None = None
    relative_interval: Interval | None = None


def compare_systems(
    first_scores: ArrayLike,
    second_scores: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    keys: Sequence[str] = ("eer", "min_dcf:0.01"),
    first_llrs: bool = False,
    second_llrs: bool = False,
    weights: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """Return the differences of two systems' figures on the same trials, each with an interval and a p-value.

    Both systems are taken on the same draws of speakers, as ``bootstrap_speakers`` makes them, and their difference is
    taken draw by draw: what makes a draw hard makes it hard for both and cancels (Bisani & Ney, ICASSP 2004). The
    interval is the basic bootstrap interval, the percentiles of the differences reflected at the difference found. The
    p-value belongs to it: it is the lowest p for which the interval of level 1 - p leaves out 0, and with R resamples
    never below 2 / (R + 1). Several figures are several tests; it is not corrected for that.

    Args:
        first_scores: (N,) scores of the first system, finite, larger for the same speaker.
        second_scores: (N,) those of the second on the same trials; the scales need have nothing in common.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (N,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (N,) likewise of the test side.
        keys: which figures, as in ``Figure``.
        first_llrs: whether the first scores are natural-log likelihood ratios; "cllr" and "act_dcf" need both to be.
        second_llrs: likewise of the second.
        weights: (N,) how much each trial counts, at least 0; 1 if None.
        resamples: how many resamples, at least 1.
        seed: of the draws.
        level: of the intervals.

    Raises:
        InputError: what ``bootstrap_speakers`` refuses, a key that names no figure, or one that needs ratios.
    """
    check_level(level)
    choice = choice_of_keys(keys)
    needing = [key for key in keys if key.split(":")[0] in UNBOUNDED]
    if needing and not (first_llrs and second_llrs):
        raise InputError(
            f'"{needing[0]}" needs log-likelihood ratios of both systems; calibrate the scores, or leave the figure out'
        )
    systems = []
    for scores in (first_scores, second_scores):
        scores_, labels_, weights_ = check_trials(scores, labels, weights)
        enrolment, test, speakers = check_speakers(labels_, enrolment_speakers, test_speakers)
        trials = weighed_trials(scores_, labels_, weights_, enrolment, test, speakers, choice)
        systems.append(replicate(trials, resamples=resamples, seed=seed))
    first, second = systems
    return tuple(
        _difference(key, float(first.estimates[row]), float(second.estimates[row]), changes, level)
        for key in keys
        for row in (choice.keys.index(key),)
        for changes in (second.values[row] - first.values[row],)
    )


def _difference(key: str, first: float, second: float, changes: NDArray[np.float64], level: float) -> Difference:
    found = second - first
    low, high = np.quantile(changes, [(1 - level) / 2, (1 + level) / 2])
    interval = Interval(
        low=min(float(2 * found - high), found), high=max(float(2 * found - low), found), level=float(level)
    )
    # Reflected at the difference found, a resample beyond twice the difference stands for one on the far side of 0.
    beyond = min(int((changes >= 2 * found).sum()), int((changes <= 2 * found).sum()))
    return Difference(
        key=key,
        title=figure_title(key),
        first=first,
        second=second,
        difference=found,
        interval=interval,
        p_value=min(1.0, 2 * (1 + beyond) / (changes.size + 1)),
    )
