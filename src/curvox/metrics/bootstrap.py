"""The bootstrap over speakers: intervals of figures, of rates at given thresholds, and of differences of systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.dcf import OperatingPoint, normalised_cost
from curvox.metrics.figures import UNBOUNDED, Choice, choice_of_keys, figure_title
from curvox.metrics.inputs import check_level
from curvox.metrics.intervals import Interval, logarithmic_interval, rate_interval, sum_interval
from curvox.metrics.resamples import WeighedTrials, check_and_weigh, require_resamples, resample_speakers


@dataclass(frozen=True, eq=False)
class Replicates:
    """The figures of the trials themselves and of every resample, in the order they were drawn.

    Attributes:
        estimates: (K,) the figures of the trials.
        values: (K, R) the same of every resample.
        choice: which figures they are.
        rates: (2, P, R + 1) false acceptance and false rejection at the Bayes threshold of every point, of the trials
            themselves and then of every resample; P is 0 where the scores are no ratios.
        sizes: how many non-targets there are and how many speakers they name, and the same of targets.
        redrawn: how many resamples lacked targets or non-targets and were drawn again.
        speakers: how many speakers were drawn from.
    """

    estimates: NDArray[np.float64]
    values: NDArray[np.float64]
    choice: Choice
    rates: NDArray[np.float64]
    sizes: tuple[tuple[float, int], tuple[float, int]]
    redrawn: int
    speakers: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys (K,) of the figures, as ``Figure`` explains them."""
        return self.choice.keys

    def interval(self, key: str, level: float = 0.95) -> Interval:
        """Return the interval of a figure, by ``logarithmic_interval``; of the AUC it is that of 1 - AUC.

        That of an actual cost is the ``sum_interval`` of those of its two error rates: where false alarms are rare and
        dear, the few or none that were seen say little of what they cost, and neither do their resamples.
        """
        if key.startswith("act_dcf:"):
            return self._actual_cost(key, level)
        row = self.keys.index(key)
        estimate, values = float(self.estimates[row]), self.values[row]
        if key == "auc":
            # A mean over all pairs of trials, it does not jump to 0 as a rate of few errors does.
            lack = logarithmic_interval(1 - estimate, 1 - values, speakers=self.speakers, level=level)
            low = min(max(1 - lack.high, 0.0), estimate)
            return Interval(low=low, high=max(1 - lack.low, estimate), level=lack.level)
        highest = math.inf if key.split(":")[0] in UNBOUNDED else 1.0
        return logarithmic_interval(estimate, values, speakers=self.speakers, level=level, highest=highest)

    def _actual_cost(self, key: str, level: float) -> Interval:
        number = [name for name in self.keys if name.startswith("act_dcf:")].index(key)
        point = self.choice.points[number]
        none, all_ = np.array(0.0), np.array(1.0)
        weights = float(normalised_cost(all_, none, point)), float(normalised_cost(none, all_, point))
        parts = []
        for weight, rates, (trials, speakers) in zip(weights, self.rates[:, number], self.sizes, strict=True):
            interval = rate_interval(rates[0], rates[1:].copy(), trials=trials, speakers=speakers, level=level)
            parts.append((weight, float(rates[0]), interval))
        return sum_interval(parts)


def bootstrap_speakers(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    points: Sequence[OperatingPoint] = (),
    rates: Sequence[float] = (),
    llrs: bool = False,
    weights: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Replicates:
    """Recompute every figure on resampled speakers.

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

    The arguments are those of ``evaluate``, ``resamples`` at least 1.

    Raises:
        InputError: what ``equal_error_rate`` refuses, labels that contradict the speakers, or ``resamples`` below 1.
    """
    choice = Choice(points=tuple(points), rates=tuple(rates), llrs=llrs)
    trials = check_and_weigh(scores, labels, (enrolment_speakers, test_speakers), choice, weights=weights)
    return replicate(trials, resamples=resamples, seed=seed)


def replicate(trials: WeighedTrials, *, resamples: int, seed: int) -> Replicates:
    """Return the figures of trials and of their resamples, as ``bootstrap_speakers`` describes them."""
    require_resamples(resamples)
    estimates = trials.figures_and_rates(np.ones(trials.speakers))
    assert estimates is not None  # both classes were checked to be there
    found, redrawn = resample_speakers(
        trials.figures_and_rates, speakers=trials.speakers, resamples=resamples, seed=seed
    )
    return Replicates(
        estimates=np.array(estimates[0]),
        values=np.ascontiguousarray(np.array([figures for figures, _ in found]).T),
        choice=trials.choice,
        rates=np.stack([estimates[1], *(rates for _, rates in found)], axis=-1),
        sizes=trials.sizes,
        redrawn=redrawn,
        speakers=trials.speakers,
    )


@dataclass(frozen=True)
class MeasuredRates:
    """Both error rates at one threshold, and their intervals over speakers."""

    false_acceptance: float
    false_acceptance_interval: Interval
    false_rejection: float
    false_rejection_interval: Interval


def rates_at_thresholds(
    llrs: ArrayLike,
    labels: ArrayLike,
    thresholds: Sequence[float],
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[MeasuredRates, ...]:
    """Return both error rates at thresholds that stay where they are, with their intervals by ``rate_interval``.

    Speakers are drawn as ``bootstrap_speakers`` draws them; the other arguments and what is refused are the same.
    """
    level = check_level(level)
    require_resamples(resamples)
    trials = check_and_weigh(llrs, labels, (enrolment_speakers, test_speakers), thresholds=thresholds)
    estimates = trials.error_rates(np.ones(trials.speakers))
    assert estimates is not None  # both classes were checked to be there
    drawn, _ = resample_speakers(trials.error_rates, speakers=trials.speakers, resamples=resamples, seed=seed)
    replicates = np.ascontiguousarray(np.stack(drawn, axis=-1))
    measured = []
    for far, frr, *rows in zip(*estimates.tolist(), *replicates, strict=True):
        ends = [
            rate_interval(rate, row, trials=count, speakers=named, level=level)
            for rate, row, (count, named) in zip((far, frr), rows, trials.sizes, strict=True)
        ]
        measured.append(MeasuredRates(far, ends[0], frr, ends[1]))
    return tuple(measured)


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

    The arguments are those of ``evaluate``, but for:

    Args:
        first_scores: (N,) scores of the first system, finite, larger for the same speaker.
        second_scores: (N,) those of the second on the same trials; the scales need have nothing in common.
        keys: which figures, as in ``Figure``.
        first_llrs: whether the first scores are natural-log likelihood ratios; "cllr" and "act_dcf" need both to be.
        second_llrs: likewise of the second.
        resamples: how many resamples, at least 1.

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
        trials = check_and_weigh(scores, labels, (enrolment_speakers, test_speakers), choice, weights=weights)
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
