"""Say what a source of waveforms offers, and decode many recordings in threads."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from curvox.audio.reading.files import read_audio, to_int16
from curvox.errors import AudioError, InputError


class AbstractWaveforms(ABC):
    """Recordings of one sampling rate, in a fixed order, read-only and safe to use in several processes.

    ``lengths_samples`` never grows beyond what can be read. Pickling carries paths and numbers, never samples or open
    files.
    """

    sampling_rate_hz: int

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of recordings."""

    @abstractmethod
    def __getitem__(self, index: int) -> np.ndarray:
        """Return recording ``index`` as int16 (samples,); divide by 32768 for [-1, 1).

        Raises:
            AudioError: the recording cannot be read.
            CurvoxError: the disk or the network that it lies on cannot be read.
        """

    @abstractmethod
    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        """Return ``length`` samples of recording ``index`` from sample ``start``: the same as of the whole recording.

        Raises:
            InputError: the crop reaches outside the recording.
            AudioError, CurvoxError: as for the whole recording.
        """

    @abstractmethod
    def samples(self, index: int) -> int:
        """Return the number of samples of recording ``index``; zero for one that is known to be unreadable."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return where recording ``index`` lies, for lists of bad ones; empty where the source does not know."""

    @property
    @abstractmethod
    def lengths_samples(self) -> np.ndarray:
        """Number of samples of every recording, int64 (recordings,)."""


def place_of(index: int, count: int) -> int:
    """Return ``index`` as a place from the start; negative ones count from the end."""
    if not -count <= index < count:
        raise IndexError(f"recording {index} is not in a store of {count}")
    return index % count


def check_crop(index: int, start: int, length: int, samples: int) -> None:
    """Refuse a crop that reaches outside a recording of ``samples``."""
    if not (start >= 0 and 0 <= length <= samples - start):
        raise InputError(f"a crop of {length} samples from {start} is outside recording {index}, which has {samples}")


# Decode a list of recordings in threads, in order, with few of them in memory at a time.

FORMAT_VERSION = 1
"""Part of every fingerprint: raise it when the same recordings would decode or be stored in another way."""

Segment = tuple[float, float | None]
"""Start and duration in seconds; a duration of None reads to the end of the file."""


@dataclass(frozen=True)
class Failure:
    """A recording that could not be read: its path, the message of the error, its position in the list."""

    path: Path
    message: str
    index: int


@dataclass(frozen=True)
class DecodingJob:
    """What one call of build decodes, and how."""

    paths: tuple[Path, ...]
    segments: tuple[Segment, ...]
    sampling_rate_hz: int
    threads: int
    progress: Callable[[int, int], None] | None
    on_error: str
    source: AbstractWaveforms | None = None
    """Where the recordings are instead, ``indices`` in it; ``state`` tells its content from another."""
    indices: tuple[int, ...] = ()
    state: str = ""

    @classmethod
    def copying(
        cls,
        source: AbstractWaveforms,
        indices: Sequence[int],
        names: Sequence[str],
        state: str,
        threads: int,
        progress: Callable[[int, int], None] | None,
        on_error: str,
    ) -> DecodingJob:
        job = cls.of(names, None, source.sampling_rate_hz, threads, progress, on_error)
        return replace(job, source=source, indices=tuple(map(int, indices)), state=state)

    @classmethod
    def of(
        cls,
        paths: Sequence[str | os.PathLike[str]],
        segments: Sequence[Segment] | None,
        sampling_rate_hz: int,
        threads: int,
        progress: Callable[[int, int], None] | None,
        on_error: str,
    ) -> DecodingJob:
        if not len(paths):
            raise InputError("a store needs at least one recording, got an empty list of paths")
        if segments is not None and len(segments) != len(paths):
            raise InputError(f"expected one segment a path, got {len(segments)} segments for {len(paths)} paths")
        if on_error not in ("raise", "skip"):
            raise InputError(f'on_error must be "raise" or "skip", got {on_error!r}')
        if threads < 1:
            raise InputError(f"threads must be at least 1, got {threads}")
        segments = segments if segments is not None else [(0.0, None)] * len(paths)
        return cls(
            paths=tuple(Path(path) for path in paths),
            segments=tuple((float(start), None if length is None else float(length)) for start, length in segments),
            sampling_rate_hz=sampling_rate_hz,
            threads=threads,
            progress=progress,
            on_error=on_error,
        )

    def decode(self, index: int) -> np.ndarray:
        """Read one recording as int16; what overshoots [-1, 1) saturates, as in any 16-bit file."""
        if self.source is not None:
            return np.asarray(self.source[self.indices[index]])
        start_s, duration_s = self.segments[index]
        waveform = read_audio(
            self.paths[index], sampling_rate_hz=self.sampling_rate_hz, start_s=start_s, duration_s=duration_s
        )
        return to_int16(waveform)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(f"{FORMAT_VERSION} {self.sampling_rate_hz}\n".encode())
        if self.source is not None:
            digest.update("\0".join([self.state, *map(str, self.paths)]).encode())
            return digest.hexdigest()
        for path, segment in zip(self.paths, self.segments, strict=True):
            try:
                found = path.stat()
                state = f"{found.st_size} {found.st_mtime_ns}"
            except OSError:
                state = "missing"
            digest.update(os.fsencode(path.absolute()) + f"\0{state} {segment}\n".encode())
        return digest.hexdigest()

    def results(self) -> Generator[np.ndarray | AudioError, None, None]:
        """Decode in threads and yield in order; only a few recordings wait in memory at a time."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="decode") as pool:
            indices = iter(range(len(self.paths)))
            waiting: deque[Future[np.ndarray]] = deque()
            try:
                for index in islice(indices, 4 * self.threads):
                    waiting.append(pool.submit(self.decode, index))
                while waiting:
                    try:
                        yield waiting.popleft().result()
                    except AudioError as error:
                        if self.on_error == "raise":
                            raise
                        yield error
                    for index in islice(indices, 1):
                        waiting.append(pool.submit(self.decode, index))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
