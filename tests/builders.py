"""What many tests draw or lay out: embeddings, waveforms, trials, each the same at every call of a seed; folders."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.files import locked


def draw_embeddings(items: int, dim: int, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw normal embeddings (items, dim)."""
    return torch.randn(items, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def draw_batch(
    items: int = 8, dim: int = 6, speakers: int = 4, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Draw embeddings (items, dim) and deal them to the speakers in turn."""
    return draw_embeddings(items, dim, seed=seed, dtype=dtype), torch.arange(items) % speakers


def draw_speakers(seed: int = 0, dim: int = 16) -> Tensor:
    """Draw two embeddings of each of eight speakers, side by side, who are told apart, but not well."""
    chance = torch.Generator().manual_seed(seed)
    centres = torch.randn(8, dim, generator=chance).repeat_interleave(2, 0)
    return centres + 0.7 * torch.randn(16, dim, generator=chance)


def draw_waveforms(items: int = 4, samples: int = 16000, *, seed: int = 0, level: float = 0.1) -> Tensor:
    """Draw white noise (items, samples) of that standard deviation."""
    return level * torch.randn(items, samples, generator=torch.Generator().manual_seed(seed))


def draw_trials(
    rng: np.random.Generator, *, speakers: int, trials: int, one_target_in: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Draw the labels of trials, and the speakers of both sides by number; the first is a target."""
    labels = np.arange(trials) % one_target_in == 0
    enrolment = rng.integers(0, speakers, trials)
    test = np.where(labels, enrolment, (enrolment + rng.integers(1, speakers, trials)) % speakers)
    return labels, enrolment, test


def draw_llrs(rng: np.random.Generator, labels: NDArray[np.bool_], *, spread: float) -> NDArray[np.float64]:
    """Draw calibrated log-likelihood ratios: normal around plus and minus half the variance, which is ``spread``."""
    return np.where(labels, spread, -spread) / 2 + math.sqrt(spread) * rng.normal(size=len(labels))


def write_unread(folder: Path, *names: str) -> Path:
    """Write files that stand for recordings where none is opened; return the folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not read here")
    return folder


def copy_of(folder: Path, place: Path) -> Path:
    """Copy a folder, whose files a test may then change; return its place."""
    return Path(shutil.copytree(folder, place))


def built_once(tmp_path_factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """Return the folder that ``build`` fills; of the processes of one suite the first that asks builds it for all."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # each process has a folder of its own in it
    folder = place / "built" / name
    mark = folder.with_name(folder.name + ".ready")
    with locked(folder.with_name(folder.name + ".lock")):
        if not mark.exists():
            build(folder)
            mark.touch()
    return folder
