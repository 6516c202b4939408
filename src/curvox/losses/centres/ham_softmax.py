"""H- and HAM-Softmax: softmax over geodesic distances of the Poincaré ball, without and with a margin.

All distances to rivals come from one Lorentz inner product. Fang and He 2026, arXiv:2601.19709.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from functools import partial

import torch
from torch import Tensor, nn

from curvox.errors import InputError, MissingExtraError, require_name, require_positive
from curvox.geometry import AbstractLift, AbstractSpace, Clip, PoincareBall, Published, arcosh1p, distance, lifted
from curvox.losses.centres.centres import AbstractCentreLoss, LearntScale, cross_entropy
from curvox.losses.contract import LossOutput
from curvox.losses.scan.rules import HyperbolicPowers

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


class HAMSoftmax(AbstractHyperbolicLoss):
    """HAM-Softmax: a margin on the hyperbolic distance (Fang and He 2026, arXiv:2601.19709).

    Formula:
            t   = −s (d_y + m)
            r_j = −s d_j
            loss = log( exp(t) + Σ_{j≠y} exp(r_j) ) − t
            d_j = d(x, x_j),  x and x_j the lifted embedding and centre of speaker j
            d(x, x') = arcosh(1 + u) / √c,   u = 2c |x − x'|² / ((1 − c|x|²)(1 − c|x'|²))

    The ball has curvature −c. Embeddings and centres enter it through the same lift.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, per unit of distance, above 0; published 30.
        margin: m, in units of the distance, at least 0; published 0.2.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        centre_std: standard deviation of the raw centres' coordinates at the start, above 0. At 0.1, in 192 dimensions,
            they start on the rim of the ball, where the embeddings are; published 1e-3, all of them at the origin.
        centres: "plain" trains the raw centres as ordinary parameters; "riemannian" keeps them on the ball as geoopt's
            `ManifoldParameter`, for its Riemannian optimisers (Bécigneul and Ganea 2019; needs the extra `riemannian`).
        space: `PoincareBall`; default the published one, ``PoincareBall(lift=Published(curvature=3.0))``.

    Published:
        s = 30, m = 0.2, centre_std = 1e-3, a ball of c = 1 clipped at 1/√3; the paper's "curvature 3" is this clip.

    When:
        For embeddings that may hold a tree, such as gender, accent, speaker, session; the loss this project is named
        for. Its defaults are the published setting but for centres that start on the rim, which was the best of the
        hyperbolic settings tried on openvoices.

    What goes wrong:
        The margin is a length: what 0.2 means depends on how far the space reaches, and on c, and a margin near the
        largest distance can be kept by nobody. With centres that start close to the origin every rival is at first
        as near as the own centre and breaks the margin: warm it up. With a clipping lift and a batch-normalised encoder
        no length is learnt: `distance_to_origin` is a flat line; try the lift `soft_clip`.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        margin: float = 0.2,
        learn_scale: bool = False,
        centre_std: float = 0.1,
        centres: str = "plain",
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(
            dim,
            speakers,
            scale=scale,
            margin=margin,
            learn_scale=learn_scale,
            centre_std=centre_std,
            centres=centres,
            space=PoincareBall(lift=Published(curvature=3.0)) if space is None else space,
        )

    def target_similarity(self, own: Tensor) -> Tensor:
        return -(own + self.margin)


class HSoftmax(AbstractHyperbolicLoss):
    """H-Softmax: softmax over hyperbolic distances (Fang and He 2026, arXiv:2601.19709).

    Formula:
            every logit = −s d_j
            d_j = d(x, x_j),  x and x_j the lifted embedding and centre of speaker j
            d(x, x') = arcosh(1 + u) / √c,   u = 2c |x − x'|² / ((1 − c|x|²)(1 − c|x'|²))

    The ball has curvature −c. Embeddings and centres enter it through the same lift.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, per unit of distance, above 0; published 30.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        centre_std: standard deviation of the raw centres' coordinates at the start, above 0; published 1e-3.
        centres: "plain" trains the raw centres as ordinary parameters; "riemannian" keeps them on the ball as geoopt's
            `ManifoldParameter`, for its Riemannian optimisers (Bécigneul and Ganea 2019; needs the extra `riemannian`).
        space: `PoincareBall`; default the published one, ``PoincareBall(lift=Published(curvature=5.0))``.

    Published:
        s = 30, a ball of c = 1 clipped at 1/√5; the paper's "curvature 5" is this clip.

    When:
        As the base line of HAM-Softmax, as Softmax is that of AM-Softmax.

    What goes wrong:
        There is no margin, so a class may be won by a hair. The reach of the space sets how large a logit can become,
        scale × largest distance: raise the reach and the loss becomes sharper at the same scale, so change one of them
        at a time. With a clipping lift and a batch-normalised encoder no length is learnt: `distance_to_origin` is a
        flat line; try the lift `soft_clip`.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        learn_scale: bool = False,
        centre_std: float = 1e-3,
        centres: str = "plain",
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(
            dim,
            speakers,
            scale=scale,
            margin=0.0,
            learn_scale=learn_scale,
            centre_std=centre_std,
            centres=centres,
            space=PoincareBall(lift=Published(curvature=5.0)) if space is None else space,
        )

    def target_similarity(self, own: Tensor) -> Tensor:
        return -own
