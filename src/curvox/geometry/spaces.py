"""The spaces in which embeddings live: where a raw embedding becomes a point, and what the distance is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry import poincare, vectors
from curvox.geometry.dissimilarity import AbstractDissimilarity, CoshDistance, CosineDistance, SquaredDistance
from curvox.geometry.lifts import LIFTS, AbstractLift, Clip, ExpMap, Published
from curvox.geometry.origins import AbstractOrigin, BallOrigin, FlatOrigin
from curvox.tables import Entry, Table

_HERE = "curvox.geometry.spaces"

SPACES = Table(
    "space",
    {
        "euclidean": Entry(_HERE, "Euclidean", "flat space, the distance |x - y|"),
        "hypersphere": Entry(_HERE, "Hypersphere", "unit vectors, the angle between them in radians"),
        "poincare_ball": Entry(_HERE, "PoincareBall", "the ball of curvature -c", "nickel2017poincare"),
    },
)


class AbstractSpace(nn.Module, ABC):
    """A place for embeddings, with all that losses, scores and measures ask of one.

    Half-precision input is widened: points and distances are at least float32. A space of your own answers every
    abstract method; those that ask for something it does not have are answered by None. `SPACES.register` then lets
    recipes and saved models name it, and `curvox.testing.space_contract` checks its laws.

    Attributes:
        angular: points are unit vectors and distances the angles between them, so that inner products are cosines;
            losses of angles ask for it.
        default_scorer: the scorer that belongs to the space, a name in `curvox.scoring.SCORERS`.
        default_enrolment: the way of enrolment that belongs to it, a name in `curvox.scoring.ENROLMENTS`.
    """

    angular: ClassVar[bool] = False
    default_scorer: ClassVar[str] = "distance"
    default_enrolment: ClassVar[str] = "frechet_mean"

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def project(self, z: Tensor) -> Tensor:
        """Turn raw embeddings (..., D) into points (..., D) of the space."""

    @abstractmethod
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances (...) of points (..., D) that broadcast together, by direct difference."""

    @abstractmethod
    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances (B, N) of all pairs of points (B, D) and (N, D), from one matrix product."""

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """The points (..., D) in the middle of K points each (..., K, D), K >= 1; the mean of copies is the point."""

    @abstractmethod
    def log_map(self, base: Tensor, x: Tensor) -> Tensor:
        """Tangent vectors (..., D) at ``base`` towards the points x, each as long as its point is away."""

    @abstractmethod
    def exp_map(self, base: Tensor, v: Tensor) -> Tensor:
        """The points (..., D) at the ends of tangent vectors v at ``base``: the inverse of `log_map`."""

    @abstractmethod
    def as_vectors(self, x: Tensor) -> Tensor:
        """Points (..., D) as vectors of flat space, for linear methods such as PLDA."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name and constructor arguments as plain values; `create_space` is its inverse."""

    @abstractmethod
    def in_words(self) -> str:
        """Return name and settings for a reader, what is learnt as it is now."""

    @abstractmethod
    def learnt_scalars(self) -> dict[str, float]:
        """Return the single numbers that training learnt here, by name; those in force, not raw parameters."""

    @property
    @abstractmethod
    def max_distance(self) -> float:
        """The largest distance between two projected points; infinite where there is none."""

    @property
    @abstractmethod
    def curvature(self) -> float | None:
        """The sectional curvature, None where it is not the same in all places and directions."""

    @property
    @abstractmethod
    def origin(self) -> AbstractOrigin | None:
        """The origin from which points have depths; None where no point is special."""

    @property
    @abstractmethod
    def dissimilarity(self) -> AbstractDissimilarity | None:
        """The dissimilarity by which clusters are merged at the cost of points; None where there is none."""

    @property
    def ball(self) -> PoincareBall | None:
        """The space itself where it is a Poincaré ball, for what is only defined there; elsewhere None."""
        return self if isinstance(self, PoincareBall) else None


class Euclidean(AbstractSpace):
    """Flat space: every raw embedding is a point."""

    default_scorer = "euclidean"

    def project(self, z: Tensor) -> Tensor:
        return vectors.widen(z)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.euclidean_distance(x, y)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.pairwise_euclidean_distance(x, y)

    def mean(self, x: Tensor) -> Tensor:
        return _several(x).mean(-2)

    def log_map(self, base: Tensor, x: Tensor) -> Tensor:
        return x - base

    def exp_map(self, base: Tensor, v: Tensor) -> Tensor:
        return base + v

    def as_vectors(self, x: Tensor) -> Tensor:
        return x

    def describe(self) -> dict[str, Any]:
        return {"name": "euclidean"}

    def in_words(self) -> str:
        return "euclidean"

    def learnt_scalars(self) -> dict[str, float]:
        return {}

    @property
    def max_distance(self) -> float:
        return float("inf")

    @property
    def curvature(self) -> float:
        return 0.0

    @property
    def origin(self) -> AbstractOrigin:
        return FlatOrigin()

    @property
    def dissimilarity(self) -> AbstractDissimilarity:
        return SquaredDistance()


class Hypersphere(AbstractSpace):
    """Unit vectors; the distance is the angle in radians, whose cosine is the cosine score."""

    angular = True
    default_scorer = "cosine"
    default_enrolment = "spherical_mean"

    def project(self, z: Tensor) -> Tensor:
        return vectors.unit(vectors.widen(z))

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.angle(x, y)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return vectors.pairwise_angle(x, y)

    def mean(self, x: Tensor) -> Tensor:
        """The direction of the sum; zero where the points cancel, as `unit` has it."""
        return vectors.unit(_several(x).mean(-2))

    def log_map(self, base: Tensor, x: Tensor) -> Tensor:
        return vectors.log_map_of_angles(base, x)

    def exp_map(self, base: Tensor, v: Tensor) -> Tensor:
        return vectors.exp_map_of_angles(base, v)

    def as_vectors(self, x: Tensor) -> Tensor:
        return x

    def describe(self) -> dict[str, Any]:
        return {"name": "hypersphere"}

    def in_words(self) -> str:
        return "hypersphere"

    def learnt_scalars(self) -> dict[str, float]:
        return {}

    @property
    def max_distance(self) -> float:
        return math.pi

    @property
    def curvature(self) -> float:
        return 1.0

    @property
    def origin(self) -> None:
        return None

    @property
    def dissimilarity(self) -> AbstractDissimilarity:
        return CosineDistance()


class PoincareBall(AbstractSpace):
    """The ball of curvature -c and radius 1/sqrt(c), entered through a lift.

    A learnt c is ``c0 10^tanh(raw_c)``, with ``raw_c = 0`` at the start c0: it stays within a factor of ten of c0, and
    at the start a step of 0.1 of ``raw_c`` changes it by a quarter.

    Args:
        c: curvature is -c; c > 0. The start, where it is learnt.
        lift: how raw embeddings enter the ball; default `Clip` to just inside the rim. `Published` lives in the ball
            of c = 1 and is refused where c is learnt.
        learn_c: make the curvature a parameter.
    """

    default_scorer = "hyperbolic"
    default_enrolment = "einstein_midpoint"

    def __init__(self, *, c: float = 1.0, lift: AbstractLift | None = None, learn_c: bool = False) -> None:
        super().__init__()
        self.initial_c = require_positive(c, "c")
        if lift is not None and not isinstance(lift, AbstractLift):
            raise InputError(f"lift must be a lift such as Clip(), got {lift!r}; names go through create_space")
        if not isinstance(learn_c, bool):
            raise InputError(f"learn_c must be true or false, got {learn_c!r}")
        if learn_c and isinstance(lift, Published):
            raise InputError('the lift "published" belongs to the ball of c = 1, so c cannot be learnt; use "clip"')
        self.lift = Clip() if lift is None else lift
        self.lift.reach(c=self.initial_c)
        self.raw_c = nn.Parameter(torch.zeros(())) if learn_c else None

    @property
    def c(self) -> float | Tensor:
        """The c in force: a float, or a scalar tensor with a gradient where it is learnt."""
        if self.raw_c is None:
            return self.initial_c
        return self.initial_c * (math.log(10.0) * vectors.widen(self.raw_c).tanh()).exp()

    @property
    def c_value(self) -> float:
        """The c in force as a number."""
        return float(_detached(self.c))

    @property
    def reach(self) -> float:
        """The largest Euclidean norm of a projected point."""
        return self.lift.reach(c=_detached(self.c))

    def _c_of(self, x: Tensor) -> float | Tensor:
        """The c in force, in the precision of x."""
        c = self.c
        return c.to(x.dtype) if isinstance(c, Tensor) else c

    def require_inside(self, x: Tensor) -> None:
        """Refuse points (..., D) outside the ball by an `InputError`."""
        radius = self.c_value**-0.5
        outside = int((torch.linalg.vector_norm(x, dim=-1) >= radius).sum())
        if outside:
            raise InputError(
                f"{outside} points lie outside the Poincaré ball of radius {radius:g}; "
                "project them into the space first"
            )

    def project(self, z: Tensor) -> Tensor:
        return self.lift(vectors.widen(z), c=self.c)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.distance(x, y, c=self.c)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return poincare.pairwise_distance(x, y, c=self.c)

    def mean(self, x: Tensor) -> Tensor:
        """The Lorentz centroid, see `poincare.centroid`."""
        return poincare.centroid(_several(x), c=self.c)

    def log_map(self, base: Tensor, x: Tensor) -> Tensor:
        return poincare.log_map(base, x, c=self._c_of(x))

    def exp_map(self, base: Tensor, v: Tensor) -> Tensor:
        return poincare.exp_map(base, v, c=self._c_of(v))

    def as_vectors(self, x: Tensor) -> Tensor:
        """Tangent vectors at the origin, half as long as the points are away, see `poincare.log0`."""
        return poincare.log0(x, c=self.c_value)

    def describe(self) -> dict[str, Any]:
        learnt = self.raw_c is not None
        return {"name": "poincare_ball", "c": self.initial_c, "lift": self.lift.describe(), "learn_c": learnt}

    def in_words(self) -> str:
        lift = " ".join(str(value) for value in self.lift.describe().values() if value is not None)
        return f"Poincaré ball, c = {self.c_value:.4g}{' (learnt)' * (self.raw_c is not None)}, {lift}"

    def learnt_scalars(self) -> dict[str, float]:
        learnt = {} if self.raw_c is None else {"c": self.c_value}
        return learnt | ({"gain": float(self.lift.gain.detach())} if isinstance(self.lift, ExpMap) else {})

    @property
    def max_distance(self) -> float:
        """That of two opposite lifted points with the c in force."""
        c = self.c
        return self.lift.max_distance(c=c.detach().double() if isinstance(c, Tensor) else c)

    @property
    def curvature(self) -> float:
        return -self.c_value

    @property
    def origin(self) -> AbstractOrigin:
        return BallOrigin(self.c)

    @property
    def dissimilarity(self) -> AbstractDissimilarity:
        return CoshDistance(self.c_value)


def require_space(space: object) -> AbstractSpace:
    """Return ``space``, or refuse what is no space."""
    if not isinstance(space, AbstractSpace):
        raise InputError(f"space must be a space such as Hypersphere(), got {space!r}; names go through create_space")
    return space


def parameters_of_spaces(module: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of all spaces inside a module."""
    return {p for inner in module.modules() if isinstance(inner, AbstractSpace) for p in inner.parameters()}


def _detached(c: float | Tensor) -> float | Tensor:
    return c.detach() if isinstance(c, Tensor) else c


def _several(x: Tensor) -> Tensor:
    if x.ndim < 2 or x.shape[-2] == 0:
        raise InputError(f"a mean is of at least one point, (..., K, D) with K >= 1, got {tuple(x.shape)}")
    return vectors.widen(x)


def create_space(description: str | Mapping[str, Any]) -> AbstractSpace:
    """Build the space that ``AbstractSpace.describe`` describes; a bare name takes the defaults.

    Learned parameters of a lift are not in the description but in the space's ``state_dict``.

    Raises:
        UnknownNameError: no space or lift of that name; the nearest names are listed.
        RecipeError: an argument that the space or the lift does not have, or no name.
        InputError: a value outside its range.
    """
    cls, arguments = SPACES.read(description)
    if "lift" in arguments and arguments["lift"] is not None:
        arguments["lift"] = create_lift(arguments["lift"])
    return cls(**arguments)


def create_lift(description: str | Mapping[str, Any]) -> AbstractLift:
    """Build the lift that ``AbstractLift.describe`` describes; errors as for `create_space`."""
    cls, arguments = LIFTS.read(description)
    return cls(**arguments)
