"""What is known of a corpus once every recording was read: columns of numbers in the order of its utterances."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.audio import ExaminedRecording, ShardStore, examine_recordings, examine_source
from curvox.corpora import CorpusReport, Utterance

Floats = NDArray[np.float32]

_OF_SAMPLES = ("duration_s", "level_db", "dc_offset")
_OF_QUALITY = ("clipped_share", "silence_share", "speech_s", "snr_db", "bandwidth_hz")


@dataclass(frozen=True, eq=False)
class CorpusFacts:
    """N utterances as they were read; a number is NaN, and a count 0, where a recording could not be.

    Attributes:
        utterances: from the manifest.
        errors: why training would refuse an utterance, by its row.
        constant: rows whose samples are all the same.
        digests: of the decoded samples; empty where there are none.
        formats: how many files are of which container and coding.
        sampling_rate_hz, channels: of its file, (N,).
        duration_s: of each, (N,).
        level_db: mean power in dB of full scale, (N,).
        dc_offset: mean of the samples, (N,).
        clipped_share, silence_share, speech_s, snr_db, bandwidth_hz: as `curvox.audio.measure_quality` has them, (N,).
    """

    utterances: tuple[Utterance, ...]
    errors: dict[int, str]
    constant: set[int]
    digests: list[bytes]
    formats: Counter[str]
    sampling_rate_hz: NDArray[np.int32]
    channels: NDArray[np.int32]
    duration_s: Floats
    level_db: Floats
    dc_offset: Floats
    clipped_share: Floats
    silence_share: Floats
    speech_s: Floats
    snr_db: Floats
    bandwidth_hz: Floats

    @classmethod
    def unread(cls, utterances: tuple[Utterance, ...]) -> CorpusFacts:
        """Return what is known before any recording is read."""
        rows = len(utterances)
        floats = {name: np.full(rows, math.nan, dtype=np.float32) for name in (*_OF_SAMPLES, *_OF_QUALITY)}
        whole = np.zeros((2, rows), np.int32)
        return cls(utterances, {}, set(), [b""] * rows, Counter(), whole[0], whole[1], **floats)

    def __len__(self) -> int:
        return len(self.utterances)

    def enter(self, rows: list[int], found: ExaminedRecording) -> None:
        """Enter a file, and the stretches of it that are these rows."""
        if found.info is not None:
            self.formats[found.info.format] += 1
            self.sampling_rate_hz[rows], self.channels[rows] = found.info.sampling_rate_hz, found.info.channels
        for row, stretch in zip(rows, found.stretches, strict=True):
            if stretch.error:
                self.errors[row] = stretch.error
            if stretch.silent:
                self.constant.add(row)
            self.digests[row] = stretch.digest
            for name in _OF_SAMPLES:
                getattr(self, name)[row] = getattr(stretch, name)
            for name in _OF_QUALITY if stretch.quality is not None else ():
                getattr(self, name)[row] = getattr(stretch.quality, name)


def measure_corpus(
    report: CorpusReport, *, threads: int | None = None, progress: Callable[[int, int], None] | None = None
) -> CorpusFacts:
    """Read every recording of a corpus that was checked, each file once; recordings that are missing are left out.

    ``threads`` and ``progress`` are those of `curvox.diagnosis.examine_corpus`.
    """
    facts = CorpusFacts.unread(report.found)
    threads = min(16, os.cpu_count() or 1) if threads is None else threads
    if report.format == "shards":
        for row, found in enumerate(examine_source(ShardStore(report.root), threads=threads, progress=progress)):
            facts.enter([row], found)
        return facts
    rows: dict[str, list[int]] = defaultdict(list)
    for row, utterance in enumerate(report.found):
        rows[utterance.path].append(row)
    segments = [[(report.found[row].start_s, report.found[row].segment_s) for row in own] for own in rows.values()]
    paths = [f"{report.root}/{path}" for path in rows]
    recordings = examine_recordings(paths, segments, threads=threads, progress=progress)
    for own, found in zip(rows.values(), recordings, strict=True):
        facts.enter(own, found)
    return facts
