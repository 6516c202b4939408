"""Recordings with their labels, as a run trains on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from curvox.audio import AbstractWaveforms, from_int16
from curvox.corpora import BadRecording, names_at_speeds
from curvox.errors import InputError

PER_SPEAKER = 8
"""Recordings of a speaker that are taken before more speakers are; enough to see two voices in one."""


@dataclass(frozen=True)
class Recordings:
    """Recordings with their labels.

    Attributes:
        store: where the samples come from.
        places: (N,) positions in the store.
        utterances: N names.
        speakers: (N,) class numbers, into ``speaker_names``.
        speaker_names: by class number.
        sessions: (N,) numbers that differ where the sessions of a speaker do.
        session_names: by number; empty where unknown.
        channels: (N,) numbers of the manifest's channels; None where it names none.
        channel_names: by number; "" is a recording whose channel is unknown.

    Raises:
        InputError: the lengths differ, or a speaker has no name.
    """

    store: AbstractWaveforms
    places: np.ndarray
    utterances: tuple[str, ...]
    speakers: np.ndarray
    speaker_names: tuple[str, ...]
    sessions: np.ndarray
    session_names: tuple[str, ...] = ()
    channels: np.ndarray | None = None
    channel_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = {"places": self.places, "speakers": self.speakers, "sessions": self.sessions}
        columns |= {} if self.channels is None else {"channels": self.channels}
        for name, column in columns.items():
            if column.shape != (len(self.utterances),):
                raise InputError(
                    f"{name} must have one number for each of the {len(self.utterances)} recordings, got shape "
                    f"{column.shape}; Recordings.chosen takes some of them with all their labels"
                )
        if len(self.speakers) and not 0 <= self.speakers.min() <= self.speakers.max() < len(self.speaker_names):
            raise InputError(
                f"speakers must be in 0..{len(self.speaker_names) - 1}, as there are {len(self.speaker_names)} names, "
                f"got {self.speakers.min()} to {self.speakers.max()}"
            )

    @property
    def lengths_samples(self) -> np.ndarray:
        """Length of each recording, (N,)."""
        return self.store.lengths_samples[self.places]

    @property
    def duration_s(self) -> float:
        """Seconds of speech in all."""
        return float(self.lengths_samples.sum()) / self.store.sampling_rate_hz

    def waveform(self, item: int) -> np.ndarray:
        """Return a recording as float32 in [-1, 1]."""
        return from_int16(self.store[int(self.places[item])])

    def chosen(self, rows: Sequence[int] | np.ndarray) -> Recordings:
        """Return the recordings of these rows with their labels, and number the speakers who still have some anew."""
        rows = np.asarray(rows, dtype=np.int64)
        left, numbers = np.unique(self.speakers[rows], return_inverse=True)
        return replace(
            self,
            places=self.places[rows],
            utterances=tuple(self.utterances[row] for row in rows),
            speakers=numbers.astype(np.int64),
            speaker_names=tuple(self.speaker_names[speaker] for speaker in left),
            sessions=self.sessions[rows],
            channels=None if self.channels is None else self.channels[rows],
        )


@dataclass(frozen=True)
class PreparedData:
    """Recordings of both splits, dev trials as positions, what could not be read, the speeds of training recordings.

    ``labels_above`` holds, for each level above the speaker that the loss asks for, the label of each training speaker.
    """

    train: Recordings
    dev: Recordings
    dev_enrolments: np.ndarray
    dev_tests: np.ndarray
    dev_labels: np.ndarray
    dropped_trials: int
    unreadable: tuple[BadRecording, ...]
    speeds: tuple[float, ...] = (1.0,)
    labels_above: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that are trained on: the speakers, and the speakers at every further speed."""
        return names_at_speeds(self.train.speaker_names, self.speeds)

    def classes(self, items: np.ndarray, speeds: np.ndarray | None) -> np.ndarray:
        """Return the classes of training recordings that are played at speeds of these numbers; None: at the first."""
        speakers = self.train.speakers[items]
        return speakers if speeds is None else speakers + len(self.train.speaker_names) * speeds

    @property
    def class_labels(self) -> dict[str, list[str]]:
        """The label of each class at each level of ``labels_above``, "" where it is unknown, alike at every speed.

        Raises:
            InputError: a training speaker has no entry.
        """
        found = {}
        for level, labels in self.labels_above.items():
            nameless = [name for name in self.train.speaker_names if name not in labels]
            if nameless:
                raise InputError(
                    f'labels_above["{level}"] must hold every training speaker, "" where the label is unknown; '
                    f'"{nameless[0]}" and {len(nameless) - 1} more are missing'
                )
            found[level] = [labels[name] for name in self.train.speaker_names] * len(self.speeds)
        return found

    @property
    def recordings(self) -> int:
        """How many recordings there are in both splits, with those that could not be read."""
        return len(self.train.places) + len(self.dev.places) + len(self.unreadable)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of what a resumed run must find again: utterances, class numbers, sessions and lengths."""
        facts: list[Any] = []
        for items in (self.train, self.dev):
            numbers = (items.speakers.tolist(), items.sessions.tolist(), items.lengths_samples.tolist())
            facts.append((items.utterances, items.speaker_names, *numbers))
        if self.labels_above:
            facts.append(sorted(self.class_labels.items()))
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def choose_recordings(speakers: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return at most ``most`` places in ``speakers`` (N,), rising, whole speakers with several recordings first.

    Speakers come in an order drawn by ``seed``, each with at most `PER_SPEAKER` recordings at even distances in the
    order of the corpus; then those who have one recording; then, where there is room, the rest of the first.
    """
    order = np.random.default_rng(seed).permutation(np.unique(speakers))
    rows = [np.flatnonzero(speakers == speaker) for speaker in order]
    several = [r[evenly(len(r), PER_SPEAKER)] for r in rows if len(r) > 1]
    single = [r for r in rows if len(r) == 1]
    first = np.concatenate([*several, *single, np.zeros(0, np.int64)])
    rest = np.setdiff1d(np.arange(len(speakers)), first)
    return np.sort(np.concatenate([first, rest])[:most]).astype(np.int64)


def evenly(count: int, most: int) -> np.ndarray:
    """At most ``most`` of ``count`` places, at even distances."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(np.int64)
