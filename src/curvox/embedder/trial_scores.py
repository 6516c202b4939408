"""Embeddings of the recordings that trials name, once for any number of lists, and their scores by any back end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from curvox.audio import read_audio
from curvox.corpora import Corpus, TrialPlan
from curvox.embedder.embedder import Embedder
from curvox.embedder.recordings import MeasuredRecordings, embed_and_measure
from curvox.errors import AudioError, InputError
from curvox.geometry import AbstractSpace
from curvox.scoring import SCORE_MEAN, AbstractFittedBackEnd, average_scores, enrol, recording_trials


def embed_utterances(
    model: Embedder,
    corpus: Corpus,
    utterances: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the embeddings (N, D) of utterances of a corpus, in their order.

    Raises:
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    return model.embed_readers([partial(_read, model, corpus, name) for name in utterances], progress)


def measure_utterances(
    model: Embedder,
    corpus: Corpus,
    utterances: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredRecordings:
    """Return embeddings and measures of utterances of a corpus, in their order, for a quality-aware calibration.

    Raises:
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    return embed_and_measure(model, [partial(_read, model, corpus, name) for name in utterances], progress)


def score_plan(
    back_end: AbstractFittedBackEnd,
    space: AbstractSpace,
    points: NDArray[np.floating],
    plan: TrialPlan,
    *,
    enrol_with: str | None = None,
) -> NDArray[np.float64]:
    """Return the score of every trial of a plan.

    Args:
        back_end: fitted to the space.
        space: where the points live.
        points: (N, D), the embedding of each of ``plan.utterances``.
        plan: which rows each trial compares.
        enrol_with: how a model of several recordings becomes one point, a name in `curvox.scoring.ENROLMENTS`, or
            "score_mean" for the mean of the scores of its recordings; not needed where every model has one.

    Raises:
        InputError: a model of several recordings without ``enrol_with``, and what the back end refuses.
    """
    if all(len(rows) == 1 for rows in plan.rows):
        first = np.array([rows[0] for rows in plan.rows], dtype=np.int64)
        return back_end.scores(points, first[plan.enrolment_index], plan.test_index)
    if enrol_with is None:
        several = sum(len(rows) > 1 for rows in plan.rows)
        raise InputError(
            f"{several} of {len(plan.rows)} models are made of several recordings; say how they become one, such as "
            f"spherical_mean or {SCORE_MEAN}"
        )
    if enrol_with == SCORE_MEAN:
        trials = recording_trials(plan.rows, plan.enrolment_index, plan.test_index)
        return average_scores(back_end.scores(points, trials.enrolment_index, trials.test_index), trials)
    models = enrol(space, points, plan.rows, way=enrol_with)
    return back_end.scores(
        np.concatenate((points.astype(np.float64), models)), len(points) + plan.enrolment_index, plan.test_index
    )


def _read(model: Embedder, corpus: Corpus, name: str) -> np.ndarray:
    utterance = corpus[name]
    try:
        return read_audio(
            corpus.path_of(utterance),
            sampling_rate_hz=model.sampling_rate_hz,
            start_s=utterance.start_s,
            duration_s=utterance.segment_s,
        )
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from error
