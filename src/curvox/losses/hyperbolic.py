"""Classification losses on the Poincaré ball: softmax over geodesic distances, from one Lorentz inner product."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from functools import partial

import torch
from torch import Tensor, nn

from curvox.errors import InputError, MissingExtraError, require_name, require_positive
from curvox.geometry import AbstractLift, AbstractSpace, Clip, PoincareBall, arcosh1p, distance, lifted
from curvox.losses.centres import AbstractCentreLoss, LearntScale, cross_entropy
from curvox.losses.contract import LossOutput
from curvox.losses.rival_rules import HyperbolicPowers

CENTRES = ("plain", "riemannian")


def manifold_parameter(centres: Tensor, space: PoincareBall) -> nn.Parameter:
    """Make raw centres, as points of the ball, a parameter of geoopt, whose optimisers keep it on the ball.

    Raises:
        InputError: the curvature is learnt, which geoopt's optimisers would not follow.
        MissingExtraError: geoopt is not installed.
    """
    if isinstance(space.c, Tensor):
        raise InputError('centres "riemannian" need a fixed curvature; leave learn_c out, or take centres "plain"')
    try:
        with warnings.catch_warnings():  # geoopt scripts its kernels at import, which torch deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            import geoopt
    except ImportError as error:
        raise MissingExtraError('centres "riemannian" need geoopt: pip install "curvox[riemannian]"') from error
    with torch.no_grad():
        points = Clip()(centres, c=space.c)
    ball = geoopt.PoincareBall(c=space.c)
    return geoopt.ManifoldParameter(points, manifold=ball)  # pyright: ignore[reportCallIssue]


class AbstractHyperbolicLoss(AbstractCentreLoss):
    """Rivals' logits are ``-s d(x, w)``; raw centres share the lift of the embeddings.

    In Lorentz coordinates ``cosh(sqrt(c) d)`` is an inner product, so all distances come from one matrix product and a
    power of each entry. The own distance, which may be small, is measured directly.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float,
        margin: float,
        learn_scale: bool,
        centre_std: float,
        centres: str,
        space: AbstractSpace,
    ) -> None:
        super().__init__(dim, speakers, margin=margin)
        ball = space.ball
        if ball is None:
            raise InputError(f"{type(self).__name__} needs a PoincareBall as its space, got {space!r}")
        require_name(centres, CENTRES, "kind of centres")
        self.scaling = LearntScale(scale, learn=learn_scale)
        self.space = space
        nn.init.normal_(self.centres, std=require_positive(centre_std, "centre_std"))
        self._point_lift = None
        if centres == "riemannian":
            self.centres = manifold_parameter(self.centres, ball)
            self._point_lift = Clip()  # they are points already; it only keeps what an optimiser rounds onto the rim

    @property
    def ball(self) -> PoincareBall:
        """``space``, of which the constructor has seen that it is a ball."""
        ball = self.space.ball
        assert ball is not None
        return ball

    @property
    def centre_lift(self) -> AbstractLift:
        """How centres enter the ball."""
        return self.ball.lift if self._point_lift is None else self._point_lift

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        raw = embeddings.to(self.precision(embeddings))
        scale, c = self.scaling.now(), self.ball.c
        exponent = scale / c**0.5
        row = exponent.expand(len(raw)) if isinstance(exponent, Tensor) else None
        rule = HyperbolicPowers(exponent if isinstance(exponent, float) else None)
        points, gap = self._lifted(raw, self.ball.lift)
        left = torch.cat([(-2.0 * c**0.5) * points, 2.0 - gap], 1) / gap
        factors = partial(self._lorentz_factors, lift=self.centre_lift)
        found = self.scan(rule, factors, left, speakers, row=row, parameters=tuple(self.space.parameters()))
        rivals = found.result if row is None else found.result_of(row)
        centres, centre_gap = self._lifted(found.own[:, 0], self.centre_lift)
        own = distance(points, centres, c=c, gaps=(gap * centre_gap)[:, 0])
        per_item = cross_entropy(scale * self.target_similarity(own), rivals)
        return LossOutput(per_item.mean(), per_item, self.describe_batch(left[:, -1], own))

    def _lifted(self, raw: Tensor, lift: AbstractLift) -> tuple[Tensor, Tensor]:
        return lifted(raw, lift, dim=self.dim, c=self.ball.c)

    def _lorentz_factors(self, squares: Tensor, lift: AbstractLift) -> Tensor:
        """From squared raw norms (M,) to (M, 2): what turns a raw vector into space-like coordinates, and the time."""
        c = self.ball.c
        conformal = 2.0 / lift.rim_gap(squares, dim=self.dim, c=c)
        space_like = lift.factor(squares, dim=self.dim, c=c) * (conformal * c**0.5)
        return torch.stack([space_like, conformal - 1.0], 1)

    @abstractmethod
    def target_similarity(self, own: Tensor) -> Tensor:
        """(B,) the own logit over the scale, from the distance to the own centre."""

    def describe_batch(self, times: Tensor, own: Tensor) -> dict[str, Tensor]:
        """Detached scalars for the log, from the points' time coordinates ``cosh(sqrt(c) distance to the origin)``."""
        depth = arcosh1p(times.detach() - 1.0) / self.ball.c**0.5
        return {"target_distance": own.detach().mean(), "distance_to_origin": depth.detach().mean()}
