"""Convolve items with responses of rooms, recorded or simulated, each by its own seed, without moving the speech."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from curvox.audio.augmentation.batches import (
    Seed,
    as_loud_as,
    change_rows,
    check_ranges,
    chosen,
    fast_length,
    picked,
    streams_of,
)
from curvox.audio.sources.store import WaveformStore
from curvox.errors import InputError, import_extra

_PURPOSE, _SIMULATION_PURPOSE = 3, 7
_BEFORE_S = 0.02
_AFTER_S = 1.0
_SMALLEST_LEVEL = 1e-12


class RoomResponses:
    """A set of impulse responses, to draw from by number.

    Of a response, 20 ms before its largest sample and 1 s from there on are used; it is scaled to an energy of 1.

    Args:
        responses: impulse responses (samples,), of any lengths; integers or floats. Read when they are asked for, so
            a `WaveformStore` holds no memory.
    """

    def __init__(self, responses: Sequence[np.ndarray] | WaveformStore, *, sampling_rate_hz: int) -> None:
        if not len(responses):
            raise InputError("expected at least one impulse response, got none; name a folder that holds some")
        self._responses = responses
        self._before = round(_BEFORE_S * sampling_rate_hz)
        self._after = round(_AFTER_S * sampling_rate_hz)
        store = isinstance(responses, WaveformStore)
        longest = int(responses.lengths_samples.max()) if store else max(map(len, responses))
        self.longest_samples = min(longest, self._before + self._after)
        """The most samples that a response has."""

    def __len__(self) -> int:
        return len(self._responses)

    def around_direct_path(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what comes before the largest sample of a response, and what follows from there on; float32 both."""
        response = self._responses[index].astype(np.float32)
        direct = int(np.abs(response).argmax())
        begin = max(0, direct - self._before)
        response = response[begin : direct + self._after]
        response /= max(float(np.linalg.norm(response)), _SMALLEST_LEVEL)
        return response[: direct - begin], response[direct - begin :]


@dataclass(frozen=True)
class RecordedRoomOptions:
    """Which responses of a folder laid out as RIRS_NOISES are used, and how often.

    Its simulated rooms (Ko et al., ICASSP 2017) are taken, the small and the middle-sized ones, and the halls too
    where that is asked for. Of many responses at most ``most_responses`` are read, spread evenly over all.
    """

    path: str
    probability: float = 0.5
    large_rooms: bool = False
    most_responses: int = 2000

    def __post_init__(self) -> None:
        check_ranges(self)

    def files(self) -> tuple[Path, ...]:
        """List the responses that are used.

        Raises:
            InputError: the folder is missing, or holds no responses where they should be.
        """
        kinds = ("smallroom", "mediumroom", *(("largeroom",) if self.large_rooms else ()))
        root = Path(self.path)
        found = sorted(path for kind in kinds for path in root.glob(f"simulated_rirs/{kind}/**/*.wav"))
        if not found:
            came = "a folder without them" if root.is_dir() else "no such folder"
            raise InputError(
                f'expected a folder laid out as RIRS_NOISES, with "simulated_rirs/smallroom/Room001/….wav" in it, got '
                f'{came}: "{root}"; name the folder that was unpacked from rirs_noises.zip (openslr.org/28), or leave '
                "the path out to have rooms simulated"
            )
        places = np.linspace(0, len(found) - 1, min(len(found), self.most_responses)).round().astype(int)
        return tuple(found[place] for place in places)

    def responses(
        self,
        *,
        sampling_rate_hz: int,
        cache: str | os.PathLike[str],
        progress: Callable[[int, int], None] | None = None,
    ) -> RoomResponses:
        """Decode the responses once into ``cache`` and open them; 2000 of a second take 64 MB there at 16 kHz.

        ``progress`` is called with (responses done, of how many) while they are decoded.
        """
        store = WaveformStore.build(self.files(), sampling_rate_hz=sampling_rate_hz, cache=cache, progress=progress)
        return RoomResponses(store, sampling_rate_hz=sampling_rate_hz)


def reverberate(
    waveforms: Tensor, seeds: Sequence[Seed], *, responses: RoomResponses, probability: float = 0.5
) -> Tensor:
    """Put waveforms into rooms, as `curvox.audio.augmentation` says.

    The direct path of a response, its largest sample, lies at time 0, so that speech stays where it was and what rings
    on after the last sample is cut off. The mean power of an item is what it was before. What was said before a crop
    does not ring into it.

    Source: Ko et al., A Study on Data Augmentation of Reverberant Speech for Robust Speech Recognition, ICASSP 2017.

    Args:
        responses: the rooms to draw from, of the waveforms' sampling rate.
        probability: share of items that are put into a room.
    """
    streams = streams_of(waveforms, seeds, _PURPOSE)
    n_samples = waveforms.shape[1]
    # The longest response decides, not those that were drawn: an item must not depend on its batch.
    n_fft = fast_length(n_samples + responses.longest_samples)

    def heard(rows: np.ndarray, items: Tensor) -> Tensor:
        kernels = torch.from_numpy(_kernels(picked(streams, rows), responses, n_fft)).to(items.device)
        spectra = torch.fft.rfft(items, n=n_fft) * torch.fft.rfft(kernels)
        return as_loud_as(torch.fft.irfft(spectra, n=n_fft)[:, :n_samples], items)

    return change_rows(waveforms, heard, np.flatnonzero(chosen(streams, probability)))


def _kernels(streams: Sequence[np.random.Generator], responses: RoomResponses, n_fft: int) -> np.ndarray:
    """Draw a response from each stream; float32 (N, n_fft), what comes before the direct path at the end."""
    kernels = np.zeros((len(streams), n_fft), dtype=np.float32)
    for kernel, stream in zip(kernels, streams, strict=True):
        before, after = responses.around_direct_path(int(stream.integers(len(responses))))
        kernel[: len(after)] = after
        kernel[n_fft - len(before) :] = before
    return kernels


_SIZES_M = ((3.0, 10.0), (3.0, 10.0), (2.4, 4.0))
_FROM_WALL_M = 0.5
_MOST_REFLECTIONS = 40
_SHORTEST_RT60_S, _LONGEST_RT60_S = 0.15, 1.0


@dataclass(frozen=True)
class SimulatedRoomOptions:
    """How many rooms are simulated, how long they ring, and how often one is used.

    A room is a box of 3 to 10 m by 3 to 10 m, 2.4 to 4 m high, simulated by the image-source method; speaker and
    microphone stand anywhere in it, half a metre from the walls. RT60, the time in which sound falls by 60 dB, is drawn
    uniformly; the walls absorb what Sabine's formula says.

    Raises:
        InputError: a probability outside 0 to 1, no room, or times outside 0.15 to 1 s.
    """

    probability: float = 0.5
    rooms: int = 200
    rt60_low_s: float = 0.2
    rt60_high_s: float = 0.6

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.rt60_low_s < _SHORTEST_RT60_S or self.rt60_high_s > _LONGEST_RT60_S:
            raise InputError(
                f"rt60_low_s and rt60_high_s must lie between {_SHORTEST_RT60_S} and {_LONGEST_RT60_S}, "
                f"got {self.rt60_low_s!r} and {self.rt60_high_s!r}"
            )

    def responses(self, *, sampling_rate_hz: int, seed: int) -> RoomResponses:
        """Simulate the rooms, in some 30 ms each, by pyroomacoustics, which must be installed.

        Each room is a function of ``seed``, its number and these options.
        """
        library = require_room_simulation()
        rooms = [
            self._response(library, np.random.default_rng((_SIMULATION_PURPOSE, seed, number)), sampling_rate_hz)
            for number in range(self.rooms)
        ]
        return RoomResponses(rooms, sampling_rate_hz=sampling_rate_hz)

    def _response(self, library: ModuleType, stream: np.random.Generator, sampling_rate_hz: int) -> np.ndarray:
        """Simulate one room with a speaker and a microphone; float32 (samples,)."""
        size = np.array([stream.uniform(*range_m) for range_m in _SIZES_M])
        rt60_s = stream.uniform(self.rt60_low_s, self.rt60_high_s)
        # A large room rings at least as long as Sabine's formula has it for walls that absorb all.
        absorption, reflections = library.inverse_sabine(max(rt60_s, _least_rt60_s(size)), size)
        room = library.ShoeBox(
            size,
            fs=sampling_rate_hz,
            materials=library.Material(absorption),
            max_order=min(reflections, _MOST_REFLECTIONS),
        )
        room.add_source(stream.uniform(_FROM_WALL_M, size - _FROM_WALL_M))
        room.add_microphone(stream.uniform(_FROM_WALL_M, size - _FROM_WALL_M))
        room.compute_rir()
        return np.asarray(room.rir[0][0], dtype=np.float32)


def require_room_simulation() -> ModuleType:
    """Import pyroomacoustics, late, as it is slow to import; where it is missing, raise `MissingExtraError`."""
    how = 'pip install "curvox[rooms]", or name a folder laid out as RIRS_NOISES'
    return import_extra("pyroomacoustics", f"simulated rooms need pyroomacoustics: {how}")


def _least_rt60_s(size: np.ndarray) -> float:
    """Sabine's reverberation time of a room whose walls absorb 95 per cent."""
    length, width, height = size
    surface = 2 * (length * width + length * height + width * height)
    return 0.161 * float(size.prod()) / (0.95 * float(surface))
