"""Points of a space in the Poincaré disk: a whole corpus in closed form, or a few by their own distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, DiskEmbedding, embed_in_disk, exp0
from curvox.geometry import distance as poincare_distance
from curvox.hierarchy.points import Floats

FLAT_SPREAD = 2.0
"""What the root mean square distance from the middle becomes in the disk for points of a space that has no unit of its
own, such as flat space."""

Length = Literal["kept", "projected"]


@dataclass(frozen=True, eq=False)
class DiskChart:
    """The map from a space to the disk of curvature −1 that two principal geodesics span.

    Attributes:
        space: where the points live.
        centre: (D,) their middle, which the map sends to the centre of the disk: the Lorentz centroid in a ball, the
            direction of the sum on the sphere, the mean in flat space.
        axes: (D, 2) the principal directions there, orthonormal.
        unit: what a distance of 1 in the space is in the disk.
    """

    space: AbstractSpace
    centre: Floats
    axes: Floats
    unit: float

    def coordinates(self, points: NDArray[np.floating], length: Length = "kept") -> Floats:
        """Return tangent coordinates (n, 2) at the centre of the disk; a point's norm is its distance from there.

        Args:
            points: (n, D) of the space.
            length: "kept": a point goes where its direction leads in the plane of the picture, to the distance that it
                has from the middle in the space; "projected": to what of that distance lies in the plane.
        """
        with torch.no_grad():
            tangent = self.unit * self.space.log_map(torch.from_numpy(self.centre)[None], _points(points))
            plane = tangent @ torch.from_numpy(self.axes)
            return (_lengthened(plane, tangent) if length == "kept" else plane).numpy()


@dataclass(frozen=True, eq=False)
class CorpusLayout:
    """A corpus in the disk.

    Attributes:
        chart: the map; it also places points that it was not made from, such as the middles of speakers.
        coordinates: (n, 2) tangent coordinates with kept lengths; see `DiskChart.coordinates`.
        kept: share of the squared distances from the middle that lies in the plane of the picture, in [0, 1].
        stress: Kruskal's, of distances drawn against distances in the space, over ``pairs`` sampled pairs.
        pairs: how many pairs were sampled.
    """

    chart: DiskChart
    coordinates: Floats
    kept: float
    stress: float
    pairs: int

    @property
    def points(self) -> Floats:
        """The points (n, 2) in the open unit disk."""
        return disk_points(self.coordinates)


def disk_points(coordinates: NDArray[np.floating]) -> Floats:
    """Return the points (n, 2) of the unit disk at these tangent coordinates (n, 2)."""
    return exp0(torch.from_numpy(np.asarray(coordinates, dtype=np.float64)) / 2.0, c=1.0).numpy()


def corpus_layout(
    space: AbstractSpace, points: NDArray[np.floating], *, pairs: int = 20_000, seed: int = 0
) -> CorpusLayout:
    """Lay out a corpus in the disk of curvature −1, at the cost of one (D, D) eigenproblem.

    The middle of the points is moved to the centre, the points are taken into the tangent space there, and the two
    directions with the most squared length are kept (tangent principal component analysis, Fletcher et al. 2004, with
    the Lorentz centroid as the mean). Each point is then put back at its own distance from the middle, in the direction
    that it has in the plane. In a hyperbolic space two points far out lie nearly twice their depth apart wherever their
    directions differ, in two dimensions as in two hundred; a projection shortens the depth, and would lose just that.
    Points of a ball that lie on a geodesic plane come out as they are, up to an isometry.

    Distances are not rescaled to look well: those of a ball are taken in units of its curvature radius (√c d), those of
    the sphere as angles in radians. A space without a curvature of its own, such as flat space, has no unit: its root
    mean square distance becomes `FLAT_SPREAD`.

    Args:
        space: where the points live.
        points: (n, D) of the space, n at least 3.
        pairs: sampled for the stress, with replacement.
        seed: of that sample.

    Raises:
        InputError: fewer than 3 points, points that are not finite, or all in one place.
    """
    x = _checked(points)
    with torch.no_grad():
        centre = space.mean(x)
        tangent = space.log_map(centre[None], x)
        unit = _unit(space, tangent)
        tangent = unit * tangent
        squares, axes = torch.linalg.eigh(tangent.T @ tangent)
        axes = axes[:, [-1, -2]]
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
        coordinates = _lengthened(tangent @ axes, tangent)
        stress = _stress(space, x, coordinates, unit, pairs, seed)
    return CorpusLayout(
        chart=DiskChart(space, centre.numpy(), axes.numpy(), unit),
        coordinates=coordinates.numpy(),
        kept=float(squares[-2:].clamp_min(0.0).sum() / squares.clamp_min(0.0).sum()),
        stress=stress,
        pairs=pairs,
    )


def unit_in_words(space: AbstractSpace) -> str:
    """Return what a distance of 1 in the disk is."""
    if not space.curvature:
        return f"half of the root mean square distance from the middle ({FLAT_SPREAD:g} in the disk)"
    return "an angle of one radian" if space.curvature > 0 else "a distance of 1/√c in the ball"


def _unit(space: AbstractSpace, tangent: Tensor) -> float:
    """Return the inverse of the curvature's radius; without one, what gives tangent vectors (n, D) `FLAT_SPREAD`."""
    if space.curvature:
        return abs(space.curvature) ** 0.5
    return FLAT_SPREAD / math.sqrt(tangent.square().sum(1).mean().item())


def _lengthened(plane: Tensor, tangent: Tensor) -> Tensor:
    """Stretch vectors of the plane to the length they had before they were projected.

    One without a part in the plane has no direction there, and goes along the first axis.
    """
    norms, lengths = plane.norm(dim=1, keepdim=True), tangent.norm(dim=1, keepdim=True)
    first = torch.tensor([[1.0, 0.0]], dtype=plane.dtype)
    return torch.where(norms > 1e-12 * lengths, plane / norms.clamp_min(1e-300), first) * lengths


def _stress(space: AbstractSpace, x: Tensor, coordinates: Tensor, unit: float, pairs: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    i = rng.integers(0, len(x), pairs)
    j = (i + rng.integers(1, len(x), pairs)) % len(x)
    first, second = torch.from_numpy(i), torch.from_numpy(j)
    disk = exp0(coordinates / 2.0, c=1.0)
    wanted = unit * torch.cat(
        [space.distance(x[a], x[b]) for a, b in zip(first.split(4096), second.split(4096), strict=True)]
    )
    drawn = poincare_distance(disk[first], disk[second], c=1.0)
    return float(((drawn - wanted).square().sum() / wanted.square().sum()).sqrt())


def _points(points: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.asarray(points, dtype=np.float64))


def _checked(points: NDArray[np.floating]) -> Tensor:
    if points.ndim != 2 or len(points) < 3 or points.shape[1] < 2:
        raise InputError(f"expected points (n, D) with n at least 3 and D at least 2, got {points.shape}")
    if not np.isfinite(points).all():
        raise InputError("points must be finite; the embeddings hold NaN or infinity")
    if (points == points[0]).all():
        raise InputError("all points are one: there is nothing to lay out")
    return _points(points)


def disk_layout(space: AbstractSpace, points: np.ndarray, *, seed: int = 0) -> DiskEmbedding:
    """Lay points of a space out in the disk of curvature −1 so that hyperbolic distances are as near as can be to
    theirs.

    Distances are not rescaled to look well: those of a ball are taken in units of its curvature radius (√c d), those of
    the sphere as angles in radians. The stress says how much of them two dimensions could keep. The points are (M, D)
    with M at most 400.
    """
    x = torch.from_numpy(np.asarray(points, dtype=np.float64))
    distances = space.pairwise_distance(x, x)
    if space.curvature:
        distances = distances * abs(space.curvature) ** 0.5
    distances = 0.5 * (distances + distances.T)
    return embed_in_disk(distances.fill_diagonal_(0.0).detach(), seed=seed)


def spread_over_speakers(speakers: Sequence[str], *, at_most: int, seed: int | None = None) -> np.ndarray:
    """Return positions of at most ``at_most`` utterances, as many a speaker as fit, in ascending order.

    Speakers take turns, each with its next utterance.

    Args:
        speakers: of n utterances.
        at_most: at least 0.
        seed: of the order in which speakers and their utterances come; without one it is the order given, so that
            those of a sorted list are its first: one session of each speaker, or the first speakers alone.
    """
    visited = np.arange(len(speakers)) if seed is None else np.random.default_rng(seed).permutation(len(speakers))
    turns: dict[str, int] = {}
    order = []
    for rank, position in enumerate(visited.tolist()):
        speaker = speakers[position]
        turns[speaker] = turns.get(speaker, -1) + 1
        order.append((turns[speaker], rank, position))
    return np.sort(np.array([position for *_, position in sorted(order)[:at_most]], dtype=np.int64))
