"""Simulated rooms ring as long as they were asked to, and depend on their seed alone."""

import numpy as np
import pytest

from curvox.audio import RoomResponses, SimulatedRoomOptions, require_room_simulation
from curvox.errors import InputError, MissingExtraError

RATE_HZ = 16000


@pytest.fixture(scope="module")
def library() -> None:
    pytest.importorskip("pyroomacoustics", reason="the extra curvox[rooms] is not installed")


def reverberation_time_s(response: np.ndarray) -> float:
    """T20 by Schroeder's backward integration (1965), with a straight line from -5 to -25 dB."""
    energy = np.cumsum(response[::-1].astype(float) ** 2)[::-1]
    level_db = 10 * np.log10(energy[energy > 0] / energy[0])
    within = (level_db < -5) & (level_db > -25)
    slope, _ = np.polyfit(np.flatnonzero(within) / RATE_HZ, level_db[within], 1)
    return -60 / slope


def whole(rooms: RoomResponses, index: int) -> np.ndarray:
    return np.concatenate(rooms.around_direct_path(index))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("rt60_s", [0.3, 0.6])
def test_simulated_rooms__ring_as_long_as_asked(rt60_s: float) -> None:
    options = SimulatedRoomOptions(rooms=12, rt60_low_s=rt60_s, rt60_high_s=rt60_s)
    rooms = options.responses(sampling_rate_hz=RATE_HZ, seed=3)
    times_s = [reverberation_time_s(whole(rooms, index)) for index in range(len(rooms))]
    # Sabine's formula holds for diffuse sound; image sources in a shoebox stray from it by some 20 %.
    assert np.median(times_s) == pytest.approx(rt60_s, rel=0.25)
    assert len(rooms) == 12


@pytest.mark.usefixtures("library")
def test_simulated_rooms__are_a_function_of_seed_and_number() -> None:
    first, again, more, other = (
        SimulatedRoomOptions(rooms=rooms).responses(sampling_rate_hz=RATE_HZ, seed=seed)
        for rooms, seed in ((3, 1), (3, 1), (5, 1), (3, 2))
    )
    for index in range(3):
        np.testing.assert_array_equal(whole(first, index), whole(again, index))
        np.testing.assert_array_equal(whole(first, index), whole(more, index))
        assert not np.array_equal(whole(first, index), whole(other, index))
        assert not np.array_equal(whole(more, index), whole(more, index + 2))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("seed", range(3))
def test_simulated_rooms__of_the_shortest_time_are_possible(seed: int) -> None:
    options = SimulatedRoomOptions(rooms=10, rt60_low_s=0.15, rt60_high_s=0.15)
    for index in range(len(rooms := options.responses(sampling_rate_hz=8000, seed=seed))):
        assert np.isfinite(whole(rooms, index)).all()


def test_simulated_rooms__without_the_library_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyroomacoustics", None)
    with pytest.raises(MissingExtraError, match=r"curvox\[rooms\].*or name a folder"):
        require_room_simulation()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"probability": -0.1}, "between 0 and 1"),
        ({"rooms": 0}, "at least 1"),
        ({"rt60_low_s": 0.7}, "at most rt60_high_s"),
        ({"rt60_low_s": 0.05}, "between 0.15 and 1"),
        ({"rt60_high_s": 3.0}, "between 0.15 and 1"),
    ],
)
def test_simulated_rooms__refuse_values_that_do_not_fit(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        SimulatedRoomOptions(**wrong)
