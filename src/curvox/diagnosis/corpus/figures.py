"""What is drawn and counted of a corpus: histograms by split, and how recordings are shared out among speakers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Utterance
from curvox.diagnosis.corpus.facts import CorpusFacts

BINS = 40
MOST_POINTS = 400
QUIETEST_DB = -80.0
_SHORTEST_S, _LONGEST_S = 0.1, 36_000.0


@dataclass(frozen=True, eq=False)
class CorpusHistogram:
    """How many recordings of each split lie in each bin: ``counts`` are (bins,) by split, ``edges`` (bins + 1,)."""

    edges: NDArray[np.float64]
    counts: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class SplitBalance:
    """How the utterances of a split are shared out among its speakers.

    Attributes:
        split: its name, "" in a corpus without splits.
        speakers, utterances, sessions: their numbers; sessions None where one is not named.
        duration_s: of all utterances that could be read; None where the manifest is asked and does not tell all.
        fewest, median, most: utterances of a speaker.
        least_s, median_s, most_s: seconds of a speaker; None where a duration is unknown.
        one_utterance, one_session: speakers with a single one; one_session None where sessions are unknown.
        shares: (points,) utterances of speakers from the one with most on, thinned evenly to at most 400 points.
    """

    split: str
    speakers: int
    utterances: int
    sessions: int | None
    duration_s: float | None
    fewest: int
    median: float
    most: int
    least_s: float | None
    median_s: float | None
    most_s: float | None
    one_utterance: int
    one_session: int | None
    shares: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CorpusFigures:
    """What a page shows of a corpus; the histograms are None without a look at the audio.

    Attributes:
        balances: one for each split.
        rates_hz, channels, formats: how many files, or utterances of files, have which.
        durations_s, levels_db, silence, clipping: histograms; silence in shares, clipping in shares of those that have
            any, on logarithmic edges as the durations.
        unclipped: utterances in which nothing is clipped.
    """

    balances: tuple[SplitBalance, ...]
    rates_hz: Mapping[int, int]
    channels: Mapping[int, int]
    formats: Mapping[str, int]
    durations_s: CorpusHistogram | None = None
    levels_db: CorpusHistogram | None = None
    silence: CorpusHistogram | None = None
    clipping: CorpusHistogram | None = None
    unclipped: int = 0


def corpus_figures(utterances: tuple[Utterance, ...], facts: CorpusFacts | None) -> CorpusFigures:
    """Count and sort; durations are those of the recordings, or without facts those of the manifest."""
    if facts is None:
        lengths_s = np.array([np.nan if u.duration_s is None else u.duration_s for u in utterances])
        return CorpusFigures(_balances(utterances, lengths_s), {}, {}, {})
    splits = np.array([u.split for u in utterances], dtype=object)
    known_s = facts.duration_s[np.isfinite(facts.duration_s)].astype(np.float64)
    low, high = max(_SHORTEST_S, known_s.min(initial=_LONGEST_S)), min(_LONGEST_S, known_s.max(initial=0.0))
    clipped = np.where(facts.clipped_share > 0, facts.clipped_share, np.nan)
    return CorpusFigures(
        balances=_balances(utterances, np.nan_to_num(facts.duration_s)),
        rates_hz=_counted(facts.sampling_rate_hz),
        channels=_counted(facts.channels),
        formats=dict(facts.formats.most_common()),
        durations_s=_histogram(facts.duration_s, splits, np.geomspace(low / 1.05, max(high, low) * 1.05, BINS + 1)),
        levels_db=_histogram(np.maximum(facts.level_db, QUIETEST_DB), splits, np.linspace(QUIETEST_DB, 0, BINS + 1)),
        silence=_histogram(facts.silence_share, splits, np.linspace(0, 1, BINS + 1)),
        clipping=_histogram(clipped, splits, np.geomspace(1e-6, 1, BINS + 1)),
        unclipped=int((facts.clipped_share == 0).sum()),
    )


def _counted(values: NDArray[np.int32]) -> dict[int, int]:
    found, counts = np.unique(values[values > 0], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _histogram(values: NDArray, splits: NDArray, edges: NDArray[np.float64]) -> CorpusHistogram | None:
    """What lies outside the edges is counted in the bin beside it."""
    known = np.isfinite(values)
    if not known.any():
        return None
    inside = np.clip(values.astype(np.float64), edges[0], edges[-1])
    counts = {
        split: np.histogram(inside[known & (splits == split)], edges)[0].astype(np.int64)
        for split in sorted(set(splits.tolist()))
    }
    return CorpusHistogram(edges, counts)


def _balances(utterances: Iterable[Utterance], lengths_s: NDArray) -> tuple[SplitBalance, ...]:
    rows: dict[str, list[tuple[Utterance, float]]] = defaultdict(list)
    for utterance, length_s in zip(utterances, lengths_s.tolist(), strict=True):
        rows[utterance.split].append((utterance, length_s))
    return tuple(_balance(split, rows[split]) for split in sorted(rows))


def _balance(split: str, rows: list[tuple[Utterance, float]]) -> SplitBalance:
    counts: Counter[str] = Counter(u.speaker for u, _ in rows)
    seconds: dict[str, float] = defaultdict(float)
    for utterance, length_s in rows:
        seconds[utterance.speaker] += length_s
    # Every session of a speaker once.
    sessions = Counter(speaker for speaker, _ in {(u.speaker, u.session) for u, _ in rows})
    known = all(utterance.session for utterance, _ in rows)
    sizes = np.sort(np.array(list(counts.values()), dtype=np.int64))[::-1]
    lengths_s = np.array(list(seconds.values()))
    timed = bool(np.isfinite(lengths_s).all())
    shown = np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_POINTS)).round().astype(np.int64))
    return SplitBalance(
        split=split,
        speakers=len(counts),
        utterances=len(rows),
        sessions=sessions.total() if known else None,
        duration_s=float(lengths_s.sum()) if timed else None,
        fewest=int(sizes[-1]),
        median=float(np.median(sizes)),
        most=int(sizes[0]),
        least_s=float(lengths_s.min()) if timed else None,
        median_s=float(np.median(lengths_s)) if timed else None,
        most_s=float(lengths_s.max()) if timed else None,
        one_utterance=int((sizes == 1).sum()),
        one_session=sum(number == 1 for number in sessions.values()) if known else None,
        shares=sizes[shown],
    )
