"""Decode recordings once and for all into 16-bit FLAC files, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from curvox.audio.reading.files import read_audio, to_int16
from curvox.audio.sources.source import in_threads
from curvox.errors import AudioError, InputError, OutputExistsError
from curvox.files import whole_file


@dataclass(frozen=True)
class FlacFile:
    """What became of one recording: how long its file is, or why there is none; ``kept`` where it was there already."""

    duration_s: float
    kept: bool = False
    error: str = ""


def write_flac_files(
    sources: Sequence[Path],
    targets: Sequence[Path],
    *,
    sampling_rate_hz: int = 16000,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[FlacFile]:
    """Decode each source into its target: one channel, 16 bits, at ``sampling_rate_hz``; yield in order.

    A target that is there already is kept when it is not older than its source: files are written under another name
    and renamed when they are whole, so that an interrupted conversion goes on where it was.

    Raises:
        InputError: not one target a source.
        OutputExistsError: a target that is there has another rate, or is no FLAC file.
    """
    if len(sources) != len(targets) or threads < 1:
        raise InputError(f"expected a target a source and a thread, got {len(targets)}, {len(sources)} and {threads}")
    jobs = list(zip(sources, targets, strict=True))
    return in_threads(lambda job: _write(*job, sampling_rate_hz), jobs, threads, progress)


def _write(source: Path, target: Path, rate_hz: int) -> FlacFile:
    if target.exists() and source.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return _kept(target, rate_hz)
    try:
        waveform = read_audio(source, sampling_rate_hz=rate_hz)
    except AudioError as error:
        return FlacFile(0.0, error=str(error))
    with whole_file(target) as file:
        soundfile.write(file, to_int16(waveform), rate_hz, format="FLAC", subtype="PCM_16")
    return FlacFile(len(waveform) / rate_hz)


def _kept(target: Path, rate_hz: int) -> FlacFile:
    try:
        info = soundfile.info(target)
    except soundfile.LibsndfileError as error:
        raise OutputExistsError(f"{target} exists and is no FLAC file; name another output or remove it") from error
    if info.samplerate != rate_hz:
        raise OutputExistsError(
            f"{target} exists at {info.samplerate} Hz, asked for are {rate_hz} Hz; name another output"
        )
    return FlacFile(info.frames / info.samplerate, kept=True)
