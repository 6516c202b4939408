"""Say what a source of waveforms offers, and read many recordings in threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from curvox.errors import AudioError, InputError

Segment = tuple[float, float | None]
"""Start and duration in seconds; a duration of None reads to the end of the file."""

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        """Return ``length`` samples of recording ``index`` from sample ``start``, as the whole recording has them.

        A crop that reaches outside the recording is refused by `InputError`.
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


@dataclass(frozen=True)
class Failure:
    """A recording that could not be read: its path, the message of the error, its position in the list."""

    path: Path
    message: str
    index: int


def refuse_all_failed(failures: Sequence[Failure], recordings: int) -> None:
    """Refuse a list of which no recording can be read."""
    if len(failures) == recordings:
        raise AudioError(f"none of the {len(failures)} recordings can be read; the first: {failures[0].message}")


def or_error(read: Callable[[int], Result], on_error: str) -> Callable[[int], Result | AudioError]:
    """Return ``read`` such that it returns an `AudioError` where ``on_error`` is "skip", and raises it for "raise"."""
    if on_error not in ("raise", "skip"):
        raise InputError(f'on_error must be "raise" or "skip", got {on_error!r}')

    def read_or_not(index: int) -> Result | AudioError:
        try:
            return read(index)
        except AudioError as error:
            if on_error == "raise":
                raise
            return error

    return read_or_not


def in_threads(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    progress: Callable[[int, int], None] | None = None,
) -> Generator[Result, None, None]:
    """Yield what ``work`` makes of each item, in order; few results wait in memory at a time.

    Args:
        progress: called with (results that were taken, of how many), after each.
    """
    with ThreadPoolExecutor(threads) as pool:
        coming: Iterable[Item] = iter(items)
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(coming, 4 * threads))
        try:
            for done in range(1, len(items) + 1):
                yield waiting.popleft().result()
                if progress is not None:
                    progress(done, len(items))
                waiting.extend(pool.submit(work, item) for item in islice(coming, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
