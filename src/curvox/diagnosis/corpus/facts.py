"""What is known of a corpus once every recording was read: columns of numbers in the order of its utterances."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.audio import ExaminedRecording, ExaminedStretch, ShardStore, examine_recordings, examine_source
from curvox.corpora import CorpusReport, Utterance

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CorpusFacts:
    """N utterances as they were read; a number is NaN, and a count 0, where a recording could not be.

    Attributes:
        utterances: from the manifest.
        errors: why training would refuse an utterance, by its row.
        constant: rows whose samples are all the same.
        duration_s: of each, (N,).
        sampling_rate_hz, channels: of its file, (N,).
        level_db: mean power in dB of full scale, (N,).
        dc_offset: mean of the samples, (N,).
        clipped_share, silence_share, speech_s, snr_db, bandwidth_hz: as `curvox.audio.measure_quality` has them, (N,).
        digests: of the decoded samples; empty where there are none.
        formats: how many files are of which container and coding.
    """

    utterances: tuple[Utterance, ...]
    errors: Mapping[int, str]
    constant: frozenset[int]
    duration_s: Floats
    sampling_rate_hz: NDArray[np.int32]
    channels: NDArray[np.int32]
    level_db: Floats
    dc_offset: Floats
    clipped_share: Floats
    silence_share: Floats
    speech_s: Floats
    snr_db: Floats
    bandwidth_hz: Floats
    digests: tuple[bytes, ...]
    formats: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.utterances)


def measure_corpus(
    report: CorpusReport, *, threads: int | None = None, progress: Callable[[int, int], None] | None = None
) -> CorpusFacts:
    """Read every recording of a corpus that was checked, each file once.

    Args:
        report: what `check_corpus` found; recordings that are missing are left out.
        threads: how many files are decoded at a time; default as many as there are processors, at most 16.
        progress: called with (files read, files in all).
    """
    columns = _Columns(len(report.found))
    threads = min(16, os.cpu_count() or 1) if threads is None else threads
    if report.format == "shards":
        for row, found in enumerate(examine_source(ShardStore(report.root), threads=threads, progress=progress)):
            columns.take([row], found)
        return columns.facts(report.found)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, utterance in enumerate(report.found):
        rows[utterance.path].append(row)
    whole = ((0.0, None),)
    segments = [
        whole if len(own) == 1 and _is_whole(report.found[own[0]])
        else tuple((report.found[row].start_s, report.found[row].segment_s) for row in own)
        for own in rows.values()
    ]  # fmt: skip
    paths = [f"{report.root}/{path}" for path in rows]
    for own, found in zip(
        rows.values(), examine_recordings(paths, segments, threads=threads, progress=progress), strict=True
    ):
        columns.take(own, found)
    return columns.facts(report.found)


def _is_whole(utterance: Utterance) -> bool:
    return utterance.start_s == 0 and utterance.segment_s is None


class _Columns:
    """The columns while they are filled."""

    _NAMES = (
        "duration_s", "level_db", "dc_offset", "clipped_share", "silence_share", "speech_s", "snr_db", "bandwidth_hz",
    )  # fmt: skip

    def __init__(self, rows: int) -> None:
        self._floats = {name: np.full(rows, math.nan, dtype=np.float32) for name in self._NAMES}
        self._rate_hz, self._channels = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        self._digests: list[bytes] = [b""] * rows
        self._errors: dict[int, str] = {}
        self._constant: set[int] = set()
        self._formats: Counter[str] = Counter()

    def take(self, rows: list[int], found: ExaminedRecording) -> None:
        """Enter a file, and the stretches of it that are these rows."""
        if found.info is not None:
            self._formats[found.info.format] += 1
            self._rate_hz[rows], self._channels[rows] = found.info.sampling_rate_hz, found.info.channels
        for row, stretch in zip(rows, found.stretches, strict=True):
            self._enter(row, stretch)

    def _enter(self, row: int, stretch: ExaminedStretch) -> None:
        if stretch.error:
            self._errors[row] = stretch.error
        if stretch.silent:
            self._constant.add(row)
        self._digests[row] = stretch.digest
        for name in ("duration_s", "level_db", "dc_offset"):
            self._floats[name][row] = getattr(stretch, name)
        if stretch.quality is not None:
            for name in self._NAMES[3:]:
                self._floats[name][row] = getattr(stretch.quality, name)

    def facts(self, utterances: tuple[Utterance, ...]) -> CorpusFacts:
        """Hand over what was entered."""
        return CorpusFacts(
            utterances=utterances,
            errors=self._errors,
            constant=frozenset(self._constant),
            sampling_rate_hz=self._rate_hz,
            channels=self._channels,
            digests=tuple(self._digests),
            formats=dict(self._formats.most_common()),
            **self._floats,
        )
