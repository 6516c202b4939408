"""Examine recordings: what each file is, and what is in every stretch of it that is used."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.audio.quality import RecordingQuality, measure_quality
from curvox.audio.reading.files import AudioInfo, check_waveform, cut, from_int16, read_whole, to_int16
from curvox.audio.sources.source import AbstractWaveforms, Segment, in_threads
from curvox.errors import AudioError, InputError


@dataclass(frozen=True, slots=True)
class ExaminedStretch:
    """What was found in one stretch of a recording, at the recording's own sampling rate, its channels averaged.

    Attributes:
        error: why training would refuse it, "" where it would not.
        silent: all its samples are the same.
        duration_s: of the stretch; NaN where it could not be read.
        level_db: mean power in dB of full scale, -inf for zeros, NaN where it could not be read.
        dc_offset: mean of the samples, in [-1, 1].
        digest: of the samples as 16-bit integers: equal where the content is, whatever the coding; empty where it could
            not be read.
        quality: None where it could not be measured.
    """

    error: str = ""
    silent: bool = False
    duration_s: float = math.nan
    level_db: float = math.nan
    dc_offset: float = math.nan
    digest: bytes = b""
    quality: RecordingQuality | None = None


@dataclass(frozen=True, slots=True)
class ExaminedRecording:
    """A file: its header, with the duration that was decoded, None where it cannot be read; and each stretch of it."""

    info: AudioInfo | None
    stretches: tuple[ExaminedStretch, ...]


def examine_recordings(
    paths: Sequence[str | os.PathLike[str]],
    segments: Sequence[Sequence[Segment]],
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[ExaminedRecording]:
    """Decode every recording once, in threads, and yield what was found in the order of ``paths``.

    Args:
        segments: for each of them, the stretches that are used.
    """
    if len(paths) != len(segments):
        raise InputError(f"expected segments for each path, got {len(segments)} for {len(paths)} paths")
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    return in_threads(lambda job: examine_recording(*job), list(zip(paths, segments, strict=True)), threads, progress)


def examine_source(
    source: AbstractWaveforms, *, threads: int = 1, progress: Callable[[int, int], None] | None = None
) -> Iterator[ExaminedRecording]:
    """As `examine_recordings`, of a source that holds its recordings itself, such as shards; each is one stretch."""
    return in_threads(lambda place: _examine_place(source, place), range(len(source)), threads, progress)


def examine_recording(path: str | os.PathLike[str], segments: Sequence[Segment] = ((0.0, None),)) -> ExaminedRecording:
    """Decode a recording and look at stretches of it; what cannot be read is told in their ``error``."""
    path = Path(path)
    try:
        samples, info = read_whole(path)
    except AudioError as error:
        return ExaminedRecording(None, tuple(ExaminedStretch(error=str(error)) for _ in segments))
    return ExaminedRecording(info, tuple(_stretch(path, samples, info, segment) for segment in segments))


def _examine_place(source: AbstractWaveforms, place: int) -> ExaminedRecording:
    name, rate_hz = source.name(place), source.sampling_rate_hz
    try:
        samples = from_int16(source[place])
    except AudioError as error:
        return ExaminedRecording(None, (ExaminedStretch(error=str(error)),))
    info = AudioInfo(len(samples) / rate_hz, rate_hz, 1, "shard")
    return ExaminedRecording(info, (_stretch(Path(name), samples, info, (0.0, None)),))


def _stretch(path: Path, samples: np.ndarray, info: AudioInfo, segment: Segment) -> ExaminedStretch:
    try:
        start, count = cut(path, len(samples), info.sampling_rate_hz, *segment)
    except (AudioError, InputError) as error:
        return ExaminedStretch(error=str(error))
    waveform = samples[start : start + count]
    power = float(np.square(waveform, dtype=np.float64).mean())
    error, quality = "", None
    try:
        check_waveform(waveform, info.sampling_rate_hz, f'"{path}"')
        quality = measure_quality(waveform, info.sampling_rate_hz)
    except AudioError as refusal:
        error = str(refusal)
    integers = to_int16(waveform)
    return ExaminedStretch(
        error=error,
        silent=bool((integers == integers[0]).all()),
        duration_s=count / info.sampling_rate_hz,
        level_db=10 * math.log10(power) if power > 0 else -math.inf,
        dc_offset=float(waveform.mean(dtype=np.float64)),
        digest=hashlib.blake2b(integers.tobytes(), digest_size=16).digest(),
        quality=quality,
    )
