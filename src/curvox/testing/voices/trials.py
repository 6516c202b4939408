"""Drawing verification trials over a synthetic corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curvox.testing.voices.speaker import Row


def draw_trials(
    rng: np.random.Generator, rows: Sequence[Row], *, targets: int, non_targets: int
) -> list[tuple[int, str, str]]:
    """Return shuffled ``(label, enrolment, test)``, label 1 for the same speaker, no pair twice.

    Target trials cross sessions. Of the non-target trials 45 % share gender and accent group, 40 % the gender only,
    15 % differ in gender. Fewer are returned where the utterances do not allow as many.
    """
    first, second = np.triu_indices(len(rows), 1)

    def shared(attribute: str) -> np.ndarray:
        _, codes = np.unique([getattr(row, attribute) for row in rows], return_inverse=True)
        return codes[first] == codes[second]

    speaker, gender, accent = shared("speaker"), shared("gender"), shared("native_language")
    wanted = (
        (1, speaker & ~shared("session"), targets),
        (0, ~speaker & gender & accent, round(0.45 * non_targets)),
        (0, ~speaker & gender & ~accent, round(0.40 * non_targets)),
        (0, ~speaker & ~gender, non_targets - round(0.45 * non_targets) - round(0.40 * non_targets)),
    )
    trials: list[tuple[int, str, str]] = []
    for label, allowed, count in wanted:
        (pairs,) = np.nonzero(allowed)
        for pair in rng.permutation(pairs)[:count]:
            enrolment, test = rows[int(first[pair])], rows[int(second[pair])]
            if rng.integers(2):
                enrolment, test = test, enrolment
            trials.append((label, enrolment.utterance, test.utterance))
    return [trials[i] for i in rng.permutation(len(trials))]
