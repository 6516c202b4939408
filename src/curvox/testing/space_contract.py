"""The contract of a space as a list of named checks, to be run on any space, ours or yours.

A check takes a factory ``() -> space``, which must stand in the table `curvox.geometry.SPACES` (`SPACES.register`
enters it), and raises AssertionError with a sentence when the contract is broken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from curvox.geometry import AbstractSpace, create_space, frechet_mean, self_distance
from curvox.scoring import ENROLMENTS, SCORERS, enrol, score_pairs
from curvox.testing.contract import listing, refuses, require

SpaceFactory = Callable[[], AbstractSpace]
Check = Callable[[SpaceFactory], None]

DIM = 6
CHECKS: dict[str, Check] = {}
_listed = listing(CHECKS)


def check_space(factory: SpaceFactory) -> None:
    """Run every check on the spaces of ``factory``."""
    for check in CHECKS.values():
        check(factory)


def _raw(items: int = 12, *, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(items, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@torch.no_grad()
def _points(space: AbstractSpace, items: int = 12, *, seed: int = 1) -> Tensor:
    """Points of embeddings short enough to stay off the rim of a ball of radius 1."""
    return space.double().project(0.15 * _raw(items, seed=seed))


def _close_points(space: AbstractSpace, items: int = 8) -> Tensor:
    """Points on the short ways from one of them to the others."""
    points = _points(space, items)
    with torch.no_grad():
        return space.exp_map(points[:1], 0.3 * space.log_map(points[:1], points))


@_listed
def check_projection(factory: SpaceFactory) -> None:
    """Raw embeddings of any length become finite points; a projection that leaves one of its points in place leaves
    all."""
    space = factory().double()
    for size in (0.0, 1e-30, 1e-12, 1.0, 1e4):
        points = space.project(size * _raw())
        require(points.shape == (12, DIM), f"12 raw embeddings of {DIM} gave points of shape {tuple(points.shape)}")
        require(torch.isfinite(points).all(), f"raw embeddings of length {size:g} give points that are not finite")
    points = torch.cat([space.project(size * _raw()) for size in (0.01, 1.0, 1e4)]).detach()
    stays = (space.project(points) - points).abs().amax(1) < 1e-9
    require(stays.all() or not stays.any(), f"projected again, {int(stays.sum())} of {len(stays)} points stay in place")


@_listed
def check_half_precision(factory: SpaceFactory) -> None:
    """Half-precision embeddings and points are widened to float32; float64 stays."""
    space = factory()
    for dtype in (torch.float16, torch.bfloat16):
        half = _raw(dtype=dtype)
        points = space.project(half)
        require(points.dtype == torch.float32, f"{dtype} embeddings gave points in {points.dtype}")
        require(torch.equal(points, space.project(half.float())), f"{dtype} embeddings were rounded on the way")
        narrow = (0.5 * points).to(dtype)
        for found in (space.distance(narrow, narrow.flip(0)), space.pairwise_distance(narrow, narrow)):
            require(found.dtype == torch.float32, f"{dtype} points gave distances in {found.dtype}")
            require(torch.isfinite(found).all(), f"distances of {dtype} points are not finite")
    require(_points(factory()).dtype == torch.float64, "float64 embeddings gave narrower points")


@_listed
def check_distance(factory: SpaceFactory) -> None:
    """Distances are symmetric, 0 of a point to itself, above 0 of different points, and at most `max_distance`."""
    space = factory()
    x, y = _points(space), _points(space, seed=2)
    there, back = space.distance(x, y), space.distance(y, x)
    require(there.shape == (12,), f"distances of 12 pairs have the shape {tuple(there.shape)}")
    require(space.distance(x[:, None], y).shape == (12, 12), "points do not broadcast")
    require(torch.allclose(there, back, rtol=1e-12, atol=0), "the distance depends on which point comes first")
    require((space.distance(x, x) == 0).all(), "a point is not at the distance 0 from itself")
    require((there > 0).all(), "different points are at the distance 0")
    far = space.project(1e6 * _raw())
    largest = torch.cat([there, space.distance(far, space.project(-1e6 * _raw()))]).max()
    require(largest <= space.max_distance * (1 + 1e-6), f"{largest:g} is above max_distance, {space.max_distance:g}")


@_listed
def check_triangle(factory: SpaceFactory) -> None:
    """No way by a third point is shorter."""
    space = factory()
    x = _points(space)
    every = space.distance(x[:, None], x)
    detour = (every[:, :, None] + every[None]).amin(1)
    require((every <= detour * (1 + 1e-12) + 1e-12).all(), "a way by a third point is shorter than the direct one")


@_listed
def check_pairwise(factory: SpaceFactory) -> None:
    """The distances of all pairs, and of a batch to itself, are those of single pairs."""
    space = factory()
    x, y = _points(space), _points(space, 9, seed=2)
    pairs, single = space.pairwise_distance(x, y), space.distance(x[:, None], y)
    require(pairs.shape == (12, 9), f"distances of 12 and 9 points have the shape {tuple(pairs.shape)}")
    require(torch.allclose(pairs, single, rtol=1e-6, atol=1e-9), "pairwise_distance is not distance, pair by pair")
    apart = ~torch.eye(12, dtype=torch.bool)
    own = self_distance(x, space)[apart]
    require(torch.allclose(own, space.distance(x[:, None], x)[apart], rtol=1e-6), "self_distance is not distance")


@_listed
def check_mean(factory: SpaceFactory) -> None:
    """The mean of copies is the point, that of several lies among them, in any order; a mean of none is refused."""
    space = factory()
    x = _points(space)
    copies = space.mean(x[:, None].expand(-1, 3, -1))
    require(copies.shape == x.shape, f"means of groups have the shape {tuple(copies.shape)}")
    require((space.distance(copies, x) < 1e-7).all(), "the mean of copies is another point")
    mean = space.mean(x)
    require(torch.allclose(mean, space.mean(x.flip(0)), rtol=1e-9, atol=1e-12), "the mean depends on the order")
    widest = space.distance(x[:, None], x).max()
    require(space.distance(mean, x).max() <= widest * (1 + 1e-9), "the mean lies beyond the points")
    refuses("the mean of no points", space.mean, x[:0])


@_listed
def check_log_and_exp(factory: SpaceFactory) -> None:
    """A tangent vector is as long as its point is away, and the exponential map leads to the point."""
    space = factory()
    base, x = _points(space), _points(space, seed=2)
    v = space.log_map(base, x)
    lengths = torch.linalg.vector_norm(v, dim=-1)
    require(torch.allclose(lengths, space.distance(base, x), rtol=1e-7), "|log_map| is not the distance")
    require((space.distance(space.exp_map(base, v), x) < 1e-6).all(), "exp_map does not lead back to the point")
    require((space.log_map(base, base).abs() < 1e-12).all(), "the tangent vector to the base itself is not 0")
    middle = space.exp_map(base, 0.5 * v)
    halves = torch.stack([space.distance(base, middle), space.distance(middle, x)])
    require(torch.allclose(halves, lengths / 2.0, rtol=1e-6), "half of a tangent vector does not lead half way")


@_listed
def check_curvature(factory: SpaceFactory) -> None:
    """Short tangent vectors measure as in flat space, and the next term of their distance is that of `curvature`."""
    space = factory()
    x = _points(space)
    base, u, v = x[:4], space.log_map(x[:4], x[4:8]), space.log_map(x[:4], x[8:12])
    step = 0.02 / max(1.0, math.sqrt(abs(space.curvature or 0.0)))
    u, v = (step * w / torch.linalg.vector_norm(w, dim=-1, keepdim=True) for w in (u, v))
    flat = (u - v).square().sum(-1)
    found = space.distance(space.exp_map(base, u), space.exp_map(base, v)).square()
    require(torch.allclose(found, flat, rtol=1e-2), "short tangent vectors are apart otherwise than in flat space")
    if space.curvature is not None:
        area = u.square().sum(-1) * v.square().sum(-1) - (u * v).sum(-1).square()
        measured = -3.0 * (found - flat) / area
        fits = torch.allclose(measured, torch.full_like(measured, space.curvature), rtol=1e-2, atol=1e-3)
        require(fits, f"curvature says {space.curvature:g}, distances say {measured.mean():g}")


@_listed
def check_frechet_mean(factory: SpaceFactory) -> None:
    """Seen from the Fréchet mean of points that are near each other, their tangent vectors cancel."""
    space = factory()
    x = _close_points(space)
    with torch.no_grad():
        mean = frechet_mean(space, x[None])
        left = space.log_map(mean, x).mean(0).norm()
    require(left < 1e-6, f"seen from the Fréchet mean, tangent vectors have a mean of length {left:g}")


@_listed
def check_gradients(factory: SpaceFactory) -> None:
    """Gradients are finite for raw embeddings of any length, for points that coincide, and for opposite ones."""
    space = factory()
    computed: dict[str, Callable[[Tensor], Tensor]] = {
        "distance": lambda points: space.distance(points[:6], points[6:]),
        "pairwise_distance": lambda points: space.pairwise_distance(points, points),
        "self_distance": lambda points: self_distance(points, space),
        "mean": lambda points: space.mean(points),
    }
    for size in (0.0, 1e-30, 1e-12, 1.0, 1e4):
        half = size * _raw(6, dtype=torch.float32)
        for other, place in ((half, "coincident"), (-half, "opposite"), (half.flip(0), "different")):
            for name, compute in computed.items():
                raw = torch.cat([half, other]).requires_grad_()
                (gradient,) = torch.autograd.grad(compute(space.project(raw)).sum(), raw)
                where = f"at {place} embeddings of length {size:g}"
                require(torch.isfinite(gradient).all(), f"the gradient of {name} is not finite {where}")


@_listed
def check_description(factory: SpaceFactory) -> None:
    """`create_space` builds the space again from its description, by way of JSON, and from its state."""
    space = factory()
    again = create_space(json.loads(json.dumps(space.describe())))
    require(again.describe() == space.describe(), "the space that was built again describes itself otherwise")
    again.load_state_dict(space.state_dict())
    z = _raw(dtype=torch.float32)
    require(torch.equal(space.project(z), again.project(z)), "the space that was built again projects otherwise")
    require(bool(space.in_words().strip()), "in_words says nothing")
    for name, value in space.learnt_scalars().items():
        require(math.isfinite(value), f'the learnt scalar "{name}" is {value}')


@_listed
def check_vectors(factory: SpaceFactory) -> None:
    """Points as vectors of flat space are finite, one for each, and different where the points are."""
    space = factory()
    x = _points(space)
    with torch.no_grad():
        found = space.as_vectors(x)
    require(found.ndim == 2 and len(found) == len(x), f"12 points gave vectors of shape {tuple(found.shape)}")
    require(torch.isfinite(found).all(), "a vector is not finite")
    require(len(found.unique(dim=0)) == len(x), "different points gave one vector")


@_listed
def check_origin(factory: SpaceFactory) -> None:
    """Depths are distances, and that of a mean follows from the sum of coordinates; without an origin nothing."""
    space = factory()
    x = _points(space)
    with torch.no_grad():
        if space.origin is None:
            return
        depths = space.origin.depths(x)
        require(torch.isfinite(depths).all() and (depths >= 0).all(), "a depth is below 0 or not finite")
        gaps = (depths[:, None] - depths).abs() - space.distance(x[:, None], x)
        require((gaps < 1e-9).all(), "two points are nearer to each other than their depths differ")
        expected = space.origin.depths(space.mean(x)[None]).numpy()
    sums = space.origin.coordinates(x.numpy()).sum(0, keepdims=True)
    require(np.allclose(space.origin.depths_of_sums(sums), expected, rtol=1e-7), "sums give another depth of the mean")


@_listed
def check_dissimilarity(factory: SpaceFactory) -> None:
    """The dissimilarity of clusters, put together from its parts, gives back the distances; without one nothing."""
    space = factory()
    dissimilarity = space.dissimilarity
    if dissimilarity is None:
        return
    x = _points(space)
    w = dissimilarity.weights(x.numpy())
    u = dissimilarity.factor * np.outer(w, w) * (x[:, None] - x).square().sum(-1).numpy()
    with torch.no_grad():
        expected = space.distance(x[:, None], x).numpy()
    require(np.allclose(dissimilarity.distances(u), expected, rtol=1e-6, atol=1e-7), "it gives other distances")


@_listed
def check_angles(factory: SpaceFactory) -> None:
    """Where distances are said to be angles, points are unit vectors and inner products their cosines."""
    space = factory()
    if not space.angular:
        return
    x = _points(space)
    require(torch.allclose(x.square().sum(-1), x.new_ones(len(x))), "points are not of length one")
    require(torch.allclose(space.distance(x[:, None], x).cos(), x @ x.T), "distances are not angles")


@_listed
def check_defaults(factory: SpaceFactory) -> None:
    """Its scorer and its way of enrolment are in their tables; scores fall as distances rise, and copies are enrolled
    where they are."""
    space = factory()
    x = _points(space)
    require(space.default_scorer in SCORERS, f'there is no scorer "{space.default_scorer}"')
    require(space.default_enrolment in ENROLMENTS, f'there is no way of enrolment "{space.default_enrolment}"')
    first, second = np.triu_indices(len(x), 1)
    with torch.no_grad():
        distances = space.distance(x[first], x[second]).numpy()
    scores = score_pairs(space, x, first, second)
    falling = np.diff(scores[np.argsort(distances)])
    require(bool((falling <= 1e-9).all()), "a score rises with the distance")
    enrolled = torch.from_numpy(enrol(space, x, [[0, 0], [1]], way=space.default_enrolment))
    require((space.distance(enrolled, x[:2]) < 1e-6).all(), "copies are not enrolled where they are")
