"""Add noise, music and babble from a folder of recordings at a drawn ratio, each item by its own seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curvox.audio.augmentation.batches import Seed, amplitude, as_loud_as, change_rows, check_ranges, column, streams_of
from curvox.audio.reading.files import AUDIO_SUFFIXES, from_int16
from curvox.audio.sources.store import WaveformStore
from curvox.errors import InputError, require_name

_PURPOSE = 4
_TRIES = 16


class NoiseRecordings:
    """Recordings by kind, decoded once into a memory-mapped store: they take disk, not memory.

    All of MUSAN (Snyder et al., arXiv 1510.08484), 109 hours, takes 12.5 GB at 16 kHz; its noise alone 0.7 GB.

    Args:
        progress: called with (recordings done, of how many) while they are decoded.
    """

    def __init__(
        self,
        files: Mapping[str, Sequence[Path]],
        *,
        sampling_rate_hz: int,
        cache: str | os.PathLike[str],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        paths = [path for kind in files.values() for path in kind]
        self._store = WaveformStore.build(paths, sampling_rate_hz=sampling_rate_hz, cache=cache, progress=progress)
        self._places: dict[str, tuple[int, int]] = {}
        end = 0
        for kind, of_kind in files.items():
            self._places[kind] = (end, end + len(of_kind))
            end += len(of_kind)

    def draw(self, stream: np.random.Generator, kind: str, n_samples: int) -> np.ndarray:
        """Draw a stretch of a recording; float32 (n_samples,), a shorter recording is repeated.

        Every recording comes equally often. Silent stretches are drawn anew.

        Raises:
            InputError: no stretch with a sound was found; the last recording is named.
            UnknownNameError: there are no recordings of ``kind``.
        """
        require_name(kind, self._places, "kind of noise")
        item = -1
        for _ in range(_TRIES):
            item = int(stream.integers(*self._places[kind]))
            length = self._store.samples(item)
            start = int(stream.integers(max(0, length - n_samples), endpoint=True))
            stretch = self._store.crop(item, start, min(length, n_samples))
            if stretch.any():
                return np.resize(from_int16(stretch), n_samples)
        raise InputError(
            f"expected recordings of {kind} with sound in them, got {_TRIES} silent stretches in a row, the last from "
            f"recording {item - self._places[kind][0]} in order of the paths; take silent recordings out of the folder"
        )


def noise_files(folder: str | os.PathLike[str], kinds: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """List the recordings of a folder laid out as MUSAN: ``noise/``, ``music/`` and ``speech/``, at any depth.

    Raises:
        InputError: the folder is missing, or has no recordings of one of ``kinds``.
    """
    root = Path(folder)
    found = {
        kind: tuple(sorted(path for path in (root / kind).rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES))
        for kind in kinds
    }
    missing = [kind for kind, paths in found.items() if not paths]
    if missing:
        came = f"no recordings under {', '.join(missing)}/" if root.is_dir() else "no such folder"
        raise InputError(
            f"expected a folder laid out as MUSAN, with recordings under {', '.join(f'{k}/' for k in kinds)}, got "
            f'{came}: "{root}"; name the folder that was unpacked from musan.tar.gz (openslr.org/17), or set the '
            "probability of what is missing to 0"
        )
    return found


@dataclass(frozen=True)
class RecordedNoiseOptions:
    """How often recordings of a folder laid out as MUSAN are added, and at which signal-to-noise ratios.

    A crop gets at most one of the three: noise, music, or babble of several voices. The ratios are those of Snyder et
    al., X-Vectors, ICASSP 2018, drawn uniformly; they are of mean power over the whole waveform.
    """

    path: str
    noise_probability: float = 0.25
    noise_snr_low_db: float = 0.0
    noise_snr_high_db: float = 15.0
    music_probability: float = 0.25
    music_snr_low_db: float = 5.0
    music_snr_high_db: float = 15.0
    babble_probability: float = 0.25
    babble_snr_low_db: float = 13.0
    babble_snr_high_db: float = 20.0
    babble_voices_low: int = 3
    babble_voices_high: int = 7

    def __post_init__(self) -> None:
        check_ranges(self)
        total = self.noise_probability + self.music_probability + self.babble_probability
        if total > 1 + 1e-9:
            raise InputError(
                "noise_probability, music_probability and babble_probability must be at most 1 together, as a crop "
                f"gets at most one of them, got {total:g}; lower one"
            )

    def kinds(self) -> tuple[str, ...]:
        """Folders of MUSAN whose recordings can be drawn."""
        chances = {"noise": self.noise_probability, "music": self.music_probability, "speech": self.babble_probability}
        return tuple(kind for kind, chance in chances.items() if chance > 0)


def add_recorded_noise(
    waveforms: Tensor, seeds: Sequence[Seed], *, recordings: NoiseRecordings, options: RecordedNoiseOptions
) -> Tensor:
    """Add noise, music or babble to some waveforms, as `curvox.audio.augmentation` says.

    Noise and music are a stretch of one recording, from anywhere in it, repeated where it is shorter than the
    waveform. Babble is the sum of several stretches of speech, made equally loud. Values may leave [-1, 1]; nothing is
    clipped. Silence stays silence.

    Args:
        recordings: what is added, of the waveforms' sampling rate, with all `RecordedNoiseOptions.kinds`.
        options: probabilities and ratios; ``path`` is not looked at.
    """
    streams = streams_of(waveforms, seeds, _PURPOSE)
    drawn = {row: kind for row, stream in enumerate(streams) if (kind := _draw_kind(stream, options)) is not None}

    def noisy(rows: np.ndarray, items: Tensor) -> Tensor:
        n_samples = items.shape[1]
        draws = [_draw_noise(streams[row], drawn[row], n_samples, recordings, options) for row in rows.tolist()]
        stretches, snrs_db = zip(*draws, strict=True)
        noise = as_loud_as(torch.from_numpy(np.stack(stretches)).to(items.device), items)
        noise = noise * column(amplitude(-np.array(snrs_db)), items)
        silent = items.abs().amax(1, keepdim=True) == 0
        return items + noise.masked_fill(silent, 0.0)

    return change_rows(waveforms, noisy, np.array(list(drawn), dtype=np.int64))


def _draw_kind(stream: np.random.Generator, options: RecordedNoiseOptions) -> str | None:
    """Draw what an item gets: ``noise``, ``music``, ``babble`` or nothing. Takes one draw whatever the answer."""
    place = stream.random()
    for kind in ("noise", "music", "babble"):
        place -= getattr(options, f"{kind}_probability")
        if place < 0:
            return kind
    return None


def _draw_noise(
    stream: np.random.Generator, kind: str, n_samples: int, recordings: NoiseRecordings, options: RecordedNoiseOptions
) -> tuple[np.ndarray, float]:
    """Draw what is added, float32 (n_samples,) of any level, and its ratio in decibels."""
    snr_db = stream.uniform(getattr(options, f"{kind}_snr_low_db"), getattr(options, f"{kind}_snr_high_db"))
    if kind != "babble":
        return recordings.draw(stream, kind, n_samples), snr_db
    voices = int(stream.integers(options.babble_voices_low, options.babble_voices_high, endpoint=True))
    babble = np.zeros(n_samples, dtype=np.float32)
    for _ in range(voices):
        voice = recordings.draw(stream, "speech", n_samples)
        babble += voice / np.sqrt(np.mean(np.square(voice)))
    return babble, snr_db
