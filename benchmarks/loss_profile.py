"""The profile of a loss: its value and gradient over a distance, measured on the loss itself in a small fixed scene.

A loss with centres sees one recording that turns from its own centre to that of a rival, at a right angle. A loss of
pairs sees two speakers with two recordings each: once the recordings of a speaker are drawn apart, once the speakers
are drawn together. Raw embeddings have the length that batch normalisation gives, sqrt(D).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss

PROFILE_DIM, PROFILE_SPEAKERS = 4, 2
"""The sizes of a loss that can be profiled."""

_LENGTH = math.sqrt(PROFILE_DIM)
_RIGHT = torch.tensor(math.pi / 2, dtype=torch.float64)
_CLOSE = torch.tensor(math.radians(20), dtype=torch.float64)

_Scene = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From angles (S,) to values (S,) and distances (S,)."""


@dataclass(frozen=True)
class ProfileCurve:
    """One thing moved.

    Attributes:
        name: what it is, for a legend.
        standing: the distance of the pairs that stand still meanwhile; None where there are none.
        distances: of what moves, in the loss's space, rising.
        values: of the loss at these.
        slopes: derivative of the value by the distance; positive pulls together, negative pushes apart.
    """

    name: str
    standing: float | None
    distances: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True)
class LossProfile:
    """What a loss does over a distance.

    Attributes:
        axis: what the distances are.
        unit: of the distances: "rad" or "" (a length without a unit).
        tie: the distance at which own centre and rival are equally near; None for losses of pairs.
        curves: one for everything moved; where there is a margin, a second one without it.
    """

    axis: str
    unit: str
    tie: float | None
    curves: tuple[ProfileCurve, ...]


def loss_profile(loss: AbstractLoss, *, steps: int = 60) -> LossProfile:
    """Measure the profile of ``loss``, in float64 on a copy.

    Args:
        loss: built for `PROFILE_DIM` dimensions, and for `PROFILE_SPEAKERS` speakers or any.
        steps: into how many steps a right angle is divided; its ends, where recordings coincide, are left out.

    Raises:
        InputError: a loss of other sizes.
    """
    if loss.dim != PROFILE_DIM or loss.speakers not in (None, PROFILE_SPEAKERS):
        raise InputError(
            f"a profile needs a loss of {PROFILE_DIM} dimensions and {PROFILE_SPEAKERS} speakers, "
            f"got {loss.dim} and {loss.speakers}"
        )
    loss = copy.deepcopy(loss).double()
    angles = torch.linspace(0, math.pi / 2, steps + 1, dtype=torch.float64)[1:-1]
    unit = "rad" if loss.space.angular else ""
    if loss.whole_batch:
        return LossProfile("distance of the pairs", unit, None, _pair_curves(loss, angles))
    tie = _distance(loss.space, _turned(_RIGHT / 2), _turned(0.0 * _RIGHT)).item()
    return LossProfile("distance to the own centre", unit, tie, _centre_curves(loss, angles))


def _centre_curves(loss: AbstractLoss, angles: Tensor) -> tuple[ProfileCurve, ...]:
    centres = torch.stack([_turned(0.0 * _RIGHT), _turned(_RIGHT)])
    for parameter in loss.parameters():
        if parameter.shape == centres.shape:
            parameter.data.copy_(centres)

    def scene(angles: Tensor) -> tuple[Tensor, Tensor]:
        z = _turned(angles)
        labels = torch.zeros(len(z), dtype=torch.int64)
        return loss(z, labels).per_item, _distance(loss.space, z, centres[0])

    full = _curve("the loss", None, angles, scene)
    loss.set_margin_scale(0.0)
    bare = _curve("without its margin", None, angles, scene)
    return (full,) if bare.values == full.values else (full, bare)


def _pair_curves(loss: AbstractLoss, angles: Tensor) -> tuple[ProfileCurve, ...]:
    labels = torch.tensor([0, 0, 1, 1])

    def scene_of(batch: Callable[[Tensor], Tensor], other: int) -> _Scene:
        def scene(angles: Tensor) -> tuple[Tensor, Tensor]:
            batches = [batch(angle) for angle in angles]
            values = torch.stack([loss(z, labels).value for z in batches])
            return values, torch.stack([_distance(loss.space, z[0], z[other]) for z in batches])

        return scene

    still = _two_speakers(_CLOSE, _RIGHT)
    close, far = (_distance(loss.space, still[0], still[other]).item() for other in (1, 2))
    apart = scene_of(lambda angle: _two_speakers(angle, _RIGHT), 1)
    together = scene_of(lambda angle: _two_speakers(_CLOSE, angle), 2)
    return (
        _curve("pairs of one speaker, others", far, angles, apart),
        _curve("pairs of two speakers, others", close, angles, together),
    )


def _turned(angle: Tensor) -> Tensor:
    """(..., D) raw embeddings in the plane of the first two axes, at ``angle`` (...) from the first."""
    rest = torch.zeros_like(angle)
    return _LENGTH * torch.stack([angle.cos(), angle.sin(), rest, rest], dim=-1)


def _two_speakers(within: Tensor, between: Tensor) -> Tensor:
    """(4, D): two recordings of each of two speakers, at the angle ``within``; the speakers are at ``between``.

    Each pair leans out of the plane of the speakers in a direction of its own, so that all distances between
    recordings of different speakers are equal.
    """
    lean = _LENGTH * (within / 2).sin() * torch.eye(PROFILE_DIM, dtype=torch.float64)[2:]
    first, second = (within / 2).cos() * _turned(0.0 * between), (within / 2).cos() * _turned(between)
    return torch.stack([first + lean[0], first - lean[0], second + lean[1], second - lean[1]])


def _distance(space: AbstractSpace, x: Tensor, y: Tensor) -> Tensor:
    return space.distance(space.project(x), space.project(y))


def _curve(name: str, standing: float | None, angles: Tensor, scene: _Scene) -> ProfileCurve:
    """Sweep an angle; the derivative by the distance is that by the angle over that of the distance."""
    angles = angles.clone().requires_grad_()
    values, distances = scene(angles)
    (by_angle,) = torch.autograd.grad(values.sum(), angles, retain_graph=True)
    (stretch,) = torch.autograd.grad(distances.sum(), angles)
    slopes = by_angle / stretch
    return ProfileCurve(name, standing, tuple(distances.tolist()), tuple(values.tolist()), tuple(slopes.tolist()))
