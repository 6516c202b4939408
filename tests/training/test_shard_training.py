"""Training on shards and on files: the same batches whoever reads them, an exact resume, bad recordings counted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shard_folders import make_shards, served
from tiny_recipes import change

from curvox.audio import ShardStore
from curvox.corpora import EpochPlan, ShardingOptions, read_corpus, shard_corpus
from curvox.errors import AudioError, InputError, RecipeError, TrainingError
from curvox.training import Recipe, train
from curvox.training.data.crops import BAD_FILES
from curvox.training.data.loading import PlannedBatches, ShardPrefetch, prepare_data, training_loader
from curvox.training.run.checkpoints import read_training_state
from curvox.training.step.module import SpeakerModule


@pytest.fixture(scope="module")
def shards(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharded") / "shards"
    shard_corpus(read_corpus(voices), folder, ShardingOptions(shard_mb=0.25, workers=1), trials=voices / "trials")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def on_shards(tree: dict[str, Any], shards: Path | str, *overrides: str) -> Recipe:
    return change(tree, f"data.path={shards}", "data.shard_lanes=4", "data.shard_window=2", *overrides)


def batches_of(recipe: Recipe, cache: Path, rank: int = 0, processes: int = 1, start: int = 0) -> list[dict]:
    data = prepare_data(recipe.data, seed=recipe.seed, cache=cache)
    loader = training_loader(data, recipe.data, seed=recipe.seed, rank=rank, processes=processes)
    assert isinstance(loader.batch_sampler, PlannedBatches)
    loader.batch_sampler.stand_at(1, start)
    return list(loader)


def same(one: list[dict], other: list[dict]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a
    )


def test_shard_batches__are_alike_for_workers_processes_and_a_late_start(
    tiny_tree: dict[str, Any], shards: Path, cache: Path
) -> None:
    recipe = on_shards(tiny_tree, shards)
    whole = batches_of(recipe, cache)
    assert len(whole) > 4
    assert same(batches_of(on_shards(tiny_tree, shards, "data.workers=2"), cache), whole)
    assert same(batches_of(recipe, cache, start=3), whole[3:])
    parts = [batches_of(recipe, cache, rank, 2) for rank in range(2)]
    joined = [{key: torch.cat([a[key], b[key]]) for key in a} for a, b in zip(*parts, strict=True)]
    assert same(joined, whole)
    with pytest.raises(RecipeError, match=r"data\.shard_lanes must be a multiple of the 3 processes"):
        batches_of(recipe, cache, 0, 3)


def test_shard_batches__hold_the_samples_of_the_decoded_corpus(
    tiny_tree: dict[str, Any], voices: Path, shards: Path, cache: Path
) -> None:
    recipe = on_shards(tiny_tree, shards)
    from_shards = prepare_data(recipe.data, seed=1, cache=cache)
    decoded = prepare_data(change(tiny_tree, f"data.path={voices}").data, seed=1, cache=cache)
    assert from_shards.train.speaker_names == decoded.train.speaker_names
    row = {name: number for number, name in enumerate(decoded.train.utterances)}
    for number, name in enumerate(from_shards.train.utterances):
        np.testing.assert_array_equal(from_shards.train.waveform(number), decoded.train.waveform(row[name]))
    dev = {name: number for number, name in enumerate(decoded.dev.utterances)}
    for number, name in enumerate(from_shards.dev.utterances):
        np.testing.assert_array_equal(from_shards.dev.waveform(number), decoded.dev.waveform(dev[name]))


def test_file_batches__are_alike_for_workers(tiny_tree: dict[str, Any], cache: Path) -> None:
    recipe = change(tiny_tree, "data.storage=files")
    whole = batches_of(recipe, cache)
    assert same(batches_of(change(tiny_tree, "data.storage=files", "data.workers=2"), cache), whole)


def test_remote_run__resumes_in_mid_epoch_and_fetches_what_is_still_needed(
    tiny_tree: dict[str, Any], shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = SpeakerModule.training_step

    def stopping(module: SpeakerModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if module.global_step == 6:
            raise KeyboardInterrupt
        return step(module, batch, batch_idx)

    with served(shards.parent) as (url, requests, _):
        options = [
            "training.epochs=1",
            "training.checkpoint_every_steps=5",
            "data.shard_lanes=1",
            "data.shard_window=1",
        ]
        recipe = on_shards(tiny_tree, f"{url}/{shards.name}", *options)
        whole = train(recipe, tmp_path / "whole")
        assert {requests[tar.name] for tar in shards.glob("train-*.tar")} == {1}
        shutil.rmtree(tmp_path / ".cache" / "shards")
        with monkeypatch.context() as patch:
            patch.setattr(SpeakerModule, "training_step", stopping)
            with pytest.raises(TrainingError, match="--resume"):
                train(recipe, tmp_path / "broken")
        shutil.rmtree(tmp_path / ".cache" / "shards")
        requests.clear()
        resumed = train(recipe, tmp_path / "broken", resume=True)
        data = prepare_data(recipe.data, seed=recipe.seed, cache=tmp_path / ".cache")
        loader = training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1)
    assert isinstance(loader.batch_sampler, PlannedBatches)
    rest = loader.batch_sampler.plan(0).indices[5:]
    store = ShardStore(shards)
    needed = {store.index.shards[number].name for number in store.shards[data.train.places[rest]].ravel()}
    assert {name for name in requests if name.startswith("train-")} == needed < {s.name for s in store.index.shards}
    assert resumed.best == whole.best
    first, second = (read_training_state(tmp_path / name / "last") for name in ("whole", "broken"))
    torch.testing.assert_close(second["state_dict"], first["state_dict"], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.balance=sqrt", r"leave out data\.balance"),
        ("data.recordings_per_speaker=2", r"leave out data\.recordings_per_speaker"),
        ("data.crops_per_epoch=20", r"leave out data\.crops_per_epoch"),
        ("data.storage=files", r"leave out data\.storage"),
        ("data.sampling_rate_hz=8000", r"have 16000 Hz, data\.sampling_rate_hz asks for 8000"),
    ],
)
def test_shard_recipe__refuses_what_does_not_go_with_shards(
    tiny_tree: dict[str, Any], shards: Path, cache: Path, override: str, expected: str
) -> None:
    with pytest.raises(RecipeError, match=expected):
        prepare_data(on_shards(tiny_tree, shards, override).data, seed=1, cache=cache)


def test_remote_recipe__refuses_a_cache_that_is_too_small(tiny_tree: dict[str, Any], shards: Path, cache: Path) -> None:
    with served(shards.parent) as (url, _, _):
        small = on_shards(tiny_tree, f"{url}/{shards.name}", "data.cache_gb=0.0004")
        with pytest.raises(InputError, match=r"data\.cache_gb must hold"):
            prepare_data(small.data, seed=1, cache=cache)


def broken(shards: Path, folder: Path, count: int) -> tuple[Path, set[str]]:
    """Copy shards, and damage the first ``count`` training recordings; return their utterances."""
    shutil.copytree(shards, folder)
    corpus, store = read_corpus(folder), ShardStore(folder)
    rows = [row for row, u in enumerate(corpus.utterances) if u.split == "train"][:count]
    for row in rows:
        shard, offset, size = map(int, store.index.members[row, :3])
        with (folder / store.index.shards[shard].name).open("r+b") as file:
            file.seek(offset + size // 3)
            file.write(bytes(64))
    return folder, {corpus.utterances[row].utterance for row in rows}


def test_bad_crops__are_replaced_alike_by_any_number_of_workers(
    tiny_tree: dict[str, Any], shards: Path, cache: Path, tmp_path: Path
) -> None:
    folder, bad = broken(shards, tmp_path / "shards", 2)
    recipe = on_shards(tiny_tree, folder, "data.allowed_bad_share=0.1")
    data = prepare_data(recipe.data, seed=1, cache=cache)
    found = batches_of(recipe, cache)
    assert same(batches_of(on_shards(tiny_tree, folder, "data.allowed_bad_share=0.1", "data.workers=2"), cache), found)
    sound = batches_of(on_shards(tiny_tree, shards), cache)
    changed = 0
    for batch, before in zip(found, sound, strict=True):
        names = [data.train.utterances[item] for item in batch["items"]]
        assert not bad & set(names)
        assert torch.equal(batch["speakers"], before["speakers"])  # these speakers have other recordings
        changed += int((batch["items"] != before["items"]).sum())
    assert changed >= 2


def test_run__lists_bad_crops_of_all_workers_and_fails_when_their_share_is_passed(
    tiny_tree: dict[str, Any], shards: Path, tmp_path: Path
) -> None:
    folder, bad = broken(shards, tmp_path / "shards", 2)
    options = ["training.epochs=1", "data.workers=2"]
    strict = on_shards(tiny_tree, folder, *options, "data.allowed_bad_share=0.03")
    with pytest.raises(AudioError, match=r"^2 of 40 recordings cannot be read, allowed is a share of 0\.03"):
        train(strict, tmp_path / "run")
    lenient = on_shards(tiny_tree, folder, *options, "data.allowed_bad_share=0.1")
    result = train(lenient, tmp_path / "run", resume=True)
    lines = (tmp_path / "run" / BAD_FILES).read_text().splitlines()
    assert {line.split("\t")[1] for line in lines[1:]} == bad
    assert len(lines) - 1 == len(result.unreadable) == 2


def test_prefetch__fetches_a_few_shards_ahead_and_no_more(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", shards=6, each=1)
    plan = EpochPlan(np.arange(6)[:, None], np.zeros((6, 1), int), np.zeros((6, 1), int), 0)
    with served(tmp_path) as (url, requests, _):
        ShardStore.copy_index(f"{url}/shards", tmp_path / "cache" / "index")
        store = ShardStore(tmp_path / "cache" / "index", url=f"{url}/shards")
        prefetch = ShardPrefetch(store, store.shards, ahead=2)
        prefetch.start(plan, 1)
        for batch in (1, 3):
            prefetch.reach(batch)
            until(lambda last=batch + 2: requests[f"train-{last:06d}.tar"] == 1)
            assert sorted(name for name in requests if name.startswith("train")) == [
                f"train-{number:06d}.tar" for number in range(1, batch + 3)
            ]
        prefetch.start(plan, 6)  # the epoch is over


def until(happened: Callable[[], bool]) -> None:
    """Wait for another thread; a test that waits in vain is stopped here."""
    for _ in range(2000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")
