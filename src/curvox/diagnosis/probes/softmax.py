"""The softmaxes over bounded similarities in a loss of curvox: how sure they can get, and with which scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.geometry import AbstractSpace
from curvox.losses import AAMSoftmax, AbstractLoss, AMSoftmax, Combined, HAMSoftmax, HSoftmax, RAMSoftmax

USED = 3.0
"""How many times as far apart as most embeddings of a batch are they may come to be, within the ball's own bound."""


@dataclass(frozen=True)
class Softmax:
    """What a softmax over bounded similarities can do.

    Attributes:
        scale: s.
        speakers: N.
        gap: the widest between the similarity to the own centre and to all others.
        used: as much of it as embeddings use.
        on_ball: the similarities are distances of a ball, of which embeddings come to use more and more.
    """

    scale: float
    speakers: int
    gap: float
    used: float
    on_ball: bool = False

    @property
    def surest(self) -> float:
        """The largest probability of the own speaker."""
        return 1.0 / (1.0 + (self.speakers - 1) * math.exp(-min(self.scale * self.gap, 700.0)))

    @property
    def usual_scale(self) -> float:
        """sqrt(2) ln(N - 1), as AdaCos has it, at least 3, over the gap that is used (arXiv:1905.00292)."""
        return max(3.0, math.sqrt(2.0) * math.log(max(2, self.speakers - 1))) / self.used

    def scale_for(self, probability: float) -> float:
        """The scale at which the own speaker can have this probability."""
        return math.log(probability / (1.0 - probability) * (self.speakers - 1)) / self.gap


def softmaxes_of(loss: AbstractLoss, raw: Tensor) -> Iterator[Softmax]:
    """The softmaxes over bounded similarities in a loss of curvox; ``raw`` (B, D) says how much of a ball is used."""
    if isinstance(loss, Combined):
        for part in loss.members():
            yield from softmaxes_of(part, raw)
    elif loss.speakers is None:
        return
    elif isinstance(loss, (AMSoftmax, AAMSoftmax, RAMSoftmax)):
        margin = 0.0 if isinstance(loss, AAMSoftmax) else float(loss.full_margin)
        # With N centres as far apart as can be a rival has the cosine -1 / (N - 1), the own one 1.
        gap = max(1.0 - margin + 1.0 / (loss.speakers - 1), 1e-3)
        yield Softmax(float(loss.scaling.now()), loss.speakers, gap, gap)
    elif isinstance(loss, (HSoftmax, HAMSoftmax)):
        margin = float(loss.full_margin) if isinstance(loss, HAMSoftmax) else 0.0
        gap = max(_right_angle(loss.space, loss.dim) - margin, 1e-3)
        used = min(gap, USED * max(_far_apart(loss.space, raw), 1e-3))
        yield Softmax(float(loss.scaling.now()), loss.speakers, gap, used, on_ball=True)


def _right_angle(space: AbstractSpace, dim: int) -> float:
    """Distance of two points at a right angle as far out as the lift takes them: what many centres are apart."""
    with torch.no_grad():
        raw = torch.zeros(2, max(2, dim))
        raw[0, 0] = raw[1, 1] = 1e4
        points = space.project(raw)
        return float(space.distance(points[0], points[1]))


def _far_apart(space: AbstractSpace, raw: Tensor) -> float:
    """The 95 % quantile of the distances between these embeddings."""
    with torch.no_grad():
        points = space.project(raw)
        first, second = torch.triu_indices(len(raw), len(raw), 1)
        return float(space.distance(points[first], points[second]).quantile(0.95))
