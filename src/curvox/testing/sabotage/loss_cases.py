"""Losses that cannot work, and scales that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curvox.geometry import AbstractSpace, Clip, Euclidean, Hypersphere, PoincareBall
from curvox.losses import AbstractLoss
from curvox.losses.aam_softmax import AAMSoftmax
from curvox.losses.am_softmax import AMSoftmax
from curvox.losses.contrastive_hinge import ContrastiveHinge
from curvox.testing.sabotage.broken_losses import Reweighted, times
from curvox.testing.sabotage.case import PAIRS, LossMaker, Variant
from curvox.testing.sabotage.pair_losses import (
    OwnPairLoss,
    OwnTripletLoss,
    Terms,
    blind_cosine,
    blind_jeffreys,
    cosine_out_of_reach,
    hinge,
    hinge_with_a_rest,
    narrow_gaussian,
    sigmoid_out_of_reach,
    similarity_as_distance,
)
from curvox.testing.specimens import GaussianKLAsGiven, HingeAsGiven

PAIR_LOSS = {"name": "contrastive_hinge"}


def _own(terms: Terms, space: Callable[[], AbstractSpace] = Hypersphere, *, balanced: bool = True) -> LossMaker:
    return lambda dim, speakers: OwnPairLoss(dim, terms, space=space(), balanced=balanced)


def _pairs(cause: str, kind: str, make: LossMaker, corpus: str = "voices", *seeds: int, **more: Any) -> Variant:
    changes = (*PAIRS, *more.pop("changes", ()))
    return Variant(cause, kind, corpus, seeds or (1, 5), PAIR_LOSS, changes, make, **more)


def _softmax(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, **options}


def _climbed(dim: int, speakers: int) -> AbstractLoss:
    return Reweighted(ContrastiveHinge(dim), times(-1.0))


def _small_ball() -> PoincareBall:
    return PoincareBall(lift=Clip(0.2))


LABEL_BLIND = (
    _pairs("label_blind", "kl 0.1", lambda dim, _: GaussianKLAsGiven(dim, sigma=0.1)),
    _pairs("label_blind", "kl 1", lambda dim, _: GaussianKLAsGiven(dim, sigma=1.0), "openvoices", 2, 6),
    _pairs("label_blind", "cosine", _own(blind_cosine, balanced=False), "voices", 2, 6),
    _pairs("label_blind", "jeffreys", _own(blind_jeffreys, Euclidean, balanced=False), "openvoices", 5),
)

WRONG_DIRECTION = (
    _pairs("wrong_direction", "labels turned", _own(hinge(0.3, 1.2, flipped=True))),
    _pairs("wrong_direction", "turned, flat", _own(hinge(2.0, 8.0, flipped=True), Euclidean), "openvoices", 2, 6),
    _pairs("wrong_direction", "triplet turned", lambda dim, _: OwnTripletLoss(dim, sign=-1.0, margin=0.3)),
    _pairs("wrong_direction", "similarity as distance", _own(similarity_as_distance), "openvoices", 1, 5),
    _pairs("wrong_direction", "climbed", _climbed, "voices", 2, 6),
)

NEVER_SATISFIED = (
    _pairs("never_satisfied", "hinge 1", lambda dim, _: HingeAsGiven(dim, margin=1.0)),
    _pairs("never_satisfied", "hinge 0.5", lambda dim, _: HingeAsGiven(dim, margin=0.5), "openvoices", 2, 6),
    _pairs("never_satisfied", "cosine 0.8", _own(hinge_with_a_rest(0.8)), "voices", 2, 6),
)

MARGIN_OUT_OF_REACH = (
    _pairs("margin_out_of_reach", "sigmoid 2", _own(sigmoid_out_of_reach(2.0), Euclidean)),
    _pairs("margin_out_of_reach", "cosine 3", _own(cosine_out_of_reach(3.0)), "openvoices", 2, 6),
    _pairs("margin_out_of_reach", "small ball 3", _own(hinge(0.05, 3.0), _small_ball), "voices", 2, 6),
)

NEVER_ACTIVE = (
    _pairs("never_active", "margins wide apart", _own(hinge(3.1, 0.005))),
    _pairs("never_active", "flat margins", _own(hinge(60.0, 0.01), Euclidean), "openvoices", 2, 6),
    _pairs("never_active", "margin subtracted", lambda dim, _: OwnTripletLoss(dim, sign=1.0, margin=-3.0)),
)

GRADIENT_MULTIPLIED = (
    _pairs("gradient_multiplied", "sigma 0.01", _own(narrow_gaussian(0.01, 1.2))),
    _pairs("gradient_multiplied", "sigma 0.02", _own(narrow_gaussian(0.02, 1.2)), "openvoices", 2, 6),
    _pairs(
        "gradient_multiplied", "hinge times 10,000", lambda dim, _: Reweighted(ContrastiveHinge(dim), times(1e4)),
        "openvoices", 1, 5,
    ),
    Variant(
        "gradient_multiplied", "am times 10,000", "voices", (2, 6),
        make_loss=lambda dim, speakers: Reweighted(AMSoftmax(dim, speakers), times(1e4)),
    ),
)  # fmt: skip

SCALE = (
    Variant("scale_too_small", "am 1", loss=_softmax("am_softmax", scale=1.0)),
    Variant("scale_too_small", "aam 0.5", "openvoices", (2, 6), _softmax("aam_softmax", scale=0.5)),
    Variant("scale_too_small", "am 2", "openvoices", (1, 5), _softmax("am_softmax", scale=2.0)),
    Variant("scale_too_large", "am 1000", loss=_softmax("am_softmax", scale=1000.0)),
    Variant("scale_too_large", "aam 3000", "openvoices", (2, 6), _softmax("aam_softmax", scale=3000.0)),
    Variant(
        "scale_too_large", "ham 1000", "voices", (2, 6),
        _softmax("ham_softmax", scale=1000.0, space={"name": "poincare_ball", "lift": {"name": "exp_map"}}),
    ),
)  # fmt: skip


def _held_centres(dim: int, speakers: int) -> AbstractLoss:
    loss = AAMSoftmax(dim, speakers)
    loss.centres.requires_grad_(False)
    return loss


CENTRES = (
    Variant("centres_never_move", "factor 1e-9", changes=("training.optimizer.centre_learning_rate_factor=1.0e-9",)),
    Variant("centres_never_move", "held", "openvoices", (2, 6), make_loss=_held_centres),
)

LOSS_VARIANTS = (
    *LABEL_BLIND,
    *WRONG_DIRECTION,
    *NEVER_SATISFIED,
    *MARGIN_OUT_OF_REACH,
    *NEVER_ACTIVE,
    *GRADIENT_MULTIPLIED,
    *SCALE,
    *CENTRES,
)
