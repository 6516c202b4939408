"""Where the waveforms of a run come from: decoded once, read from their files, or from shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.audio import (
    AbstractWaveforms,
    Failure,
    RecordingFiles,
    ShardStore,
    WaveformStore,
    check_cache,
    is_shard_folder,
    is_url,
)
from curvox.corpora import BadRecording, Corpus, Utterance, check_share, default_lanes, read_corpus
from curvox.errors import RecipeError
from curvox.training.recipe.recipe import DataRecipe

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Waveforms:
    """The waveforms of some utterances: a source, and their places in it."""

    source: AbstractWaveforms
    places: np.ndarray


@dataclass(frozen=True)
class Sources:
    """The waveforms of both splits, and what could not be read."""

    train: Waveforms
    dev: Waveforms
    bad: tuple[BadRecording, ...]


def read_source_corpus(recipe: DataRecipe, cache: Path | None) -> Corpus:
    """Read the recipe's corpus; of a folder of shards its labels, with a remote index copied into ``cache``.

    Raises:
        RecipeError: none is named, or the recipe asks for what shards do not have.
    """
    if recipe.path is None:
        raise RecipeError("no corpus given: use --data FOLDER, or data.path in the recipe")
    if is_shard_folder(recipe.path):
        _check_shard_recipe(recipe)
        return read_corpus(shard_store(recipe, cache).folder, format="shards")
    # Where bad recordings are allowed a missing one is no fault of the corpus: decoding finds it, and the run names it.
    return read_corpus(
        recipe.path, format=recipe.format, audio_root=recipe.audio_root, check_files=not recipe.allowed_bad_share
    )


def shard_store(recipe: DataRecipe, cache: Path | None) -> ShardStore:
    """Open the recipe's shards, local or remote.

    Raises:
        RecipeError: they have another sampling rate.
        InputError: the cache is too small for the shards that are needed at once.
    """
    path = str(recipe.path)
    lanes = recipe.shard_lanes or default_lanes(recipe.batch_size)
    if is_url(path):
        if cache is None:
            raise RecipeError(f"the shards at {path} are remote, which goes with training alone; name a folder")
        folder = cache / "shards" / hashlib.sha256(path.encode()).hexdigest()[:16]
        beside = () if recipe.dev_trials is None else (recipe.dev_trials,)
        ShardStore.copy_index(path, folder, beside=beside)
        cache_bytes, most_open = round(1e9 * recipe.cache_gb), lanes * (recipe.shard_window + 1)
        store = ShardStore(folder, url=path, cache_bytes=cache_bytes, most_open=most_open)
        check_cache(store.index.shards, needed_at_once=most_open + lanes, cache_bytes=cache_bytes)
    else:
        store = ShardStore(path)
    if store.sampling_rate_hz != recipe.sampling_rate_hz:
        raise RecipeError(
            f"the shards at {path} have {store.sampling_rate_hz} Hz, data.sampling_rate_hz asks for "
            f"{recipe.sampling_rate_hz}; change that, or write them again with --sampling-rate-hz"
        )
    return store


def open_sources(
    recipe: DataRecipe,
    corpus: Corpus,
    train: Sequence[Utterance],
    dev: Sequence[Utterance],
    cache: Path,
    progress: Progress | None,
) -> Sources:
    """Open the waveforms of both splits; those of dev, which every epoch asks for, are always decoded.

    Raises:
        AudioError: more recordings cannot be read than ``allowed_bad_share`` allows.
    """
    opening = _Opening(recipe, corpus, cache, progress, "skip" if recipe.allowed_bad_share else "raise")
    if is_shard_folder(str(recipe.path)):
        sources = opening.shards(train, dev)
    elif recipe.storage == "files":
        sources = opening.files(train, dev)
    else:
        store = opening.decode([*train, *dev])
        places = np.arange(len(train) + len(dev))
        split = Waveforms(store, places[: len(train)]), Waveforms(store, places[len(train) :])
        sources = Sources(*split, _named(store.failures, [*train, *dev]))
    if sources.bad:
        check_share(len(sources.bad), len(train) + len(dev), recipe.allowed_bad_share, sources.bad[-1])
    return sources


@dataclass(frozen=True)
class _Opening:
    recipe: DataRecipe
    corpus: Corpus
    cache: Path
    progress: Progress | None
    on_error: str

    def decode(self, utterances: Sequence[Utterance]) -> WaveformStore:
        return WaveformStore.build(
            [self.corpus.path_of(u) for u in utterances],
            sampling_rate_hz=self.recipe.sampling_rate_hz,
            segments=[(u.start_s, u.segment_s) for u in utterances],
            cache=self.cache,
            on_error=self.on_error,
            progress=self.progress,
        )

    def files(self, train: Sequence[Utterance], dev: Sequence[Utterance]) -> Sources:
        files = RecordingFiles.open(
            self.corpus.root,
            [u.path for u in train],
            sampling_rate_hz=self.recipe.sampling_rate_hz,
            segments=[(u.start_s, u.segment_s) for u in train],
            durations_s=[u.duration_s for u in train],
            progress=self.progress,
            on_error=self.on_error,
        )
        decoded = self.decode(dev)
        bad = *_named(files.failures, train), *_named(decoded.failures, dev)
        return Sources(Waveforms(files, np.arange(len(train))), Waveforms(decoded, np.arange(len(dev))), bad)

    def shards(self, train: Sequence[Utterance], dev: Sequence[Utterance]) -> Sources:
        store = shard_store(self.recipe, self.cache)
        row = {u.utterance: number for number, u in enumerate(self.corpus.utterances)}
        places = [np.array([row[u.utterance] for u in part], dtype=np.int64) for part in (train, dev)]
        # In the order of the shards, so that a remote one is fetched once.
        order = np.argsort(places[1], kind="stable")
        decoded = WaveformStore.copy(
            store,
            places[1][order].tolist(),
            names=[dev[place].path for place in order],
            state=store.index.fingerprint,
            cache=self.cache,
            progress=self.progress,
            on_error=self.on_error,
        )
        bad = _named(decoded.failures, [dev[place] for place in order])
        return Sources(Waveforms(store, places[0]), Waveforms(decoded, np.argsort(order)), bad)


def _named(failures: Sequence[Failure], utterances: Sequence[Utterance]) -> tuple[BadRecording, ...]:
    return tuple(BadRecording(u.path, u.utterance, f.message) for f in failures for u in [utterances[f.index]])


def _check_shard_recipe(recipe: DataRecipe) -> None:
    """Refuse what does not go with shards, which come one after another."""
    asked = {
        "data.balance": recipe.balance != "utterance",
        "data.recordings_per_speaker": recipe.recordings_per_speaker is not None,
        "data.crops_per_epoch": recipe.crops_per_epoch is not None,
        "data.audio_root": recipe.audio_root is not None,
        "data.storage": recipe.storage != "decoded",
        "data.format": recipe.format not in (None, "shards"),
    }
    if wrong := [key for key, is_asked in asked.items() if is_asked]:
        raise RecipeError(
            f"{recipe.path} is a folder of shards, which give every recording in turn: leave out "
            f"{', '.join(wrong)} (such as -s data.balance=utterance), or train on the corpus itself"
        )
