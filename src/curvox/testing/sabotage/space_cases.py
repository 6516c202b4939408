"""Balls in which nothing is hyperbolic or nothing is exact, and embeddings that are of no use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from curvox.geometry import Euclidean, PoincareBall
from curvox.losses import AbstractLoss
from curvox.losses.contrastive_hinge import ContrastiveHinge
from curvox.losses.h_softmax import HSoftmax
from curvox.losses.ham_softmax import HAMSoftmax
from curvox.testing.sabotage.case import PAIRS, LossMaker, Variant
from curvox.testing.sabotage.encoders import Constant, Hubs, Noise, Offset, behind
from curvox.testing.sabotage.rim import NearRim


def ball(lift: str, *, c: float = 1.0, **options: Any) -> dict[str, Any]:
    """The ``space`` of a recipe."""
    return {"name": "poincare_ball", "c": c, "lift": {"name": lift, **options}}


def _on_ball(name: str, space: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name} if space is None else {"name": name, "space": space}


def _at_rim(gap: float, cls: type[HSoftmax] | type[HAMSoftmax] = HSoftmax) -> LossMaker:
    def make(dim: int, speakers: int) -> AbstractLoss:
        # The distances are long there, for which a scale of 30 would be a fault of its own.
        return cls(dim, speakers, scale=2.0, space=PoincareBall(lift=NearRim(gap)))

    return make


def _flat_pairs(dim: int, speakers: int) -> AbstractLoss:
    return ContrastiveHinge(dim, m_same=1.0, m_different=8.0, space=Euclidean())


SPACE = (
    Variant("points_at_origin", "gain 1e-4", loss=_on_ball("ham_softmax", ball("exp_map", gain=1e-4))),
    Variant("points_at_origin", "clip 0.003", "openvoices", (2, 6), _on_ball("h_softmax", ball("clip", radius=3e-3))),
    Variant("float32_distance_error", "1e-6", make_loss=_at_rim(1e-6)),
    Variant("float32_distance_error", "3e-7", "openvoices", (2, 6), make_loss=_at_rim(3e-7, HAMSoftmax)),
    Variant("dead_radius", "ham as published", loss={"name": "ham_softmax", "centre_std": 1e-3}),
    Variant("dead_radius", "h as published", "openvoices", (2, 6), _on_ball("h_softmax")),
    Variant("dead_radius", "clip 0.9", "voices", (2, 6), _on_ball("h_softmax", ball("clip", radius=0.9))),
    Variant("curvature_without_effect", "1e-5", loss=_on_ball("h_softmax", ball("exp_map", c=1e-5))),
    Variant("curvature_without_effect", "1e-4", "openvoices", (2, 6), _on_ball("ham_softmax", ball("exp_map", c=1e-4))),
)  # fmt: skip


def _narrow(rank: int) -> Callable[[int], nn.Module]:
    def make(dim: int) -> nn.Module:
        return nn.Sequential(nn.Linear(dim, rank), nn.Linear(rank, dim))

    return make


def _dead(dim: int) -> nn.Module:
    return nn.Sequential(Offset(-30.0), nn.ReLU())


def _with_hubs(share: float) -> Callable[[int], nn.Module]:
    """Hubs need dimensions: among points of few, the middle is no nearer than a neighbour."""
    return lambda dim: nn.Sequential(Noise(96, 0.8), Hubs(share, 0.05))


_TRIPLET, _CONTRASTIVE = {"name": "triplet"}, {"name": "contrastive_hinge"}

EMBEDDINGS = (
    Variant("collapse", "constant", change_encoder=behind(Constant)),
    Variant("collapse", "dead relu", "openvoices", (2, 6), {**_TRIPLET, "space": "euclidean"}, PAIRS,
            change_encoder=behind(_dead)),
    Variant("collapse", "offset", "voices", (2, 6), _TRIPLET, PAIRS, change_encoder=behind(lambda dim: Offset(1e5))),
    Variant("dimensional_collapse", "rank 1", change_encoder=behind(_narrow(1))),
    Variant("dimensional_collapse", "rank 2", "openvoices", (2, 6), _TRIPLET, PAIRS, change_encoder=behind(_narrow(2))),
    Variant("dimensional_collapse", "rank 3", "voices", (2, 6), {"name": "aam_softmax"},
            change_encoder=behind(_narrow(3))),
    Variant("concentration", "1,024 of noise", change_encoder=behind(lambda dim: Noise(1024, 1.0), more=1024)),
    Variant("concentration", "2,048 of noise", "openvoices", (2, 6), _TRIPLET, PAIRS,
            change_encoder=behind(lambda dim: Noise(2048, 1.0), more=2048)),
    Variant("hubness", "one in fifty", "voices", (1, 5), _CONTRASTIVE, PAIRS, _flat_pairs,
            behind(_with_hubs(0.02), more=96)),
    Variant("hubness", "one in eighty", "openvoices", (2, 6), _CONTRASTIVE, PAIRS, _flat_pairs,
            behind(_with_hubs(0.012), more=96)),
)  # fmt: skip

SPACE_VARIANTS = (*SPACE, *EMBEDDINGS)
