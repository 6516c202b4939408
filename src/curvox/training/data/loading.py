"""From a corpus to batches: splits, dev trials, the plan of an epoch, the loader."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Sampler

from curvox.audio import ShardStore, UnreachableError, cut_samples
from curvox.corpora import (
    Corpus,
    EpochPlan,
    TrialList,
    Utterance,
    default_lanes,
    epoch_plan,
    holdout_speakers,
    make_trials,
    plan_speeds,
    read_trials,
    shard,
    shard_epoch_plan,
    shards_by_first_use,
    speaker_epoch_plan,
    speaker_labels,
)
from curvox.errors import AudioError, CurvoxError, InputError, RecipeError
from curvox.training.data.crops import BadFiles, CropDataset
from curvox.training.data.prepared import PreparedData, Recordings, choose_recordings
from curvox.training.data.sources import Waveforms, open_sources, read_source_corpus
from curvox.training.recipe.recipe import DataRecipe

_RAISED = re.compile(r"^curvox\.[\w.]+Error: ", re.MULTILINE)


class ShardPrefetch:
    """Keeps the next ``ahead`` shards of a plan coming into the cache, in a thread of the main process.

    A download that fails here is tried again where the shard is needed, which also says why.

    Args:
        store: of remote shards.
        shards: whole numbers (recordings,), the shard of each recording of the plan.
    """

    def __init__(self, store: ShardStore, shards: np.ndarray, *, ahead: int) -> None:
        self.store, self.shards, self.ahead = store, shards, ahead
        self._changed = threading.Condition()
        self._batch, self._turn = 0, 0

    def start(self, plan: EpochPlan, first_batch: int) -> None:
        """Begin with what ``plan`` needs from ``first_batch`` on; what was begun before ends."""
        rest = EpochPlan(
            plan.indices[first_batch:], plan.starts_samples[first_batch:], plan.item_seeds[first_batch:], plan.dropped
        )
        with self._changed:
            self._turn += 1
            self._batch = first_batch
            self._changed.notify_all()
            turn = self._turn
        if not len(rest):
            return
        needed, first_use = shards_by_first_use(rest, self.shards)
        work = (turn, needed.tolist(), (first_use + first_batch).tolist())
        threading.Thread(target=self._fetch_all, args=work, name="prefetch", daemon=True).start()

    def reach(self, batch: int) -> None:
        """Say that ``batch`` is being handed out."""
        with self._changed:
            self._batch = batch
            self._changed.notify_all()

    def _fetch_all(self, turn: int, needed: list[int], first_use: list[int]) -> None:
        for place, number in enumerate(needed):
            # This shard may come once that which lies ``ahead`` places before it is in use.
            due = first_use[max(0, place - self.ahead)]
            with self._changed:
                self._changed.wait_for(lambda due=due: self._turn != turn or self._batch >= due)
                if self._turn != turn:
                    return
            try:
                self.store.fetch(number)
            except (CurvoxError, OSError):
                return


def prepare_data(
    recipe: DataRecipe,
    *,
    seed: int,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
    levels: Sequence[str] = (),
) -> PreparedData:
    """Read the corpus, open the waveforms of both splits and read or draw the dev trials.

    ``levels`` are columns of the manifest above the speaker, whose labels are looked up for the training speakers. What
    is decoded, and of remote shards what is needed, is kept in ``cache`` for the next run.

    Raises:
        CorpusError: the manifest or the trials are wrong.
        AudioError: more recordings cannot be read than ``allowed_bad_share`` allows.
    """
    corpus = open_corpus(recipe, seed, cache)
    train, dev = (_some(corpus.split(name), recipe, seed) for name in (recipe.train_split, recipe.dev_split))
    labels_above = speaker_labels(train, levels)
    trials = _dev_trials(recipe, corpus, dev, seed)
    needed = {*map(str, trials.enrolments), *map(str, trials.tests)}
    heard = [u for u in corpus.utterances if u.utterance in needed]
    sources = open_sources(recipe, corpus, train.utterances, heard, cache, progress)
    train_items = _recordings(sources.train, train.utterances)
    dev_items = _recordings(sources.dev, heard)
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
    return PreparedData(
        train_items,
        dev_items,
        enrolments,
        tests,
        labels,
        dropped_trials=len(trials) - len(labels),
        unreadable=sources.bad,
        speeds=tuple(recipe.speeds),
        labels_above=labels_above,
    )


def _some(corpus: Corpus, recipe: DataRecipe, seed: int) -> Corpus:
    """Return at most ``most_recordings`` of a corpus, of whole speakers."""
    if recipe.most_recordings is None:
        return corpus
    speakers = np.unique([u.speaker for u in corpus.utterances], return_inverse=True)[1]
    rows = choose_recordings(speakers, recipe.most_recordings, seed)
    return Corpus(corpus.root, tuple(corpus.utterances[row] for row in rows), corpus.name)


def open_corpus(recipe: DataRecipe, seed: int, cache: Path | None = None) -> Corpus:
    """Read the recipe's corpus; one without splits is split by speaker when the recipe says how."""
    corpus = read_source_corpus(recipe, cache)
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


def _recordings(waveforms: Waveforms, utterances: Sequence[Utterance]) -> Recordings:
    readable = waveforms.source.lengths_samples[waveforms.places] > 0
    kept = [(place, u) for place, u, is_kept in zip(waveforms.places, utterances, readable, strict=True) if is_kept]
    speakers, speaker_names = _numbered([u.speaker for _, u in kept])
    sessions, session_names = _numbered([u.session for _, u in kept])
    channels, channel_names = _numbered([u.channel for _, u in kept])
    return Recordings(
        waveforms.source,
        np.array([place for place, _ in kept], dtype=np.int64),
        tuple(u.utterance for _, u in kept),
        speakers,
        speaker_names,
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


class PlannedBatches(Sampler):
    """The batches of an epoch, a pure function of (seed, epoch), from any position on; each in ``parts`` equal ones.

    ``prefetch`` is told what comes, and how far the epoch has got.
    """

    def __init__(
        self,
        plan: Callable[[int], EpochPlan],
        rank: int,
        processes: int,
        parts: int = 1,
        prefetch: ShardPrefetch | None = None,
    ):
        self.plan, self.rank, self.processes = plan, rank, processes
        self.parts, self.prefetch = parts, prefetch
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

    def __iter__(self) -> Iterator[list[tuple[int, int, int, int]]]:
        plan = shard(self.plan(self.epoch), self.rank, self.processes)
        if self.prefetch is not None:
            self.prefetch.start(plan, self.first_batch)
        for batch in range(self.first_batch, len(plan)):
            if self.prefetch is not None:
                self.prefetch.reach(batch)
            crops = plan.crops(batch)
            size = len(crops) // self.parts
            yield from (crops[first : first + size] for first in range(0, len(crops), size))


class CropLoader(DataLoader):
    """A loader whose errors are those of the worker that met them, without its stack."""

    @property
    def planned(self) -> PlannedBatches:
        """The batches that it loads."""
        assert isinstance(self.batch_sampler, PlannedBatches)
        return self.batch_sampler

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        batches = super().__iter__()
        try:
            yield from batches
        except (AudioError, UnreachableError) as error:
            pieces = _RAISED.split(str(error))
            raise type(error)(pieces[-1].rstrip()) from error


def _plan(data: PreparedData, recipe: DataRecipe, seed: int, epoch: int) -> EpochPlan:
    items, together = data.train, recipe.recordings_per_speaker
    lengths = items.lengths_samples
    numbers = {
        "crop_samples": recipe.crop_samples,
        "batch_size": recipe.batch_size,
        "seed": seed,
        "epoch": epoch,
        "max_crops_per_utterance": recipe.max_crops_per_utterance,
    }
    most = recipe.crops_per_epoch
    if isinstance(items.store, ShardStore):
        shards = items.store.shards[items.places]
        plan = shard_epoch_plan(shards, lengths, lanes=_lanes(recipe), window=recipe.shard_window, **numbers)
    elif together is not None:
        speakers, sessions = items.speakers, items.sessions
        plan = speaker_epoch_plan(
            speakers, lengths, sessions, recordings_per_speaker=together, crops_per_epoch=most, **numbers
        )
    else:
        plan = epoch_plan(items.speakers, lengths, balance=recipe.balance, crops_per_epoch=most, **numbers)
    if len(data.speeds) == 1:
        return plan
    cuts = [cut_samples(recipe.crop_samples, speed) for speed in data.speeds]
    return plan_speeds(plan, lengths, cuts_samples=cuts, together=together or 1, seed=seed, epoch=epoch)


def _lanes(recipe: DataRecipe) -> int:
    return recipe.shard_lanes or default_lanes(recipe.batch_size)


def training_loader(
    data: PreparedData,
    recipe: DataRecipe,
    *,
    seed: int,
    rank: int,
    processes: int,
    parts: int = 1,
    bad_files: Path | None = None,
) -> CropLoader:
    """Return the loader of training batches; each process gets its part of every batch, in ``parts`` further ones.

    What turns out to be unreadable on the way is replaced, and noted in ``bad_files`` by all processes.

    Raises:
        RecipeError: the number of processes does not divide that of the lanes of shards.
    """
    prefetch = _prefetch(data.train, recipe, processes)
    batches = PlannedBatches(functools.partial(_plan, data, recipe, seed), rank, processes, parts, prefetch)
    return CropLoader(
        CropDataset(data, recipe.crop_samples, BadFiles(bad_files, data.recordings, recipe.allowed_bad_share)),
        batch_sampler=batches,
        collate_fn=_as_is,
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
    )


def _prefetch(items: Recordings, recipe: DataRecipe, processes: int) -> ShardPrefetch | None:
    if not isinstance(items.store, ShardStore):
        return None
    lanes = _lanes(recipe)
    if lanes % processes:
        raise RecipeError(
            f"data.shard_lanes must be a multiple of the {processes} processes, so that each reads shards of its own, "
            f"got {lanes}; batch_size must be a multiple of it"
        )
    if items.store.cache is None:
        return None
    return ShardPrefetch(items.store, items.store.shards[items.places], ahead=lanes // processes)


def _as_is(batch: Any) -> Any:
    return batch
