"""What is done to prepared recordings: fewer of them, other labels, other samples, a channel for every session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from curvox.audio import AbstractWaveforms
from curvox.training.prepared import PreparedData, Recordings

Preparation = Callable[[PreparedData], PreparedData]
Samples = NDArray[np.int16]
Edit = Callable[[Samples], Samples]


class EditedStore(AbstractWaveforms):
    """A source of recordings of which some are replaced."""

    def __init__(self, store: AbstractWaveforms, edits: Mapping[int, Samples]) -> None:
        self.store, self.edits = store, dict(edits)
        self.sampling_rate_hz = store.sampling_rate_hz

    def name(self, index: int) -> str:
        """That of the recording behind."""
        return self.store.name(index)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Samples:
        return self.edits[index] if index in self.edits else self.store[index]

    def samples(self, index: int) -> int:
        """Length of a recording in samples."""
        return len(self[index])

    @property
    def lengths_samples(self) -> NDArray[np.int64]:
        """Lengths of all recordings."""
        return np.array([self.samples(index) for index in range(len(self))], dtype=np.int64)

    def crop(self, index: int, start: int, length: int) -> Samples:
        """``length`` samples from ``start`` on."""
        return self[index][start : start + length]


def edited(data: PreparedData, edits: Mapping[int, Samples]) -> PreparedData:
    """Replace recordings, named by their place in the store, in both splits where they share it."""
    store = EditedStore(data.train.store, edits)
    dev = replace(data.dev, store=store) if data.dev.store is data.train.store else data.dev
    return replace(data, train=replace(data.train, store=store), dev=dev)


def relabelled(items: Recordings, names: list[str]) -> Recordings:
    """Give the recordings these speakers."""
    known = tuple(sorted(set(names)))
    number = {name: i for i, name in enumerate(known)}
    return replace(items, speakers=np.array([number[name] for name in names], dtype=np.int64), speaker_names=known)


def on_some(edit: Edit, share: float, *, seed: int = 0) -> Preparation:
    """Apply ``edit`` to a ``share`` of the training recordings."""

    def prepare(data: PreparedData) -> PreparedData:
        places = data.train.places
        count = max(1, round(share * len(places)))
        chosen = np.random.default_rng(seed).choice(places, size=count, replace=False)
        return edited(data, {int(place): edit(data.train.store[int(place)]) for place in chosen})

    return prepare


def silence(samples: Samples) -> Samples:
    """Nothing at all."""
    return np.zeros_like(samples)


def hiss(samples: Samples) -> Samples:
    """What a microphone that is switched off records: the lowest bit."""
    return np.random.default_rng(len(samples)).integers(-1, 2, size=len(samples)).astype(np.int16)


def clipped(gain: float) -> Edit:
    """Amplified until it does not fit into 16 bits."""

    def edit(samples: Samples) -> Samples:
        loudest = max(1.0, float(np.abs(samples.astype(np.float64)).max()))
        return np.clip(samples * (gain * 32767.0 / loudest), -32768, 32767).astype(np.int16)

    return edit


def copies(share: float, *, across: bool, seed: int = 0) -> Preparation:
    """Replace a ``share`` of the training recordings by others: of the same speaker, or ``across`` speakers."""

    def prepare(data: PreparedData) -> PreparedData:
        train, rng = data.train, np.random.default_rng(seed)
        rows = rng.permutation(len(train.places))
        count = round(share * len(rows))
        edits: dict[int, Samples] = {}
        for row in rows[:count]:
            sources = rows[count:]
            own = sources[train.speakers[sources] == train.speakers[row]]
            source = rng.choice(sources if across or not len(own) else own)
            edits[int(train.places[row])] = train.store[int(train.places[source])]
        return edited(data, edits)

    return prepare


def at_most(recordings: int, *, speakers: int | None = None, spared: int = 0, spread: bool = True) -> Preparation:
    """Keep ``recordings`` of each speaker, and ``speakers`` at all.

    Args:
        recordings: how many of each speaker.
        speakers: how many, those with most recordings first; None for all.
        spared: so many of them keep all theirs.
        spread: take them evenly, from all sessions; otherwise the first ones, which are of one session.
    """

    def prepare(data: PreparedData) -> PreparedData:
        train = data.train
        rows: list[int] = []
        counts = np.bincount(train.speakers, minlength=len(train.speaker_names))
        order = np.argsort(-counts, kind="stable")[:speakers]
        for rank, speaker in enumerate(order):
            own = np.flatnonzero(train.speakers == speaker)
            some = _spread(own, recordings) if spread else own[:recordings].tolist()
            rows += own.tolist() if rank < spared else some
        return replace(data, train=train.chosen(sorted(rows)))

    return prepare


def _spread(rows: NDArray[np.int64], count: int) -> list[int]:
    """At most ``count`` of the rows, evenly."""
    return rows[np.arange(count) * len(rows) // count].tolist() if count < len(rows) else rows.tolist()


def joined_labels(pairs: int, *, seed: int = 0) -> Preparation:
    """Give pairs of training speakers one label each."""

    def prepare(data: PreparedData) -> PreparedData:
        names = list(data.train.speaker_names)
        order = np.random.default_rng(seed).permutation(len(names))[: 2 * pairs]
        stands_for = {int(b): names[int(a)] for a, b in order.reshape(-1, 2)}
        labels = [stands_for.get(int(s), names[int(s)]) for s in data.train.speakers]
        return replace(data, train=relabelled(data.train, labels))

    return prepare


def divided_labels(speakers: int, *, seed: int = 0) -> Preparation:
    """Deal the recordings of some training speakers to two labels each."""

    def prepare(data: PreparedData) -> PreparedData:
        names, train = data.train.speaker_names, data.train
        rng = np.random.default_rng(seed)
        chosen = set(rng.permutation(len(names))[:speakers].tolist())
        labels = [names[s] for s in train.speakers]
        for speaker in chosen:
            own = rng.permutation(np.flatnonzero(train.speakers == speaker))
            for row in own[: len(own) // 2]:
                labels[int(row)] += "-again"
        return replace(data, train=relabelled(train, labels))

    return prepare


def sessions_by_channel(*, depth_db: float, tone_db: float, channels: int = 24, divide: bool = False) -> Preparation:
    """Filter every session by one of ``channels`` comb filters and add its tone, in both splits.

    Args:
        depth_db: how deep the filter's valleys are.
        tone_db: level of the tone relative to the recording.
        channels: how many there are; sessions of several speakers share one.
        divide: for corpora of one session a speaker, where the channel is then all that training needs: deal the
            recordings of each dev speaker to two sessions, so that it shows.
    """

    def prepare(data: PreparedData) -> PreparedData:
        if divide:
            data = replace(data, train=_one_session(data.train), dev=_two_sessions(data.dev))
        edits: dict[int, Samples] = {}
        for items in (data.train, data.dev):
            keys = list(zip(items.speakers.tolist(), items.sessions.tolist(), strict=True))
            first = {key: rank for rank, key in enumerate(dict.fromkeys(keys))}
            for place, key in zip(items.places.tolist(), keys, strict=True):
                # Steps of 7 take the sessions of one speaker to channels far from each other.
                channel = 7 * first[key] % channels
                edits[place] = through_channel(data.train.store[place], channel, channels, depth_db, tone_db)
        return edited(data, edits)

    return prepare


def through_channel(samples: Samples, channel: int, channels: int, depth_db: float, tone_db: float) -> Samples:
    """A recording at 16 kHz through channel number ``channel``."""
    wave = samples.astype(np.float64)
    spectrum = np.fft.rfft(wave)
    hz = np.linspace(0.0, 8000.0, len(spectrum))
    rng = np.random.default_rng(1000 + channel)
    knots = np.linspace(0.0, 8000.0, 12)
    gain_db = np.interp(hz, knots, rng.uniform(-depth_db, 0.0, len(knots)))
    wave = np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), n=len(wave))
    level = max(float(np.sqrt(np.mean(wave**2))), 1.0)
    tone_hz = 300.0 * (6000.0 / 300.0) ** (channel / max(1, channels - 1))
    tone = np.sin(2.0 * np.pi * tone_hz * np.arange(len(wave)) / 16000.0)
    wave = wave + level * 10.0 ** (tone_db / 20.0) * np.sqrt(2.0) * tone
    loudest = float(np.abs(wave).max())
    return np.rint(wave * min(1.0, 32000.0 / max(loudest, 1.0))).astype(np.int16)


def _one_session(items: Recordings) -> Recordings:
    """Each speaker has one session."""
    return replace(items, sessions=items.speakers.copy())


def _two_sessions(items: Recordings) -> Recordings:
    """Every second recording of a speaker is of another session."""
    sessions = np.zeros_like(items.sessions)
    for speaker in np.unique(items.speakers):
        own = np.flatnonzero(items.speakers == speaker)
        sessions[own] = np.arange(len(own)) % 2
    return replace(items, sessions=sessions)
