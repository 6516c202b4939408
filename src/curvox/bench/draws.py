"""Speakers drawn once for all runs of a bench, and the equal error rate of a run on every draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.figures import Choice
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.metrics.resamples import weighed_trials

_ONLY_EER = Choice(points=(), rates=())
# Draws taken together: multiplicities of about this many bytes.
_BLOCK_BYTES = 1 << 24


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
    """Draw the speakers of trials with replacement, ``resamples`` times, as `curvox.metrics.bootstrap_speakers` does.

    The draws are the very same ones, for the same seed: they depend on the trials and not on any score, so that all
    runs of a bench are resampled alike and may be compared draw by draw (Bisani & Ney, ICASSP 2004).

    Args:
        labels: (T,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (T,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        resamples: how many draws, at least 2.
        seed: of the draws.

    Raises:
        InputError: trials of one class only, labels that contradict the speakers, or fewer than 2 resamples.
    """
    if resamples < 2:
        raise InputError(f"resamples must be at least 2, got {resamples}; 1000 give a steady 95 % interval")
    _, labels_, _ = check_trials(np.zeros(np.size(labels)), labels)
    enrolment, test, speakers = check_speakers(labels_, enrolment_speakers, test_speakers)
    targets = np.unique(enrolment[labels_])
    pairs = np.unique(np.stack((enrolment[~labels_], test[~labels_])), axis=1)
    rng = np.random.default_rng(seed)
    fair = np.full(speakers, 1 / speakers)
    block = max(1, _BLOCK_BYTES // (8 * speakers))
    kept: list[NDArray[np.int16]] = []
    redrawn = 0
    while len(kept) < resamples:
        # Row by row from one stream: the draws are the same for every block size.
        for row in rng.multinomial(speakers, fair, size=min(block, resamples - len(kept))):
            if row[targets].any() and (row[pairs[0]] * row[pairs[1]]).any():
                kept.append(row.astype(np.int16))
            else:
                redrawn += 1
    return SpeakerDraws(labels_, enrolment, test, np.stack(kept), redrawn)
