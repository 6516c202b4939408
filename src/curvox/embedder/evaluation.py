"""Scored trials against the labels of a corpus: every figure, pooled and for parts of the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.corpora import Corpus, EnrolmentMap, TrialList, repeated_trials, same_recordings, trial_columns
from curvox.embedder.verification import ScoredTrials
from curvox.errors import InputError
from curvox.metrics import DEFAULT_POINTS, DEFAULT_RATES, Evaluation, OperatingPoint, breakdown_masks, evaluate

SESSION_GAP = "session gap"
DURATION, DURATION_BINS = "duration_s", (2.0, 4.0, 8.0, 16.0)

By = str | tuple[str, str]
Masks = Mapping[str, NDArray[np.bool_]]


def evaluate_scores(
    scored: ScoredTrials, corpus: Corpus, *, by: Sequence[By] = ("corpus",), resamples: int = 1000, seed: int = 0
) -> Evaluation:
    """Return all figures with intervals by bootstrap over speakers, pooled and for parts of the trials.

    Args:
        scored: labelled trials and their scores.
        corpus: where the utterances' labels stand.
        by: manifest columns, or pairs of them, whose values part the trials; see `breakdowns_of`.
        resamples: of the bootstrap; 0 leaves intervals out.
        seed: of the bootstrap.

    Raises:
        InputError: the trials have no labels, or only one class.
    """
    breakdowns = breakdowns_of(scored.trials, corpus, by)
    return evaluate_trials(scored.trials, scored.scores, corpus, breakdowns=breakdowns, resamples=resamples, seed=seed)


def evaluate_trials(
    trials: TrialList,
    scores: ArrayLike,
    corpus: Corpus,
    *,
    enrolments: EnrolmentMap | None = None,
    breakdowns: Mapping[str, Masks] | None = None,
    llrs: bool = False,
    points: Sequence[OperatingPoint] = DEFAULT_POINTS,
    rates: Sequence[float] = DEFAULT_RATES,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Return every figure of scores that came from anywhere.

    Args:
        trials: T labelled trials.
        scores: (T,) larger for the same speaker; natural-log likelihood ratios where ``llrs`` says so.
        corpus: where the utterances' speakers stand.
        enrolments: the models of the trials, where they name models.
        breakdowns: parts of the trials by title and name, as `breakdowns_of` gives them.
        llrs: whether the scores are calibrated; Cllr and actual costs are taken of LLRs only.
        points: operating points of the detection costs.
        rates: error rates at which the other one is stated.
        resamples: of the bootstrap over speakers; 0 leaves intervals out.
        seed: of the bootstrap.

    Raises:
        InputError: trials without labels, or what `curvox.metrics.evaluate` refuses.
    """
    if trials.labels is None:
        raise InputError("these trials have no labels, so they can be scored but not evaluated")
    enrolment_speakers, test_speakers = speakers_of(trials, corpus, enrolments)
    return evaluate(
        scores,
        trials.labels,
        enrolment_speakers=enrolment_speakers,
        test_speakers=test_speakers,
        points=points,
        llrs=llrs,
        rates=rates,
        groups={name: mask for masks in (breakdowns or {}).values() for name, mask in masks.items()} or None,
        same_recording=same_recordings(corpus, trials, enrolments),
        repeated=repeated_trials(trials, enrolments),
        resamples=resamples,
        seed=seed,
    )


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


def speakers_of(
    trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None = None
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return the speakers of both sides, trial by trial; a model's speaker is that of its first recording."""
    enrolled = {name: corpus[first_recording(name, enrolments)].speaker for name in set(trials.enrolments)}
    tested = {name: corpus[name].speaker for name in set(trials.tests)}
    return np.array([enrolled[name] for name in trials.enrolments]), np.array([tested[name] for name in trials.tests])


def first_recording(enrolment: str, enrolments: EnrolmentMap | None) -> str:
    """Return the first utterance of a model, or the utterance itself where trials name utterances."""
    return enrolment if enrolments is None else enrolments[enrolment][0]


def _masks(column: str, trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> Masks:
    left, right = trial_columns(corpus, trials, [column], enrolments)[column]
    if column == "corpus":
        left, right = np.array(left), np.array(right)
        values = np.unique(np.concatenate((left, right))).tolist()
        return {value or "unnamed": (left == value) & (right == value) for value in values}
    if column == DURATION:
        left = right = np.minimum(left, right)
    masks = breakdown_masks({_words(column): (left, right)}, [_words(column)], bins={_words(DURATION): DURATION_BINS})
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
