"""The Fréchet mean: the point whose squared distances to given points add up to the least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry.poincare import centroid, directions, distance, exp_map, rim_gap
from curvox.geometry.spaces import AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.geometry.vectors import angle, exp_map_of_angles, log_map_of_angles, unit

TOLERANCE = 1e-9
"""Where the iteration stops: length of the mean of the logarithmic maps, in units of 1/sqrt(c) or in radians."""

_MOST_STEPS = 1000
_EPS = torch.finfo(torch.float64).eps


class NoMiddleError(InputError):
    """A group of points has no middle of the kind asked for."""

    def __init__(self, group: int, why: str) -> None:
        super().__init__(why)
        self.group = group


def spherical_mean(points: Tensor) -> Tensor:
    """Return the points (M, D) in the mean direction of K points each (M, K, D), at their mean length.

    The direction maximises the sum of the cosines to the K points; in a ball the mean length stays inside.

    Raises:
        NoMiddleError: a zero vector among the points, or directions that cancel.
    """
    lengths = torch.linalg.vector_norm(points, dim=-1, keepdim=True)
    _refuse_groups((lengths == 0).any(dim=1)[:, 0], "one of its recordings is a zero vector, which has no direction")
    middle = (points / lengths).mean(dim=-2)
    length = torch.linalg.vector_norm(middle, dim=-1, keepdim=True)
    _refuse_groups(length[:, 0] < 1e-12, "the directions of its recordings cancel; they have no mean direction")
    return middle / length * lengths.mean(dim=-2)


def frechet_mean(space: AbstractSpace, points: Tensor) -> Tensor:
    """Return the Fréchet means (M, D) of K points each (M, K, D), by Karcher's iteration and Newton's.

    From a mean m in hand, the points are seen as tangent vectors at m, and m moves along their mean. In a ball the
    mean is unique, and the length of that vector bounds how far m is from it: at the end `TOLERANCE` / sqrt(c), or, for
    points with ``g = 1 - c |x|^2`` below 1e-5, what rounding leaves of them, ``8 eps (1/g_m + 1/g_x) (1 + d)``. There m
    takes Newton's step as long as the sum of squares goes down, else Karcher's, divided by the largest curvature of the
    sum, the mean of ``sqrt(c) d coth(sqrt(c) d)``, with which it always does. On the sphere it is the minimum that is
    reached from the spherical mean, the only one where the points lie within less than pi/2 of it. In flat space it is
    the mean. In any other space m goes down from ``space.mean``, by steps that are halved until the sum goes down.

    Karcher 1977; Afsari 2011 for the sphere; Lou et al. 2020 (arXiv:2003.00335) for the ball.

    Args:
        space: where the points live.
        points: of the space, in a ball strictly inside.

    Raises:
        NoMiddleError: no convergence in 1,000 steps, as for points on opposite sides of the sphere.
    """
    points = points.to(torch.float64)
    if isinstance(space, Euclidean):
        return points.mean(dim=-2)
    if isinstance(space, Hypersphere):
        seen = unit(points)
        return _iterate(spherical_mean(seen), seen, _view_on_sphere, exp_map_of_angles)
    if isinstance(space, PoincareBall):
        c = space.c_value
        inside = points * c**0.5  # the ball of c = 1
        return _iterate(centroid(inside, c=1.0), inside, _view_in_ball, _move_in_ball) / c**0.5
    return _descend(space, points)


@dataclass(frozen=True)
class _View:
    """The points from the means m: half the mean squared distance (M,), its gradient (M, D) but for the sign, the
    rounding error of that (M,), and two steps (M, D): Newton's, and one that surely goes down."""

    cost: Tensor
    pull: Tensor
    error: Tensor
    newton: Tensor
    sure: Tensor


def _iterate(
    start: Tensor, points: Tensor, view: Callable[[Tensor, Tensor], _View], move: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    means = start.clone()
    left = torch.arange(len(means), device=means.device)
    for _ in range(_MOST_STEPS):
        seen = view(means[left], points[left])
        moving = torch.linalg.vector_norm(seen.pull, dim=-1) > seen.error.clamp_min(TOLERANCE)
        left = left[moving]
        if not len(left):
            return means
        tried = move(means[left], seen.newton[moving])
        down = view(tried, points[left]).cost <= seen.cost[moving]
        means[left] = torch.where(down[:, None], tried, move(means[left], seen.sure[moving]))
    raise _not_found(left)


def _descend(space: AbstractSpace, points: Tensor) -> Tensor:
    """Karcher's iteration by what every space has, each group with a length of step of its own."""
    means = space.mean(points).clone()
    pace = points.new_ones(len(means))
    left = torch.arange(len(means), device=means.device)
    for _ in range(_MOST_STEPS):
        here, seen = means[left], points[left]
        pull = space.log_map(here[:, None], seen).mean(dim=-2)
        # Where no step of any length goes down any more, rounding is all that is left of the pull.
        moving = (torch.linalg.vector_norm(pull, dim=-1) > TOLERANCE) & (pace[left] > _EPS)
        left, here, seen, pull = left[moving], here[moving], seen[moving], pull[moving]
        if not len(left):
            return means
        tried = space.exp_map(here, pace[left, None] * pull)
        down = _spread(space, tried, seen) < _spread(space, here, seen)
        means[left] = torch.where(down[:, None], tried, here)
        pace[left] = torch.where(down, (2.0 * pace[left]).clamp_max(1.0), pace[left] / 2.0)
    raise _not_found(left)


def _spread(space: AbstractSpace, means: Tensor, points: Tensor) -> Tensor:
    return space.distance(means[:, None], points).square().mean(dim=-1)


def _not_found(left: Tensor) -> NoMiddleError:
    return NoMiddleError(
        int(left[0]),
        f"its Fréchet mean is not found in {_MOST_STEPS} steps, its recordings lie too far apart; take spherical_mean "
        "or, in a ball, einstein_midpoint",
    )


def _refuse_groups(wrong: Tensor, why: str) -> None:
    groups = torch.nonzero(wrong).flatten()
    if len(groups):
        raise NoMiddleError(int(groups[0]), why)


def _view_in_ball(m: Tensor, x: Tensor) -> _View:
    """Tangent vectors in the frame that the translation by -m takes to the origin, as long as the distances."""
    m = m[:, None, :]
    bearings = unit(directions(m, x, c=1.0))
    lengths = distance(m, x, c=1.0)
    pull = (lengths[..., None] * bearings).mean(dim=-2)
    far = lengths > 1e-6
    curvatures = torch.where(far, lengths / torch.where(far, lengths, 1.0).tanh(), 1.0)
    inverse_gaps = 1.0 / rim_gap(m, c=1.0) + 1.0 / rim_gap(x, c=1.0)
    return _View(
        cost=lengths.square().mean(dim=-1) / 2.0,
        pull=pull,
        error=8.0 * _EPS * (inverse_gaps * (1.0 + lengths)).mean(dim=-1),
        newton=_newton_step(bearings, lengths, curvatures),
        sure=pull / curvatures.mean(dim=-1, keepdim=True),
    )


def _newton_step(bearings: Tensor, lengths: Tensor, curvatures: Tensor) -> Tensor:
    """Solve ``H s = pull`` with the Hessian H of half the mean squared distance, whose eigenvalues are at least 1.

    A point in the unit direction w has the Hessian 1 along w and k, its curvature, across: with the w as rows of W and
    ``A = diag((k - 1) / K)``, ``H = mean(k) I - W' A W``. As the pull is ``W' lengths / K``, so is the step W' b, and
    ``(mean(k) I - A W W') b = lengths / K`` is the smaller system where there are fewer points than dimensions.
    """
    count, dim = bearings.shape[-2:]
    weights = ((curvatures - 1.0) / count)[..., None]
    mean = curvatures.mean(dim=-1)[:, None, None]
    shares = (lengths / count)[..., None]
    across = bearings.mT
    if count > dim:
        hessian = mean * torch.eye(dim, dtype=mean.dtype, device=mean.device) - across @ (weights * bearings)
        return torch.linalg.solve(hessian, across @ shares)[..., 0]
    system = mean * torch.eye(count, dtype=mean.dtype, device=mean.device) - weights * (bearings @ across)
    return (across @ torch.linalg.solve(system, shares))[..., 0]


def _move_in_ball(m: Tensor, step: Tensor) -> Tensor:
    return exp_map(m, step, c=1.0)


def _view_on_sphere(m: Tensor, x: Tensor) -> _View:
    m = m[:, None, :]
    pull = log_map_of_angles(m, x).mean(dim=-2)  # no curvature of the sum is above 1
    angles = angle(m, x)
    return _View(angles.square().mean(dim=-1) / 2.0, pull, torch.zeros_like(pull[:, 0]), newton=pull, sure=pull)
