"""Decode recordings once into one memory-mapped file, so that a crop costs no more than a slice."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from curvox.audio.reading.files import read_audio, to_int16
from curvox.audio.sources.source import (
    AbstractWaveforms,
    Failure,
    Segment,
    check_crop,
    in_threads,
    or_error,
    place_of,
    refuse_all_failed,
)
from curvox.errors import AudioError, CurvoxError, InputError
from curvox.files import clear_leftovers, locked, whole_file

FORMAT_VERSION = 1
"""Part of every fingerprint: raise it when the same recordings would decode or be stored in another way."""

# A store is one file: a magic line, all samples as little-endian int16 without gaps, the offsets of the recordings as
# int64, a JSON text (fingerprint, rate, failures), and a trailer with the length of that text.
HEAD = b"curvox waves 1\n\n"
_TRAILER = struct.Struct("<Q8s")
_TRAILER_MAGIC = b"cvxwaves"
_SUFFIX = ".waves"


@dataclass(frozen=True)
class _Job:
    """What one call decodes, and how: ``decode`` reads a recording by its place, as int16; ``fingerprint`` tells the
    content from any other."""

    paths: tuple[Path, ...]
    decode: Callable[[int], np.ndarray]
    fingerprint: str
    sampling_rate_hz: int
    threads: int
    progress: Callable[[int, int], None] | None
    on_error: str

    def __post_init__(self) -> None:
        if not self.paths:
            raise InputError("a store needs at least one recording, got an empty list of paths")
        if self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")


def _fingerprint_of_files(paths: Sequence[Path], segments: Sequence[Segment], sampling_rate_hz: int) -> str:
    digest = hashlib.sha256(f"{FORMAT_VERSION} {sampling_rate_hz}\n".encode())
    for path, segment in zip(paths, segments, strict=True):
        try:
            found = path.stat()
            state = f"{found.st_size} {found.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(os.fsencode(path.absolute()) + f"\0{state} {segment}\n".encode())
    return digest.hexdigest()


def _write(file: IO[bytes], job: _Job) -> None:
    lengths = np.zeros(len(job.paths), dtype=np.int64)
    failures: list[Failure] = []
    file.write(HEAD)
    decode = or_error(job.decode, job.on_error)
    with closing(in_threads(decode, range(len(job.paths)), job.threads, job.progress)) as results:
        for index, result in enumerate(results):
            if isinstance(result, AudioError):
                failures.append(Failure(job.paths[index], str(result), index))
            else:
                lengths[index] = len(result)
                file.write(result.data)
    refuse_all_failed(failures, len(job.paths))
    meta = {
        "version": FORMAT_VERSION,
        "fingerprint": job.fingerprint,
        "sampling_rate_hz": job.sampling_rate_hz,
        "recordings": len(job.paths),
        "failures": [asdict(failure) | {"path": str(failure.path)} for failure in failures],
    }
    text = json.dumps(meta).encode()
    file.write(np.concatenate(([0], np.cumsum(lengths))).astype("<i8").tobytes())
    file.write(text)
    file.write(_TRAILER.pack(len(text), _TRAILER_MAGIC))


def read_index(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Read a store's JSON text and offsets, checking that the file is whole."""
    refusal = f'"{path}" is not a whole waveform store; delete it and build it again'
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < len(HEAD) + _TRAILER.size:
                raise CurvoxError(refusal)
            file.seek(-_TRAILER.size, os.SEEK_END)
            n_text, magic = _TRAILER.unpack(file.read())
            if magic != _TRAILER_MAGIC or n_text > size:
                raise CurvoxError(refusal)
            file.seek(size - _TRAILER.size - n_text)
            meta = json.loads(file.read(n_text))
            n_index = 8 * (meta["recordings"] + 1)
            file.seek(size - _TRAILER.size - n_text - n_index)
            offsets = np.frombuffer(file.read(n_index), dtype="<i8")
    except FileNotFoundError as error:
        raise CurvoxError(f'the waveform store "{path}" does not exist; build it again') from error
    except (ValueError, KeyError, TypeError) as error:
        raise CurvoxError(refusal) from error
    if size != len(HEAD) + 2 * int(offsets[-1]) + n_index + n_text + _TRAILER.size:
        raise CurvoxError(refusal)
    return meta, offsets


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time build ``path``, and clear away what a killed one left half done.

    Where there are no locks builders repeat each other's work, safely.
    """
    try:
        with locked(path.with_name(f"{path.name}.lock")) as lock:
            if lock.held:
                clear_leftovers(path)
            yield
    except OSError as error:
        raise CurvoxError(
            f'the waveform cache "{path.parent}" cannot be written: {error.strerror or error}; free some space or '
            "name another folder for the cache. What was there before is untouched"
        ) from error


class WaveformStore(AbstractWaveforms):
    """Decoded recordings as read-only views, shared between processes through the page cache.

    Make one with :meth:`build`, or open an existing file with ``WaveformStore(path)``. Pickling carries the path
    alone, so data-loading workers map the same file.

    Raises:
        CurvoxError: the file is missing or is not a whole store.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        meta, self._offsets = read_index(self.path)
        self.sampling_rate_hz: int = meta["sampling_rate_hz"]
        self.fingerprint: str = meta["fingerprint"]
        self.failures = tuple(Failure(Path(f["path"]), f["message"], f["index"]) for f in meta["failures"])
        # A plain array over the map, as slices of np.memmap are slow to make.
        self._samples = np.asarray(
            np.memmap(self.path, dtype="<i2", mode="r", offset=len(HEAD), shape=(int(self._offsets[-1]),))
        )

    @classmethod
    def build(
        cls,
        paths: Sequence[str | os.PathLike[str]],
        *,
        sampling_rate_hz: int = 16000,
        cache: str | os.PathLike[str],
        segments: Sequence[Segment] | None = None,
        threads: int = 2,
        progress: Callable[[int, int], None] | None = None,
        on_error: str = "raise",
    ) -> WaveformStore:
        """Decode ``paths`` into ``cache``, or reuse what an earlier call left there.

        A store is reused when path, size, modification time and segment of every recording and the rate are the
        same. The file appears under its name only when it is whole and on the disk; other stores in ``cache`` are
        left as they are, and two processes building the same one wait for each other. The folder may be deleted
        at any time between runs.

        Args:
            cache: folder of the stores, made when missing. A minute takes 1.92 MB at 16 kHz.
            segments: (start_s, duration_s) for each path; None takes whole files.
            progress: called with (done, all) after each recording; not called when a store is reused.
            on_error: ``raise`` stops at the first unreadable recording; ``skip`` lists it in ``failures`` and gives
                it zero samples. Failures are tried again when a store is reused, so a mended file is not missed.

        Raises:
            AudioError: a recording cannot be read (``raise``), or none can (``skip``).
            CurvoxError: the cache cannot be written, for example because the disk is full.
        """
        files = tuple(Path(path) for path in paths)
        spans = [(0.0, None)] * len(files) if segments is None else segments
        if len(spans) != len(files):
            raise InputError(f"expected one segment a path, got {len(spans)} segments for {len(files)} paths")
        spans = [(float(start), None if length is None else float(length)) for start, length in spans]

        def decode(index: int) -> np.ndarray:
            start_s, duration_s = spans[index]
            rate_hz = sampling_rate_hz
            return to_int16(read_audio(files[index], sampling_rate_hz=rate_hz, start_s=start_s, duration_s=duration_s))

        fingerprint = _fingerprint_of_files(files, spans, sampling_rate_hz)
        return cls._built(_Job(files, decode, fingerprint, sampling_rate_hz, threads, progress, on_error), Path(cache))

    @classmethod
    def copy(
        cls,
        source: AbstractWaveforms,
        indices: Sequence[int],
        *,
        names: Sequence[str],
        state: str,
        cache: str | os.PathLike[str],
        threads: int = 2,
        progress: Callable[[int, int], None] | None = None,
        on_error: str = "raise",
    ) -> WaveformStore:
        """Decode recordings of another source, such as those of shards that are asked for in every epoch.

        Args:
            indices: which of them, in the order of their positions in the store.
            names: of each, for messages.
            state: tells one content of the source from another; a store is reused when it and ``names`` are the same.
            cache, threads, progress, on_error: as for :meth:`build`.
        """
        paths = tuple(map(Path, names))
        content = "\0".join([state, *map(str, paths)])
        fingerprint = hashlib.sha256(f"{FORMAT_VERSION} {source.sampling_rate_hz}\n{content}".encode()).hexdigest()

        def decode(index: int) -> np.ndarray:
            return np.asarray(source[int(indices[index])])

        rate_hz = source.sampling_rate_hz
        return cls._built(_Job(paths, decode, fingerprint, rate_hz, threads, progress, on_error), Path(cache))

    @classmethod
    def _built(cls, job: _Job, cache: Path) -> WaveformStore:
        path = cache / f"{job.fingerprint[:32]}{_SUFFIX}"
        with _alone(path):
            store = cls._reusable(path, job)
            if store is None:
                with whole_file(path) as file:
                    _write(file, job)
                store = cls(path)
        return store

    @classmethod
    def _reusable(cls, path: Path, job: _Job) -> WaveformStore | None:
        if not path.exists():
            return None
        try:
            store = cls(path)
        except CurvoxError:
            return None  # a cache may be made anew
        if store.fingerprint != job.fingerprint:
            return None
        decode = or_error(job.decode, job.on_error)
        mended = any(not isinstance(decode(failure.index), AudioError) for failure in store.failures)
        return None if mended else store

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        start, end = self._bounds(index)
        return self._samples[start:end]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def samples(self, index: int) -> int:
        start, end = self._bounds(index)
        return end - start

    def name(self, index: int) -> str:
        """Return nothing: a store that has been written does not say which files it was."""
        place_of(index, len(self))
        return ""

    @property
    def lengths_samples(self) -> np.ndarray:
        return np.diff(self._offsets)

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        begin, end = self._bounds(index)
        check_crop(index, start, length, end - begin)
        return self._samples[begin + start : begin + start + length]

    def _bounds(self, index: int) -> tuple[int, int]:
        index = place_of(index, len(self))
        return int(self._offsets[index]), int(self._offsets[index + 1])

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        WaveformStore.__init__(self, state["path"])

    def __repr__(self) -> str:
        return f"WaveformStore({len(self)} recordings, {self.sampling_rate_hz} Hz, {str(self.path)!r})"
