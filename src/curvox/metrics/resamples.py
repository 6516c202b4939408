"""Resampled speakers: how often each is drawn, and the figures of trials under any such draw, after one sort.

Trials are not independent: one hard speaker spoils all of its trials at once. What is drawn with replacement is
therefore the speaker, and every trial or pair follows from its speakers. All draws of curvox are made here, from one
stream of random numbers for each seed, so that whatever is measured on the same speakers with the same seed is
resampled alike and may be compared draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.cllr import bits
from curvox.metrics.dcf import bayes_threshold, corner_costs, normalised_cost
from curvox.metrics.figures import Choice
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.metrics.sorted_trials import (
    Corners,
    acceptance_at,
    area,
    equal_error_value,
    hull_of,
    lowest_bits,
    rejection_at,
    sort_checked,
)

ONLY_EER = Choice(points=(), rates=())
# Draws taken together: multiplicities of about this many bytes, and no more of them than are wanted as a rule.
_BLOCK_BYTES = 1 << 24
_MOST_IN_BLOCK = 1024

T = TypeVar("T")
Multiplicities = NDArray[np.integer] | NDArray[np.float64]
_Weights = tuple[NDArray[np.float64], NDArray[np.float64], float]


@dataclass(frozen=True, eq=False)
class _Side:
    """The trials of one class in order of rising scores.

    Attributes:
        speakers: one or two vectors (K,): the weight of a trial is the product of their speakers' multiplicities.
        weights: (K,) the trials' own weights; None if all are 1.
        corners: (V,) how many trials lie below each corner.
        cuts: (K,) how many lie below each threshold at which rates are wanted.
        bits: (K,) what each trial costs as a log-likelihood ratio; None if the scores are none.
        named: how many speakers the trials name.
        below: (K + 1,) scratch for the summed weights, as fresh memory for each resample costs as much as the sums.
    """

    speakers: tuple[NDArray[np.int32], ...]
    weights: NDArray[np.float64] | None
    corners: NDArray[np.intp]
    cuts: NDArray[np.intp]
    bits: NDArray[np.float64] | None
    named: int
    below: NDArray[np.float64]

    @property
    def size(self) -> float:
        """How many trials there are; a weight counts for so many of them."""
        return float(self.below.size - 1 if self.weights is None else self.weights.sum())

    def weigh(self, multiplicities: NDArray[np.float64]) -> _Weights:
        """Return the weight below each corner (V,), that below each threshold (K,) and the summed bits."""
        weights = multiplicities[self.speakers[0]]
        for speakers in self.speakers[1:]:
            weights *= multiplicities[speakers]
        if self.weights is not None:
            weights *= self.weights
        np.cumsum(weights, out=self.below[1:])
        cost = 0.0 if self.bits is None else float(self.bits @ weights)
        return self.below[self.corners], self.below[self.cuts], cost


@dataclass(frozen=True, eq=False)
class WeighedTrials:
    """Trials whose figures can be had for any speaker multiplicities.

    Attributes:
        choice: which figures.
        speakers: how many speakers the trials name; a multiplicity is wanted for each.
    """

    choice: Choice
    speakers: int
    _targets: _Side
    _non_targets: _Side

    @property
    def sizes(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """How many non-targets there are and how many speakers they name, and the same of targets."""
        return (self._non_targets.size, self._non_targets.named), (self._targets.size, self._targets.named)

    def equal_error_rate(self, multiplicities: Multiplicities) -> float | None:
        """Return the equal error rate alone, the same as among all figures at a fraction of their cost."""
        sides = self._weigh(multiplicities)
        return None if sides is None else equal_error_value(Corners(sides[0][0], sides[1][0]))

    def error_rates(self, multiplicities: Multiplicities) -> NDArray[np.float64] | None:
        """Return false acceptance and false rejection at every threshold (2, K); None as `figures_and_rates` does."""
        sides = self._weigh(multiplicities)
        if sides is None:
            return None
        (targets, rejected, _), (non_targets, passed, _) = sides
        return np.array([(non_targets[-1] - passed) / non_targets[-1], rejected / targets[-1]])

    def figures_and_rates(self, multiplicities: Multiplicities) -> tuple[list[float], NDArray[np.float64]] | None:
        """Return the figures, in the order of ``choice.keys``, and the rates behind the actual costs.

        The rates (2, P) are false acceptance and false rejection at the Bayes threshold of every point; P is 0 where
        the scores are no ratios. None where targets or non-targets weigh nothing.

        Args:
            multiplicities: (S,) how often each speaker occurs, at least 0. A target trial of speaker s weighs n_s, a
                non-target trial of s and t weighs n_s · n_t, each times the trial's own weight.
        """
        sides = self._weigh(multiplicities)
        if sides is None:
            return None
        (targets, rejected, missed_bits), (non_targets, passed, accepted_bits) = sides
        corners = Corners(targets, non_targets)
        hull = hull_of(corners)
        choice = self.choice
        found = [equal_error_value(corners), equal_error_value(hull), area(corners)]
        if choice.llrs:
            found.append((missed_bits / targets[-1] + accepted_bits / non_targets[-1]) / 2)
        found.append(lowest_bits(hull))
        found += [float(corner_costs(hull, point).min()) for point in choice.points]
        rates = np.array([1 - passed / non_targets[-1], rejected / targets[-1]])
        if choice.llrs:
            costs = zip(*rates, choice.points, strict=True)
            found += [float(normalised_cost(far, frr, point)) for far, frr, point in costs]
        found += [rejection_at(corners, rate) for rate in choice.rates]
        return found + [acceptance_at(corners, rate) for rate in choice.rates], rates

    def _weigh(self, multiplicities: Multiplicities) -> tuple[_Weights, _Weights] | None:
        """Return the weights of targets and of non-targets; None where one of them weighs nothing."""
        targets, non_targets = (
            side.weigh(multiplicities.astype(np.float64)) for side in (self._targets, self._non_targets)
        )
        return None if targets[0][-1] <= 0 or non_targets[0][-1] <= 0 else (targets, non_targets)


def weighed_trials(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    speakers: int,
    choice: Choice = ONLY_EER,
    *,
    thresholds: Sequence[float] | None = None,
) -> WeighedTrials:
    """Sort trials that were checked for any number of resamples.

    ``enrolment`` and ``test`` are numbers 0 … speakers - 1. Rates are taken at ``thresholds``, if None at the Bayes
    thresholds of the chosen points where the scores are likelihood ratios.
    """
    trials = sort_checked(scores, labels, weights, keep_trials=True)
    if thresholds is None:
        thresholds = [bayes_threshold(point) for point in choice.points if choice.llrs]
    sides = []
    for of_class, sign, of_trial in ((trials.targets, -1, (enrolment,)), (trials.non_targets, 1, (enrolment, test))):
        places = of_class.trials
        side = _Side(
            speakers=tuple(numbers[places].astype(np.int32) for numbers in of_trial),
            weights=None if weights is None else weights[places],
            corners=of_class.corners,
            cuts=np.searchsorted(of_class.scores, thresholds),
            bits=bits(sign * of_class.scores) if choice.llrs else None,
            named=np.unique(np.concatenate([numbers[places] for numbers in of_trial])).size,
            below=np.zeros(of_class.scores.size + 1),
        )
        sides.append(side)
    return WeighedTrials(choice=choice, speakers=speakers, _targets=sides[0], _non_targets=sides[1])


def check_and_weigh(
    scores: ArrayLike,
    labels: ArrayLike,
    sides: tuple[ArrayLike, ArrayLike],
    choice: Choice = ONLY_EER,
    *,
    weights: ArrayLike | None = None,
    thresholds: Sequence[float] | None = None,
) -> WeighedTrials:
    """Check trials and the speakers of their enrolment and test sides, and sort them as `weighed_trials` does."""
    scores_, labels_, weights_ = check_trials(scores, labels, weights)
    numbers = check_speakers(labels_, *sides)
    return weighed_trials(scores_, labels_, weights_, *numbers, choice, thresholds=thresholds)


def speaker_draws(speakers: int, *, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield without end how often each of S speakers (S,) is drawn when S are drawn with replacement."""
    if not speakers:
        return
    rng = np.random.default_rng(seed)
    fair = np.full(speakers, 1 / speakers)
    block = min(_MOST_IN_BLOCK, max(1, _BLOCK_BYTES // (8 * speakers)))
    while True:
        # Row by row from one stream: the draws are the same for every block size.
        yield from rng.multinomial(speakers, fair, size=block)


def resample_speakers(
    measure: Callable[[NDArray[np.int64]], T | None],
    *,
    speakers: int,
    resamples: int,
    seed: int,
    most_draws: int | None = None,
) -> tuple[list[T], int]:
    """Return a measure of each resample of speakers, and how many draws were thrown away.

    The measure goes from multiplicities (S,) to a value. A draw without what it needs, for which it is None, is thrown
    away and the next takes its place, so the values are conditional on its being there. After ``most_draws`` draws the
    rest of the values is left out; None draws until there are enough.
    """
    values: list[T] = []
    drawn = 0
    if resamples:
        for multiplicities in islice(speaker_draws(speakers, seed=seed), most_draws):
            drawn += 1
            value = measure(multiplicities)
            if value is not None:
                values.append(value)
            if len(values) == resamples:
                break
    return values, drawn - len(values)


@dataclass(frozen=True, eq=False)
class SpeakerDraws:
    """Trials, and how often each of their speakers occurs in every resample.

    Attributes:
        labels: (T,) bool, True for a target trial.
        enrolment: (T,) speaker of the enrolment side, 0 … S-1.
        test: (T,) likewise of the test side.
        multiplicities: (R, S) how often each speaker was drawn.
        redrawn: how many draws lacked targets or non-targets and were drawn again.
    """

    labels: NDArray[np.bool_]
    enrolment: NDArray[np.intp]
    test: NDArray[np.intp]
    multiplicities: NDArray[np.int16]
    redrawn: int

    @property
    def speakers(self) -> int:
        """How many speakers are drawn from."""
        return self.multiplicities.shape[1]

    def equal_error_rates(self, scores: ArrayLike) -> tuple[float, NDArray[np.float64]]:
        """Return the equal error rate of scores (T,), and that of every draw (R,).

        Raises:
            InputError: scores that are not finite, or not as many as there are trials.
        """
        if np.shape(scores) != self.labels.shape:
            raise InputError(f"expected {self.labels.size} scores, one for each trial, got shape {np.shape(scores)}")
        checked, labels, _ = check_trials(scores, self.labels)
        trials = weighed_trials(checked, labels, None, self.enrolment, self.test, self.speakers)
        estimate = trials.equal_error_rate(np.ones(self.speakers))
        values = [trials.equal_error_rate(row) for row in self.multiplicities]
        # Both classes are in every draw: it was drawn again until they were.
        return float(estimate or 0.0), np.array([value or 0.0 for value in values])


def require_resamples(resamples: int) -> None:
    """Refuse a number of resamples below 1."""
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}; 1000 give a steady 95 % interval")


def draw_speakers(
    labels: ArrayLike,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> SpeakerDraws:
    """Draw the speakers of trials with replacement, ``resamples`` times, for any number of systems on these trials.

    The draws are those of ``bootstrap_speakers`` for the same seed: they depend on the trials and not on any score
    (Bisani & Ney, ICASSP 2004). The arguments are those of ``evaluate``.

    Raises:
        InputError: trials of one class only, labels that contradict the speakers, or no resample.
    """
    require_resamples(resamples)
    _, labels_, _ = check_trials(np.zeros(np.size(labels)), labels)
    enrolment, test, speakers = check_speakers(labels_, enrolment_speakers, test_speakers)
    targets = np.unique(enrolment[labels_])
    pairs = np.unique(np.stack((enrolment[~labels_], test[~labels_])), axis=1)

    def with_both_classes(row: NDArray[np.int64]) -> NDArray[np.int16] | None:
        usable = row[targets].any() and (row[pairs[0]] * row[pairs[1]]).any()
        return row.astype(np.int16) if usable else None

    kept, redrawn = resample_speakers(with_both_classes, speakers=speakers, resamples=resamples, seed=seed)
    return SpeakerDraws(labels_, enrolment, test, np.stack(kept), redrawn)
