"""Rooms: the convolution is the one asked for, nothing moves, power stays, and the seeds alone decide."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import draw_waveforms
from scipy.signal import fftconvolve

from curvox.audio import RecordedRoomOptions, RoomResponses, reverberate
from curvox.errors import InputError
from curvox.testing.dummies import write_rirs_noises

RATE_HZ = 16000


def made_up(number: int = 5, seed: int = 1) -> list[np.ndarray]:
    """Responses of several lengths and delays, weak before the direct path and ringing on after it."""
    rng = np.random.default_rng(seed)
    made = []
    for delay, length in zip((0, 7, 100, 319, 250), (1, 900, 4000, 7000, 12000), strict=True):
        response = 0.05 * rng.standard_normal(delay + length) * np.exp(-np.arange(delay + length) / 2000)
        response[delay] = 1.0
        made.append(response)
    return made[:number]


@pytest.fixture(scope="module")
def responses() -> RoomResponses:
    return RoomResponses(made_up(), sampling_rate_hz=RATE_HZ)


@pytest.mark.parametrize("response", made_up())
def test_reverberate__is_the_convolution_aligned_at_the_direct_path(response: np.ndarray) -> None:
    batch = draw_waveforms(3)
    room = RoomResponses([response], sampling_rate_hz=RATE_HZ)
    heard = reverberate(batch, [1, 2, 3], responses=room, probability=1.0).double().numpy()
    direct = int(np.abs(response).argmax())
    for item, result in zip(batch.double().numpy(), heard, strict=True):
        expected = fftconvolve(item, response)[direct : direct + len(item)]
        expected *= np.sqrt(np.mean(item**2) / np.mean(expected**2))
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_reverberate__keeps_length_power_and_silence(responses: RoomResponses) -> None:
    batch = draw_waveforms(6, 12347) * torch.logspace(-3, 0, 6)[:, None]
    batch[2] = 0.0
    heard = reverberate(batch, list(range(6)), responses=responses, probability=1.0)
    assert heard.shape == batch.shape
    assert not heard[2].any()
    np.testing.assert_allclose(heard.square().mean(1), batch.square().mean(1), rtol=1e-4)


def test_reverberate__leaves_a_click_where_it_was(responses: RoomResponses) -> None:
    clicks = torch.zeros(8, 16000)
    clicks[:, 6000] = 1.0
    heard = reverberate(clicks, list(range(8)), responses=responses, probability=1.0)
    assert heard.abs().argmax(1).tolist() == [6000] * 8


def test_reverberate__does_not_wrap_around() -> None:
    clicks = torch.zeros(2, 8000)
    clicks[:, -1] = 1.0
    room = RoomResponses([np.r_[1.0, 0.5 * np.ones(6000)]], sampling_rate_hz=RATE_HZ)
    heard = reverberate(clicks, [0, 1], responses=room, probability=1.0)
    assert heard[:, :-1].abs().max() < 1e-5


def test_reverberate__an_item_does_not_depend_on_its_batch(responses: RoomResponses) -> None:
    batch = draw_waveforms(12)
    whole = reverberate(batch, list(range(12)), responses=responses, probability=0.7)
    for k in range(12):
        alone = reverberate(batch[k : k + 1], [k], responses=responses, probability=0.7)[0]
        torch.testing.assert_close(whole[k], alone, atol=1e-6, rtol=1e-5)


def test_reverberate__repeats_with_its_seeds_and_differs_with_others(responses: RoomResponses) -> None:
    batch = draw_waveforms()
    before = batch.clone()
    first, again = (reverberate(batch, [1, 2, 3, 4], responses=responses, probability=1.0) for _ in range(2))
    other = reverberate(batch, [5, 6, 7, 8], responses=responses, probability=1.0)
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    torch.testing.assert_close(batch, before, atol=0, rtol=0)
    assert not torch.allclose(first, other)


def test_reverberate__happens_as_often_as_its_probability(responses: RoomResponses) -> None:
    batch = draw_waveforms(500, 200)
    assert torch.equal(reverberate(batch, list(range(500)), responses=responses, probability=0.0), batch)
    changed = (reverberate(batch, list(range(500)), responses=responses, probability=0.4) != batch).any(1)
    # One response of the five is a single sample, which changes nothing but the rounding.
    assert 130 < int(changed.sum()) < 240


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_reverberate__keeps_the_type(dtype: torch.dtype, responses: RoomResponses) -> None:
    assert reverberate(draw_waveforms(2).to(dtype), [0, 1], responses=responses, probability=1.0).dtype == dtype


def test_responses__are_cut_around_the_direct_path_and_have_unit_energy() -> None:
    response = np.zeros(60000)
    response[[100, 20000, 30000, 50000]] = 0.5, 1.0, 0.5, 0.5
    rooms = RoomResponses([response], sampling_rate_hz=RATE_HZ)
    before, after = rooms.around_direct_path(0)
    assert (len(before), len(after)) == (320, 16000)
    assert rooms.longest_samples == 16320
    np.testing.assert_allclose((before**2).sum() + (after**2).sum(), 1.0, rtol=1e-6)
    assert after[0] == pytest.approx(2 * after[10000])


def test_responses__need_at_least_one() -> None:
    with pytest.raises(InputError, match="at least one impulse response"):
        RoomResponses([], sampling_rate_hz=RATE_HZ)


def test_recorded_rooms__are_the_small_and_middle_ones_of_the_folder(tmp_path: Path) -> None:
    folder = write_rirs_noises(tmp_path / "RIRS_NOISES")
    kinds = {path.parts[-3] for path in RecordedRoomOptions(path=str(folder)).files()}
    assert kinds == {"smallroom", "mediumroom"}
    assert len(RecordedRoomOptions(path=str(folder), large_rooms=True).files()) == 12
    few = RecordedRoomOptions(path=str(folder), most_responses=3).files()
    assert len(set(few)) == 3
    assert {path.parts[-3] for path in few} == kinds


def test_recorded_rooms__are_read_once_as_they_are(tmp_path: Path) -> None:
    options = RecordedRoomOptions(path=str(write_rirs_noises(tmp_path / "RIRS_NOISES")))
    rooms = options.responses(sampling_rate_hz=RATE_HZ, cache=tmp_path / "cache")
    assert len(rooms) == 8
    before, after = rooms.around_direct_path(0)  # sorted by path, so of a middle-sized room
    assert len(before) == 160
    assert after[0] == np.abs(after).max()
    stores = sorted((tmp_path / "cache").glob("*.waves"))
    options.responses(sampling_rate_hz=RATE_HZ, cache=tmp_path / "cache")
    assert sorted((tmp_path / "cache").glob("*.waves")) == stores


def test_recorded_rooms__without_responses_say_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError, match=r"laid out as RIRS_NOISES, .*got a folder without them.*openslr"):
        RecordedRoomOptions(path=str(tmp_path / "here")).files()
    with pytest.raises(InputError, match="got no such folder"):
        RecordedRoomOptions(path=str(tmp_path / "gone")).files()


@pytest.mark.parametrize(
    ("wrong", "said"), [({"probability": 2.0}, "between 0 and 1"), ({"most_responses": 0}, "least 1")]
)
def test_recorded_rooms__refuse_values_that_do_not_fit(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        RecordedRoomOptions(path="x", **wrong)
