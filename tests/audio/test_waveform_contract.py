"""The contract suite over the sources of waveforms: decoded once, files, shards, shards over the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from shard_folders import make_shards, served

from curvox.audio import AbstractWaveforms, RecordingFiles, ShardStore, WaveformStore
from curvox.errors import InputError
from curvox.testing import check_waveform_source
from curvox.testing.waveform_contract import CHECKS, WaveformSourceFactory

RATE_HZ = 16000
NAMES = ("a.wav", "b.flac", "c.ogg", "slow.wav")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of noise of several formats and lengths, the last at another rate."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        rate_hz = 11025 if name == "slow.wav" else RATE_HZ
        soundfile.write(folder / name, 0.2 * rng.standard_normal(4000 + 3000 * number), rate_hz)
    return folder


@pytest.fixture(scope="module")
def factories(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, WaveformSourceFactory]]:
    shards, cache = tmp_path_factory.mktemp("shards") / "shards", tmp_path_factory.mktemp("cache")
    make_shards(shards, shards=2)
    with served(shards) as (url, _, _):
        ShardStore.copy_index(url, cache / "index")
        yield {
            "store": lambda: WaveformStore.build([folder / name for name in NAMES], cache=cache / "waves"),
            "files": lambda: RecordingFiles.open(folder, NAMES),
            "shards": lambda: ShardStore(shards, most_open=1),
            "served shards": lambda: ShardStore(cache / "index", url=url),
        }


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["store", "files", "shards", "served shards"])
def test_contract__holds(name: str, check: str, factories: dict[str, WaveformSourceFactory]) -> None:
    CHECKS[check](factories[name])


@pytest.mark.parametrize("name", ["store", "files"])
def test_contract__holds_beside_recordings_that_cannot_be_read(name: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    for known in NAMES[:2]:
        (tmp_path / known).write_bytes((folder / known).read_bytes())
    names = ["empty.wav", *NAMES[:2]]
    if name == "store":
        paths = [tmp_path / known for known in names]
        check_waveform_source(lambda: WaveformStore.build(paths, cache=tmp_path / "cache", on_error="skip"))
    else:
        check_waveform_source(lambda: RecordingFiles.open(tmp_path, names, on_error="skip"))


class Drawn(AbstractWaveforms):
    """Noise drawn anew from its place at every reading; the contract holds."""

    sampling_rate_hz = RATE_HZ

    def __len__(self) -> int:
        return 3

    def place(self, index: int) -> int:
        if not -3 <= index < 3:
            raise IndexError(f"recording {index} is not among 3")
        return index % 3

    def __getitem__(self, index: int) -> np.ndarray:
        place = self.place(index)
        return np.random.default_rng(place).integers(-3000, 3000, 2000 + 100 * place).astype(np.int16)

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        if not (start >= 0 and 0 <= length <= self.samples(index) - start):
            raise InputError(f"{length} samples from {start} are outside recording {index}")
        return self[index][start : start + length]

    def samples(self, index: int) -> int:
        return 2000 + 100 * self.place(index)

    def name(self, index: int) -> str:
        return ""

    @property
    def lengths_samples(self) -> np.ndarray:
        return np.array([2000, 2100, 2200], dtype=np.int64)


class Floating(Drawn):
    def __getitem__(self, index: int) -> np.ndarray:
        return super().__getitem__(index) / 32768


class Overstated(Drawn):
    @property
    def lengths_samples(self) -> np.ndarray:
        return super().lengths_samples + 1

    def samples(self, index: int) -> int:
        return super().samples(index) + 1


class Kept(Drawn):
    """Hands out its own samples to write on, and pickles them."""

    def __init__(self) -> None:
        self.waves = [super(Kept, self).__getitem__(place) for place in range(3)]

    def __getitem__(self, index: int) -> np.ndarray:
        return self.waves[index]


class Endless(Drawn):
    def place(self, index: int) -> int:
        return index % 3


class OnlyForwards(Drawn):
    def place(self, index: int) -> int:
        return abs(index) % 3 if -4 < index < 3 else super().place(index)


class Late(Drawn):
    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        return super().crop(index, start, length) if start == 0 else super().crop(index, start - 1, length)


class Slicing(Drawn):
    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        return self[index][start : start + length]


class Seeking(Drawn):
    """Remembers where it is between two steps of a reading, for all threads at once."""

    def __getitem__(self, index: int) -> np.ndarray:
        self.at = self.place(index)
        time.sleep(0.005)
        return super().__getitem__(self.at)


def test_check_waveform_source__passes_a_sound_source() -> None:
    check_waveform_source(Drawn)


@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (Floating, "recordings", "float64"),
        (Overstated, "recordings", "has 2000 samples, not 2001"),
        (Kept, "recordings", "differs at the second reading"),
        (Endless, "places", "must raise IndexError"),
        (OnlyForwards, "places", "from the end differs"),
        (Late, "crops", "differ from the whole recording"),
        (Slicing, "bad_crops", "must be refused"),
        (Kept, "pickling", "the pickle holds samples"),
        (Seeking, "threads", "threads read other samples"),
    ],
)
def test_contract__catches_a_broken_source(broken: Callable[[], AbstractWaveforms], check: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        CHECKS[check](broken)


def test_check_waveform_source__runs_every_check() -> None:
    with pytest.raises(AssertionError):
        check_waveform_source(Slicing)
