"""What the labels of a corpus say about the two sides of each trial: the columns a breakdown goes by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from curvox.corpora.corpus import COLUMNS, Corpus, Utterance
from curvox.corpora.enrolments import EnrolmentMap
from curvox.corpora.trials import TrialList
from curvox.errors import require_name

SESSION_GAP = "session gap"
SECONDS = ("duration_s", "start_s", "segment_s")

Sides = tuple[list[str], list[str]] | tuple[np.ndarray, np.ndarray]
T = TypeVar("T")
Parts = Mapping[str, tuple[Utterance, ...]]


def trial_columns(
    corpus: Corpus, trials: TrialList, names: Iterable[str], enrolments: EnrolmentMap | None = None
) -> dict[str, Sides]:
    """Return the values of the enrolment side and of the test side of each trial, for each column.

    A column is a column of the corpus (``gender``, ``language``, ``channel``, ``duration_s``, …), a further one of its
    manifest, a column of the trial list itself, or "session gap". Columns of seconds are float64 (trials,) with NaN for
    unknown; all others are lists of texts, '' for unknown. A model of several utterances has the sum of their
    durations. Where they differ in another column it has their values joined by " + ", or NaN where that is a number.

    "session gap" is the same on both sides: "same" where the test was recorded in a session of the enrolment, "other"
    where it was not, "unknown" where a session is not known. Sessions are those of one speaker, so a non-target trial
    is never "same".

    Args:
        corpus: where the labels of the utterances stand.
        trials: checked against the corpus, see :meth:`TrialList.check_against`.
        names: the columns wanted.
        enrolments: the models of the trials, where they name models.

    Raises:
        UnknownNameError: there is no such column (with the nearest names), or an id is unknown.
    """
    enrolled: dict[str, tuple[Utterance, ...]] = {
        name: tuple(corpus[u] for u in ((name,) if enrolments is None else enrolments[name]))
        for name in set(trials.enrolments)
    }
    tests = {name: (corpus[name],) for name in set(trials.tests)}
    further = sorted({name for u in corpus.utterances for name in u.extra} - set(COLUMNS))
    own_columns = [name for name in trials.columns if name not in COLUMNS and name not in further]
    known = [*COLUMNS, SESSION_GAP, *further, *own_columns]
    found: dict[str, Sides] = {}
    for name in names:
        require_name(name, known, "column of a trial")
        if name == SESSION_GAP:
            gaps = _session_gaps(trials, enrolled, tests)
            found[name] = gaps, gaps
        elif name in own_columns:
            found[name] = list(trials.columns[name]), list(trials.columns[name])
        else:
            found[name] = _sides(trials, enrolled, tests, name)
    return found


def _sides(trials: TrialList, enrolled: Parts, tests: Parts, name: str) -> Sides:
    if name in SECONDS:
        left, right = _each(enrolled, _seconds(name)), _each(tests, _seconds(name))
        return (
            np.array([left[i] for i in trials.enrolments], dtype=np.float64),
            np.array([right[i] for i in trials.tests], dtype=np.float64),
        )
    texts = _each(enrolled, _texts(name)), _each(tests, _texts(name))
    return [texts[0][i] for i in trials.enrolments], [texts[1][i] for i in trials.tests]


def _each(parts: Parts, value: Callable[[tuple[Utterance, ...]], T]) -> dict[str, T]:
    return {name: value(own) for name, own in parts.items()}


def _seconds(name: str) -> Callable[[tuple[Utterance, ...]], float]:
    def seconds(own: tuple[Utterance, ...]) -> float:
        values = [getattr(u, name) for u in own]
        if None in values or (name != "duration_s" and len(set(values)) > 1):
            return float("nan")
        return float(sum(values) if name == "duration_s" else values[0])

    return seconds


def _texts(name: str) -> Callable[[tuple[Utterance, ...]], str]:
    def joined(own: tuple[Utterance, ...]) -> str:
        values = {str(value) if value is not None else "" for u in own for value in [_value(u, name)]}
        return " + ".join(value or "unknown" for value in sorted(values)) if len(values) > 1 else min(values)

    return joined


def _value(utterance: Utterance, name: str) -> str | int | float | None:
    return getattr(utterance, name) if name in COLUMNS else utterance.extra.get(name)


def _session_gaps(trials: TrialList, enrolled: Parts, tests: Parts) -> list[str]:
    heard = _each(enrolled, lambda own: frozenset((u.speaker, u.session) for u in own))
    vague = {name for name, own in enrolled.items() if any(not u.session for u in own)}
    asked = _each(tests, lambda own: (own[0].speaker, own[0].session))
    gaps: list[str] = []
    for enrolment, test in zip(trials.enrolments, trials.tests, strict=True):
        session = asked[test]
        if not session[1]:
            gaps.append("unknown")
        elif session in heard[enrolment]:
            gaps.append("same")
        else:
            gaps.append("unknown" if enrolment in vague else "other")
    return gaps


def same_recordings(corpus: Corpus, trials: TrialList, enrolments: EnrolmentMap | None = None) -> np.ndarray:
    """Return whether the test was cut from a recording of the enrolment: bool (trials,).

    Raises:
        UnknownNameError: an id is unknown.
    """
    paths = {
        name: frozenset(corpus[u].path for u in ((name,) if enrolments is None else enrolments[name]))
        for name in set(trials.enrolments)
    }
    path = {name: corpus[name].path for name in set(trials.tests)}
    pairs = zip(trials.enrolments, trials.tests, strict=True)
    return np.array([path[test] in paths[enrolment] for enrolment, test in pairs], dtype=bool)


def repeated_trials(trials: TrialList, enrolments: EnrolmentMap | None = None) -> np.ndarray:
    """Return whether a trial compares what an earlier one compared, its sides swapped or not: bool (trials,).

    Args:
        trials: the trials.
        enrolments: the models of the trials, where they name models. A model of one utterance is that utterance;
            models of the same utterances are the same.
    """

    def parts(name: str) -> tuple[str, ...]:
        return (name,) if enrolments is None else tuple(sorted(enrolments[name]))

    number: dict[tuple[str, ...], int] = {}
    enrolled = {name: number.setdefault(parts(name), len(number)) for name in set(trials.enrolments)}
    tests = {name: number.setdefault((name,), len(number)) for name in set(trials.tests)}
    sides = (
        np.array([enrolled[name] for name in trials.enrolments], dtype=np.int64),
        np.array([tests[name] for name in trials.tests], dtype=np.int64),
    )
    pairs = np.minimum(*sides) * len(number) + np.maximum(*sides)
    repeated = np.ones(len(pairs), dtype=bool)
    repeated[np.unique(pairs, return_index=True)[1]] = False
    return repeated


def speakers_of(
    trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the speakers of both sides, trial by trial; a model's speaker is that of its first recording."""
    enrolled = {name: corpus[first_recording(name, enrolments)].speaker for name in set(trials.enrolments)}
    tested = {name: corpus[name].speaker for name in set(trials.tests)}
    return np.array([enrolled[name] for name in trials.enrolments]), np.array([tested[name] for name in trials.tests])


def first_recording(enrolment: str, enrolments: EnrolmentMap | None) -> str:
    """Return the first utterance of a model, or the utterance itself where trials name utterances."""
    return enrolment if enrolments is None else enrolments[enrolment][0]
