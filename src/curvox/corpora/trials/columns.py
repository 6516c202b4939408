"""Find the labels of a corpus on the two sides of each trial, as columns for breakdowns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from curvox.corpora.corpus import COLUMNS, Corpus, Utterance
from curvox.corpora.trials.trial_list import EnrolmentMap, TrialList, enrolled_parts
from curvox.errors import require_name

SESSION_GAP = "session gap"
SECONDS = ("duration_s", "start_s", "segment_s")

T = TypeVar("T")
Sides = tuple[list[str], list[str]] | tuple[np.ndarray, np.ndarray]
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
        trials: checked against the corpus, see :meth:`TrialList.check_against`.

    Raises:
        UnknownNameError: there is no such column (with the nearest names), or an id is unknown.
    """
    parts = enrolled_parts(trials, enrolments)
    enrolled = {name: tuple(corpus[u] for u in utterances) for name, utterances in parts.items()}
    tests = {name: (corpus[name],) for name in set(trials.tests)}
    further = sorted({name for u in corpus.utterances for name in u.extra} - set(COLUMNS))
    own_columns = [name for name in trials.columns if name not in COLUMNS and name not in further]
    found: dict[str, Sides] = {}
    for name in names:
        require_name(name, [*COLUMNS, SESSION_GAP, *further, *own_columns], "column of a trial")
        if name == SESSION_GAP:
            gaps = _session_gaps(trials, enrolled, tests)
            found[name] = gaps, gaps
        elif name in own_columns:
            found[name] = list(trials.columns[name]), list(trials.columns[name])
        elif name in SECONDS:
            left, right = _of_sides(trials, enrolled, tests, lambda own, name=name: _seconds(own, name))
            found[name] = np.array(left, dtype=np.float64), np.array(right, dtype=np.float64)
        else:
            found[name] = _of_sides(trials, enrolled, tests, lambda own, name=name: _text(own, name))
    return found


def _of_sides(
    trials: TrialList, enrolled: Parts, tests: Parts, value: Callable[[tuple[Utterance, ...]], T]
) -> tuple[list[T], list[T]]:
    """Return a value of the utterances on each side of each trial; every id is looked at once."""
    left, right = ({name: value(own) for name, own in side.items()} for side in (enrolled, tests))
    return [left[name] for name in trials.enrolments], [right[name] for name in trials.tests]


def _seconds(own: tuple[Utterance, ...], name: str) -> float:
    values = [getattr(u, name) for u in own]
    if None in values or (name != "duration_s" and len(set(values)) > 1):
        return float("nan")
    return float(sum(values) if name == "duration_s" else values[0])


def _text(own: tuple[Utterance, ...], name: str) -> str:
    found = {getattr(u, name) if name in COLUMNS else u.extra.get(name) for u in own}
    values = {"" if value is None else str(value) for value in found}
    return " + ".join(value or "unknown" for value in sorted(values)) if len(values) > 1 else min(values)


def _session_gaps(trials: TrialList, enrolled: Parts, tests: Parts) -> list[str]:
    heard = {name: frozenset((u.speaker, u.session) for u in own) for name, own in enrolled.items()}
    vague = {name for name, own in enrolled.items() if any(not u.session for u in own)}
    asked = {name: (own[0].speaker, own[0].session) for name, own in tests.items()}
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
    """Return whether the test was cut from a recording of the enrolment: bool (trials,)."""
    parts = enrolled_parts(trials, enrolments)
    paths = {name: frozenset(corpus[u].path for u in utterances) for name, utterances in parts.items()}
    path = {name: corpus[name].path for name in set(trials.tests)}
    pairs = zip(trials.enrolments, trials.tests, strict=True)
    return np.array([path[test] in paths[enrolment] for enrolment, test in pairs], dtype=bool)


def repeated_trials(trials: TrialList, enrolments: EnrolmentMap | None = None) -> np.ndarray:
    """Return whether a trial compares what an earlier one compared, its sides swapped or not: bool (trials,).

    A model of one utterance is that utterance, and models of the same utterances are the same.
    """
    number: dict[tuple[str, ...], int] = {}
    parts = {name: tuple(sorted(own)) for name, own in enrolled_parts(trials, enrolments).items()}
    enrolled = {name: number.setdefault(own, len(number)) for name, own in parts.items()}
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
