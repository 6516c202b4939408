"""Read crops from recordings where they lie, for folders that are too large to decode."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from curvox.audio.reading.files import FRAME_LENGTH_MS, read_audio_info
from curvox.audio.sources.crop_decoding import crop_of_file
from curvox.audio.sources.remote import with_retries
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
from curvox.errors import AudioError, InputError


class PackedNames:
    """Texts by their place, as UTF-8 in one array: a list would take several times the memory in every process."""

    def __init__(self, names: Iterable[str]) -> None:
        pieces = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        self._text = np.frombuffer(b"".join(pieces), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = int(self._ends[index - 1]) if index else 0
        return self._text[start : int(self._ends[index])].tobytes().decode("utf-8", "surrogateescape")


STATED_LESS_S = 0.01
"""A length that a manifest states is rounded; so much less of it is counted on."""


class RecordingFiles(AbstractWaveforms):
    """Files of one folder as a source of waveforms: nothing is decoded before it is asked for, nothing is kept.

    A crop of WAV and FLAC is sought, of Ogg Opus and Vorbis decoded from the beginning, of whatever else or of another
    sampling rate decoded whole. Make one with :meth:`open`.
    """

    def __init__(
        self,
        root: Path,
        paths: PackedNames,
        segments: np.ndarray,
        lengths_samples: np.ndarray,
        sampling_rate_hz: int,
        failures: tuple[Failure, ...],
    ) -> None:
        self.root, self.sampling_rate_hz, self.failures = root, sampling_rate_hz, failures
        self._paths, self._segments, self._lengths = paths, segments, lengths_samples

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str],
        paths: Sequence[str],
        *,
        sampling_rate_hz: int = 16000,
        segments: Sequence[Segment] | None = None,
        durations_s: Sequence[float | None] | None = None,
        threads: int = 8,
        progress: Callable[[int, int], None] | None = None,
        on_error: str = "raise",
    ) -> RecordingFiles:
        """Take the lengths of recordings from ``durations_s``, or from their headers, and open no more than that.

        Args:
            paths: relative to ``root``, in the order of their positions.
            segments: (start_s, duration_s) for each; None takes whole files.
            durations_s: how long each is, as far as known; `STATED_LESS_S` less is counted on.
            on_error: ``raise`` stops at the first header that cannot be read; ``skip`` lists it in ``failures`` and
                gives it zero samples.

        Raises:
            AudioError: a header cannot be read (``raise``), or none can (``skip``).
        """
        root = Path(root)
        segments = [(0.0, None)] * len(paths) if segments is None else list(segments)
        stated = [None] * len(paths) if durations_s is None else list(durations_s)
        if not len(paths) == len(segments) == len(stated) or not paths:
            raise InputError(
                f"expected a segment and a duration for each of at least one path, got {len(paths)} paths, "
                f"{len(segments)} segments, {len(stated)} durations"
            )

        def length(index: int) -> int:
            return _length(root / paths[index], segments[index], stated[index], sampling_rate_hz)

        found = list(in_threads(or_error(length, on_error), range(len(paths)), threads, progress))
        failures = tuple(
            Failure(root / paths[place], str(result), place)
            for place, result in enumerate(found)
            if isinstance(result, AudioError)
        )
        refuse_all_failed(failures, len(paths))
        lengths = np.array([0 if isinstance(result, AudioError) else result for result in found], dtype=np.int64)
        table = np.array([(start, math.nan if last is None else last) for start, last in segments], dtype=np.float64)
        return cls(root, PackedNames(paths), table, lengths, sampling_rate_hz, failures)

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.crop(index, 0, self.samples(index))

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        place = place_of(index, len(self))
        check_crop(index, start, length, self.samples(place))
        path = self.root / self._paths[place]
        start_s, duration_s = map(float, self._segments[place])
        segment = start_s, None if math.isnan(duration_s) else duration_s

        def decode() -> np.ndarray:
            try:
                return crop_of_file(path, start, length, sampling_rate_hz=self.sampling_rate_hz, segment=segment)
            except AudioError as error:
                if holds_something(self.root):
                    raise
                raise OSError(f"the folder is empty or gone ({error})") from error

        way_on = "check its disk or mount, then continue the run with --resume"
        return with_retries(decode, f'the recordings in "{self.root}" cannot be read', way_on)

    def samples(self, index: int) -> int:
        return int(self._lengths[place_of(index, len(self))])

    def name(self, index: int) -> str:
        return self._paths[place_of(index, len(self))]

    @property
    def lengths_samples(self) -> np.ndarray:
        return self._lengths


def holds_something(folder: str | os.PathLike[str]) -> bool:
    """False for a folder that is gone or empty, as that of a mount that was lost."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _length(path: Path, segment: Segment, stated_s: float | None, sampling_rate_hz: int) -> int:
    start_s, segment_s = segment
    known_s = segment_s if segment_s is not None else stated_s
    if known_s is not None:
        length = math.floor((known_s - STATED_LESS_S) * sampling_rate_hz + 1e-6)
    else:
        whole_s = read_audio_info(path).duration_s
        length = math.floor(whole_s * sampling_rate_hz + 1e-6) - round(start_s * sampling_rate_hz)
    if length < FRAME_LENGTH_MS * sampling_rate_hz / 1000:
        raise AudioError(
            f'"{path}" is too short: {1000 * length / sampling_rate_hz:.1f} ms can be counted on, at least one frame '
            f"of {FRAME_LENGTH_MS:g} ms is needed; leave it out"
        )
    return length
