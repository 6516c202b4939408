"""Recordings of noise, music and speech to add to others, from a folder laid out as MUSAN."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from curvox.audio.reading import AUDIO_SUFFIXES
from curvox.audio.samples import from_int16
from curvox.audio.store import WaveformStore
from curvox.errors import InputError, require_name

_TRIES = 16


class NoiseRecordings:
    """Recordings by kind, decoded once into a memory-mapped store: they take disk, not memory.

    All of MUSAN (Snyder et al., arXiv 1510.08484), 109 hours, takes 12.5 GB at 16 kHz; its noise alone 0.7 GB.

    Args:
        files: the recordings of each kind.
        sampling_rate_hz: what they are resampled to.
        cache: folder of the store.
        progress: called with (recordings done, of how many) while they are decoded.

    Raises:
        AudioError: a recording cannot be read.
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
