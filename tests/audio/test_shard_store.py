"""A store of shards gives back what was put in, from a folder or over the network, and says what is damaged."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from shard_folders import make_shards, served

from curvox.audio import ShardStore, UnreachableError, WaveformStore, check_cache
from curvox.audio.sources import remote
from curvox.audio.sources.shard_index import INDEX, MEMBERS
from curvox.audio.sources.shards import member_name
from curvox.errors import AudioError, CorpusError, InputError


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0))


def remote_store(url: str, cache: Path, **options) -> ShardStore:
    ShardStore.copy_index(url, cache / "index")
    return ShardStore(cache / "index", url=url, **options)


def test_store__gives_back_the_recordings_and_their_crops(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards")
    store = ShardStore(tmp_path / "shards", most_open=2)
    assert len(store) == len(waves) == 12
    assert store.lengths_samples.tolist() == [len(wave) for wave in waves]
    assert store.shards.tolist() == np.repeat(np.arange(4), 3).tolist()
    for place in np.random.default_rng(0).permutation(12).tolist():
        np.testing.assert_array_equal(store[place], waves[place])
        np.testing.assert_array_equal(store.crop(place, 1234, 2000), waves[place][1234:3234])
    assert store.samples(-1) == len(waves[-1])
    with pytest.raises(InputError, match="outside recording 3"):
        store.crop(3, 3000, 1001)
    with pytest.raises(IndexError, match="store of 12"):
        store[12]


def test_store__pickles_by_its_path_and_opens_files_for_itself(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards")
    store = ShardStore(tmp_path / "shards")
    np.testing.assert_array_equal(store[5], waves[5])
    pickled = pickle.dumps(store)
    assert len(pickled) < 1000
    np.testing.assert_array_equal(pickle.loads(pickled)[5], waves[5])
    child = os.fork()
    if child == 0:
        found = np.array_equal(store[5], waves[5]) and np.array_equal(store[11], waves[11])
        os._exit(0 if found else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(store[4], waves[4])


def test_shards__are_tar_files_that_others_can_read(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", shards=1)
    with tarfile.open(tmp_path / "shards" / "train-000000.tar") as tar:
        assert tar.getnames() == ["u0/0.flac", "u0/1.flac", "u0/2.flac"]
        for row, member in zip(ShardStore(tmp_path / "shards").index.members, tar.getmembers(), strict=True):
            assert (row[1], row[2]) == (member.offset_data, member.size)


@pytest.mark.parametrize(
    ("utterance", "expected"),
    [("a/b-c_d", "a/b-c_d.flac"), ("a.b/c.d", "a%2Eb/c%2Ed.flac"), ("../x", "%2E%2E/x.flac"), ("/x", "%/x.flac")],
)
def test_member_name__has_its_first_point_before_the_suffix(utterance: str, expected: str) -> None:
    assert member_name(utterance, ".flac") == expected


def test_store__names_a_damaged_recording_and_reads_the_others(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards", codec="opus")
    store = ShardStore(tmp_path / "shards")
    row = store.index.members[4]
    with (tmp_path / "shards" / "train-000001.tar").open("r+b") as file:
        file.seek(int(row[1] + row[2] // 2))
        file.write(b"\0\0\0\0\0")
    with pytest.raises(AudioError, match=r"train-000001\.tar.*damaged"):
        store.crop(4, 0, 10)
    assert len(store[5]) == len(waves[5])


def test_store__a_lost_folder_is_no_bad_recording(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make_shards(tmp_path / "shards")
    store = ShardStore(tmp_path / "shards")
    (tmp_path / "shards").rename(tmp_path / "away")
    with pytest.raises(UnreachableError, match=r"also after 3 tries.*--resume"):
        store.crop(0, 0, 10)
    assert "trying again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 2}, "has version 2, this curvox reads version 1"),
        ({"format": "other"}, "not an index of shards: it has format 'other'"),
        ({"shards": [{"name": "../x.tar", "size": 1, "sha256": "", "recordings": 1}]}, "may lie outside"),
        ({"beside": {"/etc/passwd": ""}}, "may lie outside"),
        ({"beside": {MEMBERS: "0" * 64}}, "not the one"),
        ({"shards": "all"}, "shards: expected a tuple, got 'all'"),
        ({"sampling_rate_hz": "16000"}, "sampling_rate_hz: expected an integer"),
    ],
)
def test_index__that_is_foreign_or_damaged_is_refused(tmp_path: Path, change: dict, expected: str) -> None:
    make_shards(tmp_path / "shards", shards=1)
    path = tmp_path / "shards" / INDEX
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorpusError, match=expected):
        ShardStore(tmp_path / "shards")


def test_remote_store__equals_the_local_one_and_fetches_each_shard_once(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards")
    with served(tmp_path) as (url, requests, failures):
        failures["train-000002.tar"] = 2
        store = remote_store(f"{url}/shards", tmp_path / "cache")
        for place in (0, 11, 6, 7, 1, 10):
            np.testing.assert_array_equal(store[place], waves[place])
        assert requests["train-000000.tar"] == requests["train-000003.tar"] == 1
        assert requests["train-000002.tar"] == 3
        assert requests["train-000001.tar"] == 0
        again = remote_store(f"{url}/shards", tmp_path / "cache")
        np.testing.assert_array_equal(again[0], waves[0])
        assert requests["train-000000.tar"] == requests[MEMBERS] == 1


def test_remote_store__says_what_cannot_be_had(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards")
    with served(tmp_path) as (url, _, failures):
        with pytest.raises(InputError, match=r"nothing/shards\.json does not exist"):
            ShardStore.copy_index(f"{url}/nothing", tmp_path / "cache" / "index")
        with pytest.raises(CorpusError, match=r"no file 'trials/dev\.txt'"):
            ShardStore.copy_index(f"{url}/shards", tmp_path / "cache" / "index", beside=("trials/dev.txt",))
        store = remote_store(f"{url}/shards", tmp_path / "cache")
        failures["train-000000.tar"] = 9
        with pytest.raises(UnreachableError, match=r"train-000000\.tar cannot be fetched.*after 3 tries.*--resume"):
            store.crop(0, 0, 10)
        tar = tmp_path / "shards" / "train-000003.tar"
        tar.write_bytes(tar.read_bytes()[:-1000])
        with pytest.raises(UnreachableError, match="another checksum"):
            store.crop(9, 0, 10)
        assert list((tmp_path / "cache").glob("*.tar")) == list((tmp_path / "cache").glob(".*.writing")) == []


def test_cache__stays_below_its_limit_and_the_oldest_leaves_first(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards")
    with served(tmp_path) as (url, _, _):
        store = remote_store(f"{url}/shards", tmp_path / "cache", most_open=1)
        assert store.cache is not None
        sizes = [shard.size for shard in store.index.shards]
        store.cache.limit_bytes = 3 * max(sizes)
        kept = []
        for place in (0, 3, 6, 0, 9):
            np.testing.assert_array_equal(store[place], waves[place])
            kept.append({path.name for path in (tmp_path / "cache").glob("*.tar")})
            assert sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.tar")) <= 3 * max(sizes)
        names = [store.cache.path_of(shard).name for shard in store.index.shards]
        assert kept[-1] == {names[0], names[2], names[3]}  # the second was opened longest ago


def test_cache__never_removes_a_shard_that_another_process_has_open(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards")
    with served(tmp_path) as (url, _, _):
        store = remote_store(f"{url}/shards", tmp_path / "cache", most_open=1)
        assert store.cache is not None
        path = store.cache.path_of(store.index.shards[0])
        code = (
            "import sys\nfrom curvox.audio import ShardStore\n"
            f"store = ShardStore({str(tmp_path / 'cache' / 'index')!r}, url={url + '/shards'!r})\n"
            "store.crop(0, 0, 10)\nprint('open', flush=True)\nsys.stdin.read()\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"open\n"
            store.cache.limit_bytes = 1
            store.crop(3, 0, 10)
            assert path.exists()
            reader.communicate(b"")
        store.crop(6, 0, 10)
        assert not path.exists()


def test_cache__too_small_for_what_is_needed_at_once_is_refused(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards")
    shards = ShardStore(tmp_path / "shards").index.shards
    check_cache(shards, needed_at_once=2, cache_bytes=2 * max(shard.size for shard in shards))
    with pytest.raises(InputError, match=r"data\.cache_gb must hold the 3 shards"):
        check_cache(shards, needed_at_once=3, cache_bytes=2 * max(shard.size for shard in shards))


def test_copy__decodes_once_and_is_reused(tmp_path: Path) -> None:
    waves = make_shards(tmp_path / "shards")
    store = ShardStore(tmp_path / "shards")
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        copy = WaveformStore.copy(
            store,
            [7, 2],
            names=["a", "b"],
            state=store.index.fingerprint,
            cache=tmp_path / "cache",
            progress=lambda *call: calls.append(call),
        )
        np.testing.assert_array_equal(copy[0], waves[7])
        np.testing.assert_array_equal(copy[1], waves[2])
    assert calls == [(1, 2), (2, 2)]
