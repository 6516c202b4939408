"""Pictures of a space: points of any dimension laid out in the Poincaré disk (hyperbolic multidimensional scaling)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.errors import InputError, require_positive
from curvox.geometry.poincare import exp0, pairwise_distance

MOST_POINTS = 400


@dataclass(frozen=True)
class DiskEmbedding:
    """A layout in the open unit disk: ``points`` (M, 2) float64, and Kruskal's ``stress``, 0 for a perfect picture.

    stress = sqrt(sum (d - delta)^2 / sum delta^2), with d the distances drawn and delta those asked for.
    """

    points: Tensor
    stress: float


def embed_in_disk(distances: Tensor, *, seed: int, steps: int = 300, learning_rate: float = 0.1) -> DiskEmbedding:
    """Lay out M points in the unit disk so that their hyperbolic distances (c = 1) come close to those given.

    Starts from classical scaling, which is then bent into the disk, and lowers the stress with Adam. A few seconds
    on one core for 300 points. Hyperbolic scaling: Walter 2004; Kruskal 1964 for the stress.

    Args:
        distances: (M, M), symmetric, zero diagonal, 2 <= M <= 400.
        seed: of the small noise that parts coincident points.
        steps: of Adam.
        learning_rate: at the start; falls to zero along a cosine.

    Raises:
        InputError: distances that are no such matrix, or all zero.
    """
    wanted = _checked(distances)
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}")
    require_positive(learning_rate, "learning_rate")
    generator = torch.Generator().manual_seed(seed)
    tangent = _classical_layout(wanted) / 2.0  # exp0(v) lies at distance 2|v|
    tangent += 1e-3 * wanted.mean() * torch.randn(tangent.shape, generator=generator, dtype=wanted.dtype)
    tangent.requires_grad_()
    optimiser = torch.optim.Adam([tangent], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, best_points = float("inf"), exp0(tangent.detach(), c=1.0)
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            points = _inside(exp0(tangent, c=1.0))
            stress = _squared_stress(points, wanted)
            if stress.item() < best:
                best, best_points = stress.item(), points.detach().clone()
            stress.backward()
            optimiser.step()
            schedule.step()
    return DiskEmbedding(points=best_points, stress=best**0.5)


def _squared_stress(points: Tensor, wanted: Tensor) -> Tensor:
    drawn = pairwise_distance(points, points, c=1.0)
    return (drawn - wanted).square().sum() / wanted.square().sum()


def _inside(points: Tensor) -> Tensor:
    """Pull in points that tanh rounded onto the rim."""
    limit = 1.0 - 1e-9
    return points * (limit / points.norm(dim=-1, keepdim=True).clamp_min(limit))


def _classical_layout(wanted: Tensor) -> Tensor:
    centring = torch.eye(len(wanted), dtype=wanted.dtype) - 1.0 / len(wanted)
    values, axes = torch.linalg.eigh(-0.5 * centring @ wanted.square() @ centring)
    layout = axes[:, -2:] * values[-2:].clamp_min(0.0).sqrt()
    return layout.flip(-1)


def _checked(distances: Tensor) -> Tensor:
    if not isinstance(distances, Tensor) or distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        shape = tuple(distances.shape) if isinstance(distances, Tensor) else type(distances).__name__
        raise InputError(f"distances must be a square tensor (M, M), got {shape}")
    if not 2 <= len(distances) <= MOST_POINTS:
        raise InputError(f"distances must be of 2 to {MOST_POINTS} points, got {len(distances)}; draw a sample of them")
    wanted = distances.detach().to("cpu", torch.float64)
    if not torch.isfinite(wanted).all() or wanted.min() < 0:
        raise InputError("distances must be finite and not below 0")
    largest = wanted.max()
    if largest == 0:
        raise InputError("all distances are 0: there is nothing to lay out")
    if (wanted - wanted.T).abs().max() > 1e-3 * largest or wanted.diagonal().max() > 1e-2 * largest:
        raise InputError("distances must be symmetric with a zero diagonal")
    wanted = (wanted + wanted.T) / 2.0
    return wanted.fill_diagonal_(0.0)
