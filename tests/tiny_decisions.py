"""Decision cards for tests: from scores that are drawn, and of the tiny model."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from curvox.audio import RecordingQuality
from curvox.corpora import Corpus, TrialList, Utterance, read_corpus
from curvox.embedder import CalibratedScoring, CardSettings, EmbeddedRecordings, Embedder, fit_card
from curvox.geometry import Euclidean
from curvox.scoring import create_back_end

FINGERPRINT = "0" * 64


class FixedScores:
    """A back end whose scores of a list's trials are given."""

    def __init__(self, scores: np.ndarray) -> None:
        self.given = scores

    def scores(self, points: Any, enrolment_index: Any, test_index: Any) -> np.ndarray:
        return self.given

    def describe(self) -> dict[str, Any]:
        return {"name": "plain", "scorer": "euclidean"}

    def state(self) -> dict[str, np.ndarray]:
        return {}


def quality_of(seconds: float = 4.0, **changes: float) -> RecordingQuality:
    values: dict[str, Any] = {
        "duration_s": seconds,
        "speech_s": 0.7 * seconds,
        "silence_share": 0.3,
        "snr_db": 30.0,
        "bandwidth_hz": 8000.0,
        "clipped_share": 0.0,
        "sampling_rate_hz": 16000,
    }
    return RecordingQuality(**{**values, **changes})


def drawn_trials(
    speakers: int = 24, each: int = 3, *, separation: float = 2.0, seed: int = 0
) -> tuple[Corpus, TrialList, np.ndarray, EmbeddedRecordings]:
    """Return a corpus without recordings, all its trials, scores with a speaker's own ease, and measures."""
    rng = np.random.default_rng(seed)
    utterances = tuple(
        Utterance(utterance=f"u{s:03}-{i}", path=f"{s}/{i}.wav", speaker=f"s{s:03}", channel=("phone", "")[i % 2])
        for s in range(speakers)
        for i in range(each)
    )
    pairs = list(combinations(range(len(utterances)), 2))
    labels = np.array([utterances[a].speaker == utterances[b].speaker for a, b in pairs])
    enrolments, tests = zip(*((utterances[a].utterance, utterances[b].utterance) for a, b in pairs), strict=True)
    ease = 0.3 * rng.normal(size=speakers)
    own = np.array([ease[a // each] + ease[b // each] for a, b in pairs])
    scores = 0.1 * (separation * (labels - 0.5) + rng.normal(size=len(pairs)) + own) + 0.4
    qualities = tuple(quality_of(float(seconds)) for seconds in rng.uniform(2, 8, size=len(utterances)))
    recordings = EmbeddedRecordings(
        np.zeros((len(utterances), 2), np.float32), rng.uniform(1, 2, len(utterances)), qualities
    )
    return Corpus(Path(), utterances, "drawn"), TrialList(enrolments, tests, labels, "drawn.txt"), scores, recordings


def drawn_card(
    *,
    settings: CardSettings | None = None,
    training_speakers: set[str] | None = frozenset(),  # pyright: ignore
    **options: Any,
) -> CalibratedScoring:
    """Return a card fitted to `drawn_trials`."""
    corpus, trials, scores, recordings = drawn_trials(**options)
    return fit_card(
        Euclidean(),
        FINGERPRINT,
        corpus,
        trials,
        recordings,
        FixedScores(scores),  # pyright: ignore
        training_speakers=training_speakers,
        date="2026-01-31",
        settings=settings or CardSettings(resamples=20),
    )


def all_trials(voices: Path) -> TrialList:
    """Return every pair of utterances of the synthetic voices."""
    corpus = read_corpus(voices)
    pairs = list(combinations(corpus.utterances, 2))
    labels = np.array([a.speaker == b.speaker for a, b in pairs])
    return TrialList(
        tuple(a.utterance for a, _ in pairs), tuple(b.utterance for _, b in pairs), labels, "all-voices.txt"
    )


def calibrate_model(model: Embedder, voices: Path, **settings: Any) -> CalibratedScoring:
    """Fit a card of the tiny model to all pairs of the synthetic voices."""
    corpus, trials = read_corpus(voices), all_trials(voices)
    recordings = model.embed_utterances(corpus, trials.utterances, measure=True)
    return fit_card(
        model.space,
        FINGERPRINT,
        corpus,
        trials,
        recordings,
        create_back_end("plain").fit(model.space),
        training_speakers=None,
        date="2026-01-31",
        settings=CardSettings(resamples=20, **settings),
    )
