"""Trials through a model: which recordings they need, their embeddings, their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from curvox.audio import AUDIO_SUFFIXES, read_audio
from curvox.corpora import Corpus, TrialList
from curvox.embedder.embedder import Embedder
from curvox.errors import AudioError, InputError
from curvox.metrics import Evaluation, evaluate
from curvox.scoring import default_scorer, score_pairs


@dataclass(frozen=True)
class ScoredTrials:
    """Scores of a trial list, with the embeddings behind them: ``points`` (N, D) of ``utterances`` (N,)."""

    trials: TrialList
    scores: np.ndarray
    scorer: str
    utterances: tuple[str, ...]
    points: np.ndarray


def score_trials(
    model: Embedder,
    corpus: Corpus,
    trials: TrialList,
    *,
    scorer: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoredTrials:
    """Embed each utterance of the trials once and score them.

    Raises:
        CorpusError: a trial names an utterance that the corpus does not have.
        AudioError: recordings cannot be read; all of them are named, nothing is scored.
    """
    trials.check_against(corpus)
    names = tuple(sorted({*map(str, trials.enrolments), *map(str, trials.tests)}))
    points = _embed_utterances(model, corpus, names, progress)
    place = {name: i for i, name in enumerate(names)}
    enrolment = np.array([place[str(e)] for e in trials.enrolments])
    test = np.array([place[str(t)] for t in trials.tests])
    scores = score_pairs(model.space, points, enrolment, test, scorer=scorer)
    return ScoredTrials(trials, scores, scorer or default_scorer(model.space), names, points)


def _embed_utterances(
    model: Embedder, corpus: Corpus, names: tuple[str, ...], progress: Callable[[int, int], None] | None
) -> np.ndarray:
    return model.embed_readers([partial(_read, model, corpus, name) for name in names], progress)


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


def evaluate_scores(
    scored: ScoredTrials, corpus: Corpus, *, group_by: str = "corpus", resamples: int = 1000, seed: int = 0
) -> Evaluation:
    """Return EER and minDCF with intervals by bootstrap over speakers, pooled and per value of a manifest column.

    Args:
        scored: labelled trials and their scores.
        corpus: where the utterances' labels stand.
        group_by: an attribute of `curvox.corpora.Utterance`; a trial belongs to the group that both its sides share.
            No groups are made when all utterances share one value.
        resamples: of the bootstrap; 0 leaves intervals out.
        seed: of the bootstrap.

    Raises:
        InputError: the trials have no labels, or only one class.
    """
    trials = scored.trials
    if trials.labels is None:
        raise InputError("these trials have no labels, so they can be scored but not evaluated")
    enrolments = [corpus[str(e)] for e in trials.enrolments]
    tests = [corpus[str(t)] for t in trials.tests]
    left = np.array([getattr(u, group_by) for u in enrolments])
    right = np.array([getattr(u, group_by) for u in tests])
    values = sorted({*left.tolist(), *right.tolist()})
    return evaluate(
        scored.scores,
        trials.labels,
        enrolment_speakers=np.array([u.speaker for u in enrolments]),
        test_speakers=np.array([u.speaker for u in tests]),
        groups={v or "unnamed": (left == v) & (right == v) for v in values} if len(values) > 1 else None,
        resamples=resamples,
        seed=seed,
    )


def find_recordings(paths: list[Path]) -> list[Path]:
    """Return the audio files that ``paths`` name: files as they are, folders searched at any depth, sorted.

    Raises:
        InputError: a path does not exist, or a folder holds no audio file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
            if not inside:
                raise InputError(f"{path} holds no audio file; expected one of {', '.join(sorted(AUDIO_SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{path} does not exist; expected an audio file or a folder of them")
    return list(dict.fromkeys(found))
