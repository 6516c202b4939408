"""Recordings decoded once into one memory-mapped file, so that a crop costs no more than a slice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curvox.audio.decoding import DecodingJob, Failure, Segment
from curvox.audio.store_file import HEAD, alone, read_index, write_store, writing_to
from curvox.audio.waveform_source import AbstractWaveforms, check_crop, place_of
from curvox.errors import AudioError, CurvoxError

_SUFFIX = ".waves"


class WaveformStore(AbstractWaveforms):
    """Decoded recordings of one sampling rate, read-only, shared between processes through the page cache.

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
            paths: the recordings, in the order of their positions in the store.
            sampling_rate_hz: rate of the store.
            cache: folder of the stores, made when missing. A minute takes 1.92 MB at 16 kHz.
            segments: (start_s, duration_s) for each path; None takes whole files.
            threads: number of threads that decode.
            progress: called with (done, all) after each recording; not called when a store is reused.
            on_error: ``raise`` stops at the first unreadable recording; ``skip`` lists it in ``failures`` and gives
                it zero samples. Failures are tried again when a store is reused, so a mended file is not missed.

        Raises:
            AudioError: a recording cannot be read (``raise``), or none can (``skip``).
            CurvoxError: the cache cannot be written, for example because the disk is full.
        """
        return cls._built(DecodingJob.of(paths, segments, sampling_rate_hz, threads, progress, on_error), Path(cache))

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
            source: has the recordings.
            indices: which of them, in the order of their positions in the store.
            names: of each, for messages.
            state: tells one content of the source from another; a store is reused when it and ``names`` are the same.
            cache, threads, progress, on_error: as for :meth:`build`.
        """
        return cls._built(DecodingJob.copying(source, indices, names, state, threads, progress, on_error), Path(cache))

    @classmethod
    def _built(cls, job: DecodingJob, cache: Path) -> WaveformStore:
        fingerprint = job.fingerprint()
        path = cache / f"{fingerprint[:32]}{_SUFFIX}"
        with writing_to(path), alone(path):
            store = cls._reusable(path, job, fingerprint)
            if store is None:
                write_store(path, job, fingerprint)
                store = cls(path)
        return store

    @classmethod
    def _reusable(cls, path: Path, job: DecodingJob, fingerprint: str) -> WaveformStore | None:
        if not path.exists():
            return None
        try:
            store = cls(path)
        except CurvoxError:
            return None  # a cache may be made anew
        if store.fingerprint != fingerprint:
            return None
        for failure in store.failures:
            try:
                job.decode(failure.index)
            except AudioError:
                if job.on_error == "raise":
                    raise
            else:
                return None
        return store

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """Return recording ``index`` as a read-only int16 view (samples,); divide by 32768 for [-1, 1)."""
        start, end = self._bounds(index)
        return self._samples[start:end]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def samples(self, index: int) -> int:
        """Return the number of samples of recording ``index``; zero for a failed one."""
        start, end = self._bounds(index)
        return end - start

    def name(self, index: int) -> str:
        """Return nothing: a store that has been written does not say which files it was."""
        place_of(index, len(self))
        return ""

    @property
    def lengths_samples(self) -> np.ndarray:
        """Number of samples of every recording, int64 (recordings,)."""
        return np.diff(self._offsets)

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        """Return ``length`` samples of recording ``index`` from sample ``start``, a read-only int16 view.

        Raises:
            InputError: the crop reaches outside the recording.
        """
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
