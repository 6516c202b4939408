"""Trials through a model: which recordings they need, their embeddings, their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.audio import AUDIO_SUFFIXES
from curvox.corpora import Corpus, TrialList
from curvox.embedder.embedder import Embedder
from curvox.embedder.trial_scores import embed_utterances
from curvox.errors import InputError
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
    points = embed_utterances(model, corpus, names, progress)
    place = {name: i for i, name in enumerate(names)}
    enrolment = np.array([place[str(e)] for e in trials.enrolments])
    test = np.array([place[str(t)] for t in trials.tests])
    scores = score_pairs(model.space, points, enrolment, test, scorer=scorer)
    return ScoredTrials(trials, scores, scorer or default_scorer(model.space), names, points)


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
