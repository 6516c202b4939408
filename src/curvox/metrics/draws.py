"""The bootstrap over speakers: how often each is drawn, and any measure on the same draws.

Trials are not independent: one hard speaker spoils all of its trials at once. What is drawn with replacement is
therefore the speaker, and every trial or pair follows from its speakers. All draws of curvox are made here, from one
stream of random numbers for each seed, so that whatever is measured on the same speakers with the same seed is
resampled alike and may be compared draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.figures import Choice
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.metrics.resamples import weighed_trials

# Draws taken together: multiplicities of about this many bytes, and no more of them than are wanted as a rule.
_BLOCK_BYTES = 1 << 24
_MOST_IN_BLOCK = 1024
_ONLY_EER = Choice(points=(), rates=())

T = TypeVar("T")


def speaker_draws(speakers: int, *, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield without end how often each speaker (S,) is drawn when as many as there are are drawn with replacement.

    Args:
        speakers: S; without any there are no draws.
        seed: of the draws.
    """
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

    A draw without what the measure needs, for which it is None, is thrown away and the next takes its place, so the
    values are conditional on its being there.

    Args:
        measure: from multiplicities (S,) to a value, or None.
        speakers: S.
        resamples: R, how many values.
        seed: of the draws.
        most_draws: after as many draws the rest of the values is left out; None draws until there are enough.
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
        trials = weighed_trials(checked, labels, None, self.enrolment, self.test, self.speakers, _ONLY_EER)
        estimate = trials.equal_error_rate(np.ones(self.speakers))
        values = [trials.equal_error_rate(row) for row in self.multiplicities]
        # Both classes are in every draw: it was drawn again until they were.
        return float(estimate or 0.0), np.array([value or 0.0 for value in values])


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
    (Bisani & Ney, ICASSP 2004).

    Args:
        labels: (T,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (T,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        resamples: how many draws, at least 1.
        seed: of the draws.

    Raises:
        InputError: trials of one class only, labels that contradict the speakers, or no resample.
    """
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}; 1000 give a steady 95 % interval")
    _, labels_, _ = check_trials(np.zeros(np.size(labels)), labels)
    enrolment, test, speakers = check_speakers(labels_, enrolment_speakers, test_speakers)
    targets = np.unique(enrolment[labels_])
    pairs = np.unique(np.stack((enrolment[~labels_], test[~labels_])), axis=1)

    def with_both_classes(row: NDArray[np.int64]) -> NDArray[np.int16] | None:
        usable = row[targets].any() and (row[pairs[0]] * row[pairs[1]]).any()
        return row.astype(np.int16) if usable else None

    kept, redrawn = resample_speakers(with_both_classes, speakers=speakers, resamples=resamples, seed=seed)
    return SpeakerDraws(labels_, enrolment, test, np.stack(kept), redrawn)
