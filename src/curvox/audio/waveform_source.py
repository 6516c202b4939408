"""Where waveforms come from: one face for a store of decoded samples, a folder of files and shards."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from curvox.errors import InputError


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
