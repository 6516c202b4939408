"""Impulse responses of rooms: from a folder laid out as RIRS_NOISES, or simulated."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.audio.option_ranges import check_ranges, require_count
from curvox.audio.store import WaveformStore
from curvox.errors import InputError

_BEFORE_S = 0.02
_AFTER_S = 1.0
_SMALLEST_LEVEL = 1e-12


class RoomResponses:
    """A set of impulse responses, to draw from by number.

    Of a response, 20 ms before its largest sample and 1 s from there on are used; it is scaled to an energy of 1.

    Args:
        responses: impulse responses (samples,), of any lengths; integers or floats. Read when they are asked for, so
            a `WaveformStore` holds no memory.
        sampling_rate_hz: of all of them.

    Raises:
        InputError: none at all.
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

    Raises:
        InputError: a probability outside 0 to 1, or no response at all.
    """

    path: str
    probability: float = 0.5
    large_rooms: bool = False
    most_responses: int = 2000

    def __post_init__(self) -> None:
        check_ranges(self)
        require_count(self.most_responses, "most_responses")

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

        Raises:
            InputError: as `files`.
            AudioError: a response cannot be read.
        """
        store = WaveformStore.build(self.files(), sampling_rate_hz=sampling_rate_hz, cache=cache, progress=progress)
        return RoomResponses(store, sampling_rate_hz=sampling_rate_hz)
