"""Crops of recordings as batches; one that cannot be read is replaced by another, as its seed says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from curvox.audio import cut_samples, from_int16
from curvox.corpora import BadRecording, check_share, write_bad_files
from curvox.errors import AudioError
from curvox.files import locked
from curvox.training.data.prepared import PreparedData

BAD_FILES = "bad_files.tsv"
"""Lists what a run could not read; all its workers and processes write to it."""

_TRIES = 20


class BadFiles:
    """Notes unreadable recordings, each once, and refuses more than are allowed.

    Args:
        path: of the file, which all workers and processes share; None keeps the notes in this process.
        recordings: how many there are in all.
        allowed_share: of them.
    """

    def __init__(self, path: Path | None, recordings: int, allowed_share: float) -> None:
        self.path, self.recordings, self.allowed_share = path, recordings, allowed_share
        self._noted: dict[str, BadRecording] = {}

    def add(self, bad: BadRecording) -> None:
        """Note a recording.

        Raises:
            AudioError: with it there are more than allowed.
        """
        if bad.utterance in self._noted:
            return
        added = self.path is None or self._append(bad, self.path)
        self._noted[bad.utterance] = bad
        if added:
            check_share(len(self.read()), self.recordings, self.allowed_share, bad)

    def read(self) -> tuple[BadRecording, ...]:
        """Return what has been noted so far, by anybody."""
        if self.path is None:
            return tuple(self._noted.values())
        if not self.path.exists():
            return ()
        lines = self.path.read_text(encoding="utf-8").splitlines()[1:]
        return tuple(BadRecording(*cells) for line in lines if len(cells := line.split("\t")) == 3)

    def _append(self, bad: BadRecording, path: Path) -> bool:
        """Add a line unless the utterance has one; say whether it was added."""
        with locked(path.with_name(f".{path.name}.lock")):
            known = self.read()
            if any(row.utterance == bad.utterance for row in known):
                return False
            write_bad_files(path, [*known, bad])
            return True


class CropDataset(Dataset):
    """Crops of training recordings; asked for a whole batch of (item, start_samples, seed, speed) at once.

    ``speed`` is the number of a speed. Where there are several, "waveforms" are cuts, not yet played at their speed, as
    long as the longest and behind a shorter one silent; "speeds" says at which, and "speakers" are the classes of all.
    """

    def __init__(self, data: PreparedData, crop_samples: int, bad_files: BadFiles):
        self.data = data
        self.recordings = data.train
        self.cuts_samples = [cut_samples(crop_samples, speed) for speed in data.speeds]
        self.bad_files = bad_files

    def __getitem__(self, key: tuple[int, int, int, int]) -> dict[str, Tensor]:
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[tuple[int, int, int, int]]) -> dict[str, Tensor]:
        cuts = np.zeros((len(keys), max(self.cuts_samples)), dtype=np.int16)
        pairs = zip(cuts, keys, strict=True)
        items = np.array([self._cut(row[: self.cuts_samples[key[3]]], *key[:3]) for row, key in pairs])
        _, _, seeds, speeds = (np.array(column) for column in zip(*keys, strict=True))
        batch = {
            "waveforms": torch.from_numpy(from_int16(cuts)),
            "speakers": torch.from_numpy(self.data.classes(items, speeds)),
            "items": torch.from_numpy(items),
            "seeds": torch.from_numpy(seeds),
        }
        return batch if len(self.cuts_samples) == 1 else {**batch, "speeds": torch.from_numpy(speeds)}

    def _cut(self, row: np.ndarray, item: int, start: int, seed: int) -> int:
        """Fill ``row`` and return the item that it is of: ``item``, or another where that cannot be read."""
        tried: list[int] = []
        while True:
            try:
                self._fill(row, item, start)
                return item
            except AudioError as error:
                self._note(item, error)
                tried.append(item)
                if len(tried) >= min(_TRIES, len(self.recordings.places)):
                    raise
            item, start = self._instead(tried, seed, len(row))

    def _fill(self, row: np.ndarray, item: int, start: int) -> None:
        """Fill ``row``; a recording shorter than it is repeated, as is usual in the field."""
        store, place = self.recordings.store, int(self.recordings.places[item])
        piece = store.crop(place, start, min(len(row), store.samples(place) - start))
        for begin in range(0, len(row), len(piece)):
            part = row[begin : begin + len(piece)]
            part[:] = piece[: len(part)]

    def _instead(self, tried: list[int], seed: int, samples_needed: int) -> tuple[int, int]:
        """Return another recording of the same speaker, or of any where there is none, and where its cut starts."""
        speakers = self.recordings.speakers
        others = np.setdiff1d(np.flatnonzero(speakers == speakers[tried[0]]), tried)
        if not len(others):
            others = np.setdiff1d(np.arange(len(speakers)), tried)
        rng = np.random.default_rng([seed, len(tried)])
        item = int(rng.choice(others))
        samples = self.recordings.store.samples(int(self.recordings.places[item]))
        return item, int(rng.integers(0, max(samples - samples_needed, 0), endpoint=True))

    def _note(self, item: int, error: AudioError) -> None:
        path = self.recordings.store.name(int(self.recordings.places[item]))
        self.bad_files.add(BadRecording(path, self.recordings.utterances[item], str(error)))
