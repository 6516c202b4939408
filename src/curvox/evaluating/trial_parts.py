"""Parts of the trials: those that share the values of a label, and those on the wrong end of the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.corpora import Corpus, EnrolmentMap, TrialList, Utterance, first_recording, trial_columns
from curvox.errors import InputError
from curvox.evaluating.report import TrialSide, WorstTrial
from curvox.metrics import breakdown_masks

SESSION_GAP = "session gap"
DURATION, DURATION_BINS = "duration_s", (2.0, 4.0, 8.0, 16.0)
_FACTS = ("gender", "language", "channel", "session")

By = str | tuple[str, str]
Masks = Mapping[str, NDArray[np.bool_]]


def breakdowns_of(
    trials: TrialList, corpus: Corpus, by: Sequence[By], *, enrolments: EnrolmentMap | None = None
) -> dict[str, Masks]:
    """Return masks of the trials that share the value of a column, for each column or pair of columns.

    A trial whose sides differ in the column has a group for that ("gender: f + m"), except under "corpus", whose
    groups are the values alone. The duration is that of the shorter side, in bins. Under "session gap" every group
    holds all non-target trials, for two speakers have no session in common, and an error rate needs both classes.

    Args:
        trials: T trials, labelled where "session gap" is asked for.
        corpus: where the values stand.
        by: columns as `curvox.corpora.trial_columns` knows them, or pairs of them.
        enrolments: the models of the trials, where they name models.

    Returns:
        By title ("gender", "language × channel"): the masks (T,) by name. Groups without trials are left out.

    Raises:
        UnknownNameError: no such column.
        InputError: a column crossed with itself, or "session gap" of trials without labels.
    """
    made: dict[str, Masks] = {}
    for wanted in by:
        columns = (wanted,) if isinstance(wanted, str) else wanted
        if len(set(columns)) < len(columns):
            raise InputError(f'expected two different columns, got "{columns[0]}" twice')
        parts = [_masks(column, trials, corpus, enrolments) for column in columns]
        if len(parts) == 1:
            # Of one corpus, which nobody asked for, there is nothing to tell apart.
            masks = {} if columns == ("corpus",) and len(parts[0]) == 1 else parts[0]
        else:
            masks = {f"{a} × {b}": parts[0][a] & parts[1][b] for a, b in product(*parts)}
        if masks := {name: mask for name, mask in masks.items() if mask.any()}:
            made[" × ".join(_words(column) for column in columns)] = masks
    return made


def parse_by(text: str) -> By:
    """Return a column or a pair of them from text: "gender", or "language,channel".

    Raises:
        InputError: nothing, or more than two.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts) or len(parts) > 2:
        raise InputError(f'expected a column, or two with a comma between, such as "language,channel"; got "{text}"')
    parts = tuple({"session_gap": SESSION_GAP, "duration": DURATION}.get(part, part) for part in parts)
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _masks(column: str, trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> Masks:
    left, right = trial_columns(corpus, trials, [column], enrolments)[column]
    if column == "corpus":
        left, right = np.array(left), np.array(right)
        values = np.unique(np.concatenate((left, right))).tolist()
        return {value or "unnamed": (left == value) & (right == value) for value in values}
    if column == DURATION:
        left = right = np.minimum(left, right)
    masks = breakdown_masks(_words(column), left, right, edges=DURATION_BINS if column == DURATION else None)
    if column != SESSION_GAP:
        return masks
    if trials.labels is None:
        raise InputError(f'the breakdown by "{SESSION_GAP}" needs labels, and these trials have none')
    return {name: mask | ~trials.labels for name, mask in masks.items() if (mask & trials.labels).any()}


def _words(column: str) -> str:
    for suffix, unit in (("_s", "s"), ("_hz", "Hz")):
        if column.endswith(suffix):
            return f"{column.removesuffix(suffix).replace('_', ' ')} in {unit}"
    return column.replace("_", " ")


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
            enrolment=_side(corpus[first_recording(trials.enrolments[row], enrolments)]),
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


def _side(utterance: Utterance) -> TrialSide:
    facts = {name: text for name in _FACTS if (text := getattr(utterance, name))}
    if utterance.duration_s is not None:
        facts["duration"] = f"{utterance.duration_s:.1f} s"
    return TrialSide(utterance.utterance, utterance.speaker, facts)
