"""From a corpus to batches: decoded once into one memory-mapped file, then cut at the cost of a slice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from curvox.audio import WaveformStore, from_int16
from curvox.corpora import (
    Corpus,
    EpochPlan,
    TrialList,
    Utterance,
    epoch_plan,
    holdout_speakers,
    make_trials,
    read_corpus,
    read_trials,
    shard,
    speaker_epoch_plan,
)
from curvox.errors import InputError, RecipeError
from curvox.training.prepared import PreparedData, Recordings, choose_recordings
from curvox.training.recipe import DataRecipe


def prepare_data(
    recipe: DataRecipe, *, seed: int, cache: Path, progress: Callable[[int, int], None] | None = None
) -> PreparedData:
    """Read the corpus, decode both splits into ``cache`` (reused by the next run) and read or draw the dev trials.

    Raises:
        CorpusError: the manifest or the trials are wrong.
        AudioError: recordings cannot be read and ``skip_unreadable`` is false.
    """
    corpus = open_corpus(recipe, seed)
    splits = corpus.split(recipe.train_split), corpus.split(recipe.dev_split)
    train, dev = splits if recipe.most_recordings is None else (_some(s, recipe.most_recordings, seed) for s in splits)
    trials = _dev_trials(recipe, corpus, dev, seed)
    needed = {*map(str, trials.enrolments), *map(str, trials.tests)}
    heard = [u for u in corpus.utterances if u.utterance in needed]
    chosen = [*train.utterances, *heard]
    store = WaveformStore.build(
        [corpus.path_of(u) for u in chosen],
        sampling_rate_hz=recipe.sampling_rate_hz,
        segments=[(u.start_s, u.segment_s) for u in chosen],
        cache=cache,
        on_error="skip" if recipe.skip_unreadable else "raise",
        progress=progress,
    )
    train_items = _recordings(store, train.utterances, 0)
    dev_items = _recordings(store, heard, len(train.utterances))
    if len(train_items.speaker_names) < 2:
        raise InputError(
            f"training needs at least 2 speakers, the split {recipe.train_split!r} has {train_items.speaker_names}"
        )
    enrolments, tests, labels = _positions(trials, dev_items)
    if labels.all() or not labels.any():
        raise InputError(
            f"the dev trials must hold both classes, got {int(labels.sum())} same-speaker and "
            f"{int((~labels).sum())} different-speaker trials"
        )
    unreadable = tuple(f"{failure.path}: {failure.message}" for failure in store.failures)
    return PreparedData(train_items, dev_items, enrolments, tests, labels, len(trials) - len(labels), unreadable)


def _some(corpus: Corpus, most: int, seed: int) -> Corpus:
    """At most ``most`` recordings of a corpus, of whole speakers."""
    speakers = np.unique([u.speaker for u in corpus.utterances], return_inverse=True)[1]
    rows = choose_recordings(speakers, most, seed)
    return Corpus(corpus.root, tuple(corpus.utterances[row] for row in rows), corpus.name)


def open_corpus(recipe: DataRecipe, seed: int) -> Corpus:
    """Read the recipe's corpus; one without splits is split by speaker when the recipe says how."""
    if recipe.path is None:
        raise RecipeError("no corpus given: use --data FOLDER, or data.path in the recipe")
    # With skip_unreadable a missing recording is no fault of the corpus: decoding finds it, and the run names it.
    corpus = read_corpus(
        recipe.path, format=recipe.format, audio_root=recipe.audio_root, check_files=not recipe.skip_unreadable
    )
    if recipe.holdout_dev_speakers is not None:
        return holdout_speakers(corpus, dev_speakers=recipe.holdout_dev_speakers, seed=seed)
    if not corpus.splits:
        raise RecipeError(
            f'the corpus "{corpus.name}" has no splits: set data.holdout_dev_speakers to the number of its '
            f"{len(corpus.speakers)} speakers to measure on, the others are trained on"
        )
    return corpus


def _dev_trials(recipe: DataRecipe, corpus: Corpus, dev: Corpus, seed: int) -> TrialList:
    if recipe.dev_trials is None:
        return make_trials(dev, seed=seed, targets_per_speaker=20, nontargets_per_speaker=100)
    path = corpus.root / recipe.dev_trials
    if not path.exists():
        raise RecipeError(
            f"the dev trials {path} do not exist: name others in data.dev_trials, "
            "or set it to null to draw trials from the dev speakers"
        )
    trials = read_trials(path)
    trials.check_against(corpus)
    heard = {*map(str, trials.enrolments), *map(str, trials.tests)}
    trained = heard & {u.utterance for u in corpus.split(recipe.train_split).utterances}
    if trained:
        raise RecipeError(
            f"dev trials name {len(trained)} training utterances (first: {min(trained)}); use dev speakers only"
        )
    return trials


def _recordings(store: WaveformStore, utterances: Sequence[Utterance], first: int) -> Recordings:
    kept = [(first + i, u) for i, u in enumerate(utterances) if store.samples(first + i) > 0]
    names = tuple(sorted({u.speaker for _, u in kept}))
    number = {name: i for i, name in enumerate(names)}
    sessions, session_names = _numbered([u.session for _, u in kept])
    channels, channel_names = _numbered([u.channel for _, u in kept])
    return Recordings(
        store,
        np.array([place for place, _ in kept], dtype=np.int64),
        tuple(u.utterance for _, u in kept),
        np.array([number[u.speaker] for _, u in kept], dtype=np.int64),
        names,
        sessions,
        session_names,
        channels if any(channel_names) else None,
        channel_names,
    )


def _numbered(labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels as numbers (N,), and the labels in the order of the numbers."""
    names = tuple(sorted(set(labels)))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[label] for label in labels], dtype=np.int64), names


def _positions(trials: TrialList, dev: Recordings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the dev trials as positions; trials of unreadable recordings are left out, as the run reports."""
    place = {name: i for i, name in enumerate(dev.utterances)}
    enrolments = np.array([place.get(str(e), -1) for e in trials.enrolments])
    tests = np.array([place.get(str(t), -1) for t in trials.tests])
    kept = (enrolments >= 0) & (tests >= 0)
    labels = np.asarray(trials.labels, dtype=bool)[kept]
    return enrolments[kept], tests[kept], labels


class CropDataset(Dataset):
    """Crops of recordings; asked for a whole batch of (item, start_samples, seed) at once."""

    def __init__(self, recordings: Recordings, crop_samples: int):
        self.recordings = recordings
        self.crop_samples = crop_samples

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Tensor]:
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[tuple[int, int, int]]) -> dict[str, Tensor]:
        crops = np.empty((len(keys), self.crop_samples), dtype=np.int16)
        for row, (item, start, _) in zip(crops, keys, strict=True):
            self._cut(row, item, start)
        items = np.array([item for item, _, _ in keys])
        return {
            "waveforms": torch.from_numpy(from_int16(crops)),
            "speakers": torch.from_numpy(self.recordings.speakers[items]),
            "items": torch.from_numpy(items),
            "seeds": torch.tensor([seed for _, _, seed in keys]),
        }

    def _cut(self, row: np.ndarray, item: int, start: int) -> None:
        """Fill ``row``; a recording shorter than the crop is repeated, as is usual in the field."""
        store, place = self.recordings.store, int(self.recordings.places[item])
        piece = store.crop(place, start, min(self.crop_samples, store.samples(place) - start))
        for begin in range(0, len(row), len(piece)):
            part = row[begin : begin + len(piece)]
            part[:] = piece[: len(part)]


class PlannedBatches(Sampler):
    """The batches of an epoch, a pure function of (seed, epoch), from any position on; each in ``parts`` equal ones."""

    def __init__(self, plan: Callable[[int], EpochPlan], rank: int, processes: int, parts: int = 1):
        self.plan, self.rank, self.processes, self.parts = plan, rank, processes, parts
        self.epoch, self.first_batch = 0, 0
        self.batches = len(plan(0).indices)

    def __len__(self) -> int:
        return self.batches * self.parts

    def set_epoch(self, epoch: int) -> None:
        """Move to the start of another epoch; the epoch that training stands in keeps its position."""
        if epoch != self.epoch:
            self.epoch, self.first_batch = epoch, 0

    def stand_at(self, epoch: int, batch: int) -> None:
        """Continue at batch ``batch`` of ``epoch``, after a resume."""
        self.epoch, self.first_batch = epoch, batch

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        plan = shard(self.plan(self.epoch), self.rank, self.processes)
        rows = zip(plan.indices, plan.starts_samples, plan.item_seeds, strict=True)
        for batch, (items, starts, seeds) in enumerate(rows):
            if batch >= self.first_batch:
                keys = list(zip(items.tolist(), starts.tolist(), seeds.tolist(), strict=True))
                size = len(keys) // self.parts
                yield from (keys[first : first + size] for first in range(0, len(keys), size))


def _plan(items: Recordings, recipe: DataRecipe, crop_samples: int, seed: int, epoch: int) -> EpochPlan:
    if recipe.recordings_per_speaker is not None:
        return speaker_epoch_plan(
            items.speakers,
            items.lengths_samples,
            items.sessions,
            crop_samples=crop_samples,
            batch_size=recipe.batch_size,
            recordings_per_speaker=recipe.recordings_per_speaker,
            seed=seed,
            epoch=epoch,
            crops_per_epoch=recipe.crops_per_epoch,
            max_crops_per_utterance=recipe.max_crops_per_utterance,
        )
    return epoch_plan(
        items.speakers,
        items.lengths_samples,
        crop_samples=crop_samples,
        batch_size=recipe.batch_size,
        seed=seed,
        epoch=epoch,
        balance=recipe.balance,
        crops_per_epoch=recipe.crops_per_epoch,
        max_crops_per_utterance=recipe.max_crops_per_utterance,
    )


def training_loader(
    data: PreparedData, recipe: DataRecipe, *, seed: int, rank: int, processes: int, parts: int = 1
) -> DataLoader:
    """Return the loader of training batches; each process gets its part of every batch, in ``parts`` further ones."""
    crop_samples = round(recipe.crop_s * recipe.sampling_rate_hz)
    plan = functools.partial(_plan, data.train, recipe, crop_samples, seed)
    batches = PlannedBatches(plan, rank, processes, parts)
    dataset = CropDataset(data.train, crop_samples)
    persistent = recipe.workers > 0
    return DataLoader(
        dataset, batch_sampler=batches, collate_fn=_as_is, num_workers=recipe.workers, persistent_workers=persistent
    )


def _as_is(batch: Any) -> Any:
    return batch
