"""The contract of a source of waveforms as a list of named checks, to be run on any source, ours or yours.

A check takes a factory ``() -> source``, whose source holds at least two readable recordings, of 100 samples or more
the longest, and raises AssertionError with a sentence when the contract is broken.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from curvox.audio import AbstractWaveforms
from curvox.testing.contract import listing, refuses, require

WaveformSourceFactory = Callable[[], AbstractWaveforms]
Check = Callable[[WaveformSourceFactory], None]

CHECKS: dict[str, Check] = {}
_listed = listing(CHECKS)


def check_waveform_source(factory: WaveformSourceFactory) -> None:
    """Run every check on the sources of ``factory``."""
    for check in CHECKS.values():
        check(factory)


def readable(source: AbstractWaveforms) -> list[int]:
    """Return the places of the recordings that have samples."""
    places = [place for place in range(len(source)) if source.samples(place)]
    require(len(places) >= 2, f"a source with two readable recordings is needed, got {len(places)}")
    return places


def _longest(source: AbstractWaveforms) -> tuple[int, NDArray[np.int16]]:
    place = max(readable(source), key=source.samples)
    require(source.samples(place) >= 100, f"a recording of 100 samples is needed, got {source.samples(place)}")
    return place, np.array(source[place])


@_listed
def check_recordings(factory: WaveformSourceFactory) -> None:
    """Recordings are int16 (samples,), as long as the source says, and the same at every reading."""
    source = factory()
    lengths = source.lengths_samples
    require(lengths.dtype == np.int64 and lengths.shape == (len(source),), f"got {lengths.dtype} {lengths.shape}")
    require(source.sampling_rate_hz > 0, f"the sampling rate must be positive, got {source.sampling_rate_hz}")
    for place in range(len(source)):
        require(source.samples(place) == lengths[place], f"two lengths of recording {place}")
        require(isinstance(source.name(place), str), f"the name of recording {place} must be text")
    for place in readable(source):
        samples = source[place]
        require(samples.dtype == np.int16 and samples.ndim == 1, f"recording {place}: {samples.dtype} {samples.shape}")
        require(len(samples) == lengths[place], f"recording {place} has {len(samples)} samples, not {lengths[place]}")
        kept = samples.copy()
        if samples.flags.writeable:
            samples[:] = 0
        require(np.array_equal(source[place], kept), f"recording {place} differs at the second reading")


@_listed
def check_places(factory: WaveformSourceFactory) -> None:
    """Negative places count from the end; places outside raise IndexError."""
    source = factory()
    for place in readable(source):
        require(np.array_equal(source[place - len(source)], source[place]), f"place {place} from the end differs")
        require(source.samples(place - len(source)) == source.samples(place), f"length of {place} from the end differs")
    for wrong in (len(source), -len(source) - 1):
        for reading in (source.__getitem__, source.samples, lambda place: source.crop(place, 0, 1)):
            try:
                reading(wrong)
            except IndexError:
                continue
            raise AssertionError(f"place {wrong} of {len(source)} recordings must raise IndexError")


@_listed
def check_crops(factory: WaveformSourceFactory) -> None:
    """A crop has the samples that the whole recording has there: at both ends, of one sample, of none, of all."""
    source = factory()
    for place in readable(source):
        whole = np.array(source[place])
        half, end = len(whole) // 2, len(whole)
        for start, length in ((0, end), (0, 1), (0, half), (half, end - half), (end - 1, 1), (half, 0), (end, 0)):
            crop = source.crop(place, start, length)
            require(crop.dtype == np.int16, f"a crop must be int16, got {crop.dtype}")
            same = np.array_equal(crop, whole[start : start + length])
            require(same, f"{length} samples from {start} of recording {place} differ from the whole recording")
    place, whole = _longest(source)
    require(np.array_equal(source.crop(place - len(source), 5, 50), whole[5:55]), "a crop from the end's count differs")


@_listed
def check_bad_crops(factory: WaveformSourceFactory) -> None:
    """A crop that reaches outside its recording is refused."""
    source = factory()
    place, whole = _longest(source)
    for start, length in ((-1, 10), (0, len(whole) + 1), (len(whole) - 1, 2), (0, -1), (len(whole) + 1, 0)):
        said = refuses(f"{length} samples from {start} of {len(whole)}", source.crop, place, start, length)
        require("recording" in said, f"the recording must be named, got {said!r}")


@_listed
def check_pickling(factory: WaveformSourceFactory) -> None:
    """A source pickles by paths and numbers, without samples, and its copy reads the same."""
    source = factory()
    place, whole = _longest(source)
    pickled = pickle.dumps(source)
    require(whole[:100].tobytes() not in pickled, "the pickle holds samples")
    total = 2 * int(source.lengths_samples.sum())
    require(len(pickled) < max(2000, total // 2), f"the pickle of {total} bytes of samples has {len(pickled)} bytes")
    copy = pickle.loads(pickled)
    require(copy.sampling_rate_hz == source.sampling_rate_hz, "the copy has another sampling rate")
    require(np.array_equal(copy.lengths_samples, source.lengths_samples), "the copy has other lengths")
    require(np.array_equal(copy[place], whole), "the copy reads other samples")


@_listed
def check_threads(factory: WaveformSourceFactory) -> None:
    """Several threads read the same source without disturbing each other."""
    source = factory()
    places = readable(source)
    expected = [np.array(source[place]) for place in places]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: np.array(source[place]), places * 4))
    for number, samples in enumerate(found):
        require(np.array_equal(samples, expected[number % len(places)]), "threads read other samples")
