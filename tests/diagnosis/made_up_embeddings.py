"""Embeddings with a known structure: Gaussian speakers, and whatever is planted among them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.findings import Checked
from curvox.geometry import AbstractSpace, Clip, Euclidean, ExpMap, Hypersphere, PoincareBall, SoftClip

SPACES: dict[str, AbstractSpace] = {
    "euclidean": Euclidean(),
    "hypersphere": Hypersphere(),
    "exp map": PoincareBall(lift=ExpMap()),
    "soft clip": PoincareBall(lift=SoftClip()),
    "clip": PoincareBall(lift=Clip(0.9)),
}


def gaussian_speakers(
    *,
    seed: int = 0,
    speakers: int = 24,
    recordings: int = 8,
    dim: int = 32,
    within: float = 0.4,
    space: AbstractSpace | None = None,
) -> EmbeddedSet:
    """Speakers at random places, their recordings around them, as a trained model has them."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(speakers, 1, dim, generator=generator)
    raw = (centres + within * torch.randn(speakers, recordings, dim, generator=generator)).flatten(0, 1)
    numbers = torch.arange(speakers).repeat_interleave(recordings)
    names = tuple(f"recording {row}" for row in range(len(raw)))
    return EmbeddedSet(raw, numbers, space or Hypersphere(), names=names, speaker_names=_names(speakers))


def with_raw(items: EmbeddedSet, raw: Tensor) -> EmbeddedSet:
    """The same recordings embedded otherwise."""
    return replace(items, raw=raw)


def relabelled(items: EmbeddedSet, speakers: Tensor) -> EmbeddedSet:
    """The same recordings under other labels."""
    return replace(items, speakers=speakers, speaker_names=_names(int(speakers.max()) + 1))


def with_sessions(items: EmbeddedSet, *, sessions: int = 2, shift: float, seed: int = 0) -> EmbeddedSet:
    """Deal the recordings of each speaker to sessions, and move every session of a speaker to a place of its own."""
    generator = torch.Generator().manual_seed(1000 + seed)
    count = len(items.raw)
    session = torch.arange(count) % sessions
    places = torch.randn(int(items.speakers.max()) + 1, sessions, items.raw.shape[1], generator=generator)
    return replace(items, raw=items.raw + shift * places[items.speakers, session], sessions=session)


def severities(checked: Checked) -> dict[str, str]:
    """Severities of what was found, by cause."""
    return {finding.cause: finding.severity for finding in checked.findings}


def not_judged(checked: Checked) -> dict[str, str]:
    """Why causes could not be looked for, by cause."""
    return {gap.cause: gap.why for gap in checked.not_checked}


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"speaker {number}" for number in range(count))
