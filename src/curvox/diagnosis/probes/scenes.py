"""Batches made to ask a loss a question: speakers at random, all solved, all in one point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WITHIN = 1e-4
"""How far recordings of one speaker are apart in a solved scene, and all in a collapsed one, over their length."""

LENGTHS = (1e-3, 1e-2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 3.0, 10.0, 30.0, 1e2, 1e3, 1e4)
"""Lengths of embeddings that solved and collapsed scenes are tried at, closer together where a ball bends."""


@dataclass(frozen=True)
class Scene:
    """Raw embeddings (B, D) float32 and speakers (B,) from 0 on, recordings of a speaker side by side."""

    raw: Tensor
    speakers: Tensor


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _speakers(speakers: int, recordings: int) -> Tensor:
    return torch.arange(speakers).repeat_interleave(recordings)


def random_scene(dim: int, *, speakers: int, recordings: int, length: float, seed: int) -> Scene:
    """Independent normal embeddings of about ``length``: nothing tells whose they are."""
    labels = _speakers(speakers, recordings)
    raw = torch.randn(len(labels), dim, generator=_generator(seed)) * (length / dim**0.5)
    return Scene(raw, labels)


def solved_scene(dim: int, *, speakers: int, recordings: int, length: float = 1.0, seed: int = 0) -> Scene:
    """Every speaker in a point of its own, as far from all others as ``speakers`` directions can be: a simplex.

    With fewer than ``speakers - 1`` dimensions the directions are those of a fitted simplex, as far apart as they get.
    """
    directions = simplex(speakers, dim, seed)
    labels = _speakers(speakers, recordings)
    return Scene(_jittered(directions[labels], seed) * length, labels)


def collapsed_scene(dim: int, *, speakers: int, recordings: int, length: float = 1.0, seed: int = 0) -> Scene:
    """Everybody in one point, up to `WITHIN`."""
    labels = _speakers(speakers, recordings)
    point = torch.nn.functional.normalize(torch.randn(1, dim, generator=_generator(seed)), dim=-1)
    return Scene(_jittered(point.expand(len(labels), dim), seed) * length, labels)


def _jittered(points: Tensor, seed: int) -> Tensor:
    noise = torch.randn(points.shape, generator=_generator(seed + 1))
    return points + WITHIN / points.shape[-1] ** 0.5 * noise


def simplex(points: int, dim: int, seed: int = 0) -> Tensor:
    """Unit vectors (N, D) whose cosines are all -1 / (N - 1) where D allows it, else as spread out as descent finds."""
    if dim >= points - 1:
        corners = torch.eye(points, dtype=torch.float64) - 1.0 / points
        basis = torch.linalg.svd(corners)[2][: points - 1]
        turned = torch.zeros(points, dim, dtype=torch.float64)
        turned[:, : points - 1] = corners @ basis.T
        return torch.nn.functional.normalize(turned, dim=-1).float()
    found = torch.randn(points, dim, generator=_generator(seed)).requires_grad_()
    optimizer = torch.optim.Adam([found], lr=0.05)
    for _ in range(200):
        unit = torch.nn.functional.normalize(found, dim=-1)
        energy = (10.0 * (unit @ unit.T)).fill_diagonal_(-10.0).logsumexp(dim=(0, 1))
        optimizer.zero_grad()
        energy.backward()
        optimizer.step()
    return torch.nn.functional.normalize(found.detach(), dim=-1)
