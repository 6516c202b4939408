"""Which trials a page shows as the worst: strangers that scored high, speakers that scored low against themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance
from curvox.errors import InputError

_FACTS = ("gender", "language", "channel", "session")


@dataclass(frozen=True)
class TrialSide:
    """One recording of a trial: its id, its speaker, and (label, text) facts that the manifest has of it."""

    utterance: str
    speaker: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class WorstTrial:
    """A trial on the wrong end of the scores.

    Attributes:
        target: whether both sides are of one speaker.
        score: what the system gave it, an LLR where the evaluation has LLRs.
        wrong: whether a decision at the point of equal error rates is wrong.
        enrolment: the one side.
        test: the other.
    """

    target: bool
    score: float
    wrong: bool
    enrolment: TrialSide
    test: TrialSide


def worst_trials(
    trials: TrialList,
    scores: ArrayLike,
    corpus: Corpus,
    *,
    threshold: float,
    count: int = 10,
    enrolments: EnrolmentMap | None = None,
) -> tuple[WorstTrial, ...]:
    """Return the ``count`` highest scoring non-targets, worst first, then the ``count`` lowest scoring targets.

    Two trials of the same two recordings, in either order, are shown once. Ties keep the order of the list.

    Args:
        trials: labelled, T of them.
        scores: (T,) larger for the same speaker.
        corpus: where the labels of the recordings stand.
        threshold: a score of at least this is accepted; says which of the trials are decided wrongly.
        count: of each class.
        enrolments: the models of the trials, where they name models; a model is shown by its first recording.

    Raises:
        InputError: trials without labels, or scores of another number.
    """
    scores_ = np.asarray(scores, dtype=np.float64)
    if trials.labels is None or scores_.shape != (len(trials),):
        raise InputError(f"expected {len(trials)} labelled trials and a score for each, got {scores_.shape}")
    rows = [
        *_first_pairs(trials, np.flatnonzero(~trials.labels), -scores_, count),
        *_first_pairs(trials, np.flatnonzero(trials.labels), scores_, count),
    ]
    return tuple(
        WorstTrial(
            target=bool(trials.labels[row]),
            score=float(scores_[row]),
            wrong=bool(trials.labels[row]) != (float(scores_[row]) >= threshold),
            enrolment=_side(corpus[_shown(trials.enrolments[row], enrolments)]),
            test=_side(corpus[trials.tests[row]]),
        )
        for row in rows
    )


def _first_pairs(trials: TrialList, rows: NDArray[np.intp], key: NDArray[np.float64], count: int) -> Iterator[int]:
    """Yield the rows of the lowest keys, each pair of recordings once."""
    seen: set[frozenset[str]] = set()
    for row in rows[np.argsort(key[rows], kind="stable")].tolist():
        if len(seen) == count:
            return
        pair = frozenset((trials.enrolments[row], trials.tests[row]))
        if pair not in seen:
            seen.add(pair)
            yield row


def _shown(enrolment: str, enrolments: EnrolmentMap | None) -> str:
    return enrolment if enrolments is None else enrolments[enrolment][0]


def _side(utterance: Utterance) -> TrialSide:
    facts = [(name, getattr(utterance, name)) for name in _FACTS]
    if utterance.duration_s is not None:
        facts.append(("duration", f"{utterance.duration_s:.1f} s"))
    return TrialSide(utterance.utterance, utterance.speaker, tuple((name, text) for name, text in facts if text))
