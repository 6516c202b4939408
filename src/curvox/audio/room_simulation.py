"""Rooms that nobody measured: shoeboxes of drawn sizes, simulated by the image-source method of pyroomacoustics."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from curvox.audio.option_ranges import check_ranges, require_count
from curvox.audio.room_responses import RoomResponses
from curvox.errors import InputError, MissingExtraError

_PURPOSE = 7
_SIZES_M = ((3.0, 10.0), (3.0, 10.0), (2.4, 4.0))
_FROM_WALL_M = 0.5
_MOST_REFLECTIONS = 40
_SHORTEST_RT60_S, _LONGEST_RT60_S = 0.15, 1.0


@dataclass(frozen=True)
class SimulatedRoomOptions:
    """How many rooms are simulated, how long they ring, and how often one is used.

    A room is 3 to 10 m long and wide and 2.4 to 4 m high; speaker and microphone stand anywhere in it, half a metre
    from the walls. RT60, the time in which sound falls by 60 dB, is drawn uniformly; the walls absorb what Sabine's
    formula says.

    Raises:
        InputError: a probability outside 0 to 1, no room, or times outside 0.15 to 1 s.
    """

    probability: float = 0.5
    rooms: int = 200
    rt60_low_s: float = 0.2
    rt60_high_s: float = 0.6

    def __post_init__(self) -> None:
        check_ranges(self)
        require_count(self.rooms, "rooms")
        if self.rt60_low_s < _SHORTEST_RT60_S or self.rt60_high_s > _LONGEST_RT60_S:
            raise InputError(
                f"rt60_low_s and rt60_high_s must lie between {_SHORTEST_RT60_S} and {_LONGEST_RT60_S}, "
                f"got {self.rt60_low_s!r} and {self.rt60_high_s!r}"
            )

    def responses(self, *, sampling_rate_hz: int, seed: int) -> RoomResponses:
        """Simulate the rooms; each is a function of ``seed``, its number and these options. Takes some 30 ms a room.

        Raises:
            MissingExtraError: pyroomacoustics is not installed.
        """
        library = require_room_simulation()
        rooms = [
            self._response(library, np.random.default_rng((_PURPOSE, seed, number)), sampling_rate_hz)
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
    """Import pyroomacoustics, late, as it is slow to import.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("pyroomacoustics")
    except ImportError as error:
        raise MissingExtraError(
            f'simulated rooms need pyroomacoustics: pip install "curvox[rooms]", or name a folder laid out as '
            f"RIRS_NOISES ({error})"
        ) from error


def _least_rt60_s(size: np.ndarray) -> float:
    """Sabine's reverberation time of a room whose walls absorb 95 per cent."""
    length, width, height = size
    surface = 2 * (length * width + length * height + width * height)
    return 0.161 * float(size.prod()) / (0.95 * float(surface))
