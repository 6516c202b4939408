"""Intervals of detection metrics by bootstrap over speakers.

Trials are not independent: one hard speaker spoils all of its trials at once. What is drawn with replacement is
therefore the speaker, and every trial follows from its speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.dcf import OperatingPoint, normalised_cost
from curvox.metrics.eer import crossing
from curvox.metrics.sorted_trials import SortedTrials, sort_trials

# Resamples taken together: as many as keep the weights of all ROC corners of a block near this number.
_BLOCK_WEIGHTS = 1 << 21
_LARGEST_BLOCK = 64


@dataclass(frozen=True)
class Interval:
    """An interval that holds the true figure with the stated probability.

    Attributes:
        low: lower end, in the unit of the figure.
        high: upper end.
        level: the probability, in (0, 1).
    """

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, eq=False)
class Replicates:
    """The figures of the trials themselves and of every resample, in the order they were drawn.

    Attributes:
        eer: the equal error rate of the trials.
        min_dcf: (P,) their lowest normalised detection cost at every operating point.
        eer_replicates: (R,) the same of every resample.
        min_dcf_replicates: (P, R) likewise.
        redrawn: how many resamples lacked targets or non-targets and were drawn again.
    """

    eer: float
    min_dcf: NDArray[np.float64]
    eer_replicates: NDArray[np.float64]
    min_dcf_replicates: NDArray[np.float64]
    redrawn: int

    def eer_interval(self, level: float = 0.95) -> Interval:
        """Return the interval of the equal error rate, by ``reflected_interval``."""
        return reflected_interval(self.eer, self.eer_replicates, level)

    def min_dcf_intervals(self, level: float = 0.95) -> tuple[Interval, ...]:
        """Return the interval of the detection cost at every operating point, by ``reflected_interval``."""
        pairs = zip(self.min_dcf.tolist(), self.min_dcf_replicates, strict=True)
        return tuple(reflected_interval(estimate, values, level) for estimate, values in pairs)


def bootstrap_speakers(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    points: Sequence[OperatingPoint] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> Replicates:
    """Recompute the equal error rate and detection costs on resampled speakers.

    As many speakers as there are are drawn with replacement; speaker s then occurs n_s times. Both sides of a trial
    are resampled: a target trial of speaker s weighs n_s, a non-target trial of speakers s and t weighs n_s · n_t.
    Drawing speakers instead of trials follows Bisani & Ney, "Bootstrap estimates for confidence intervals in ASR
    performance evaluation" (ICASSP 2004), and for verification the subsets bootstrap of Bolle, Ratha & Pankanti
    (Computer Vision and Image Understanding 93, 2004) and Poh & Bengio, "Estimating the confidence interval of expected
    performance curve in biometric authentication using joint bootstrap" (ICASSP 2007); the product weight of a pair is
    Owen's pigeonhole bootstrap (Annals of Applied Statistics 1, 2007), which errs to the wide side where the chance
    of the single trial outweighs that of the speakers.

    A resample that has no target or no non-target weight left is thrown away and the next draw of the same random
    stream takes its place, so the figures are conditional on both classes being there. With a handful of speakers that
    happens often (``redrawn`` counts it) and no interval means much.

    The draws depend on the seed and the set of speakers alone, not on the scores or on the order of trials: two
    systems on the same trials are resampled alike and may be compared resample by resample.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (N,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (N,) likewise of the test side.
        points: where to take the detection cost.
        resamples: how many resamples, at least 1.
        seed: of the draws.

    Raises:
        InputError: what ``roc_points`` refuses, labels that contradict the speakers, or ``resamples`` below 1.
    """
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}; 1000 give a steady 95 % interval")
    trials = sort_trials(scores, labels, enrolment_speakers=enrolment_speakers, test_speakers=test_speakers)
    rng = np.random.default_rng(seed)
    fair = np.full(trials.speakers, 1 / trials.speakers)
    block = int(np.clip(_BLOCK_WEIGHTS // trials.runs, 1, _LARGEST_BLOCK))
    eers: list[NDArray[np.float64]] = []
    costs: list[NDArray[np.float64]] = []
    done = redrawn = 0
    while done < resamples:
        # Row by row from one stream: the draws are the same for every block size.
        multiplicities = rng.multinomial(trials.speakers, fair, size=min(block, resamples - done)).T
        eer, cost, usable = figures(trials, multiplicities, points)
        eers.append(eer[usable])
        costs.append(cost[:, usable])
        done += int(usable.sum())
        redrawn += int((~usable).sum())
    eer, cost, _ = figures(trials, np.ones((trials.speakers, 1)), points)
    return Replicates(
        eer=float(eer[0]),
        min_dcf=cost[:, 0],
        eer_replicates=np.concatenate(eers),
        min_dcf_replicates=np.concatenate(costs, axis=1),
        redrawn=redrawn,
    )


def figures(
    trials: SortedTrials, multiplicities: NDArray[np.integer] | NDArray[np.float64], points: Sequence[OperatingPoint]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the equal error rates (B,), detection costs (P, B) and usability (B,) under multiplicities (S, B)."""
    false_acceptance, false_rejection, usable = trials.error_rates(multiplicities)
    cost = np.empty((len(points), usable.size))
    for row, point in zip(cost, points, strict=True):
        normalised_cost(false_acceptance, false_rejection, point).min(axis=0, out=row)
    eer = np.full(usable.size, np.nan)
    eer[usable] = crossing(false_acceptance[:, usable], false_rejection[:, usable])
    return eer, cost, usable


def reflected_interval(estimate: float, values: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Return the basic bootstrap interval of a figure in [0, 1], taken on the scale arcsin(sqrt(figure)).

    The percentiles of the replicates are reflected at the estimate (Davison & Hinkley, "Bootstrap methods and their
    application", 1997, chapter 5). The plain percentile interval would not do: the lowest cost over all thresholds is
    too low on the trials that choose the threshold, lower once more on their resamples, and the percentiles add up
    both errors where the reflection cancels one by the other. On the arcsine scale the spread of a rate hardly depends
    on the rate, and the interval stays in [0, 1]. It is widened, where need be, to hold the estimate itself.

    When no resample makes an error the interval is the single number 0: too few trials, not a perfect model. The
    fewer the speakers, the more often an interval misses the truth; with a handful of them it says little.

    Args:
        estimate: the figure of the trials themselves.
        values: (R,) the figure of every resample.
        level: the probability, in (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level}; 0.95 is usual")
    percentiles = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    low_angle, high_angle = np.arcsin(np.sqrt(np.clip(percentiles, 0, 1)))
    angle = np.arcsin(np.sqrt(min(max(estimate, 0.0), 1.0)))
    low, high = np.sin(np.clip([2 * angle - high_angle, 2 * angle - low_angle], 0, np.pi / 2)) ** 2
    return Interval(low=min(float(low), estimate), high=max(float(high), estimate), level=float(level))
