"""Numbers that break, encoders that do not learn, learning rates that do not fit."""

from __future__ import annotations

from curvox.geometry import Euclidean, Hypersphere
from curvox.losses.am_softmax import AMSoftmax
from curvox.losses.contrastive_hinge import ContrastiveHinge
from curvox.testing.sabotage.broken_losses import (
    Reweighted,
    arc_of_one,
    first_counts,
    half_precision,
    logarithm_of_zero,
    root_at_zero,
    ruled_by_the_worst,
)
from curvox.testing.sabotage.case import PAIRS, LossMaker, Variant
from curvox.testing.sabotage.encoders import (
    Chaos,
    Detached,
    GradientTimes,
    InHalf,
    Steps,
    frozen,
    self_scaled,
    with_idle,
    within,
)
from curvox.testing.sabotage.pair_losses import OwnPairLoss, Terms
from curvox.testing.sabotage.recordings import at_most, on_some, silence

PAIR_LOSS = {"name": "contrastive_hinge"}


def _own(terms: Terms, space: type[Euclidean] | type[Hypersphere] = Euclidean) -> LossMaker:
    return lambda dim, speakers: OwnPairLoss(dim, terms, space=space())


def _rate(rate: float, name: str = "adam") -> tuple[str, ...]:
    # The schedule must not end above where it began.
    final = min(1e-5, rate / 10.0)
    return (
        f"training.optimizer.learning_rate={rate:.1e}",
        f"training.optimizer.name={name}",
        f"training.schedule.final_learning_rate={final:.1e}",
    )


NUMBERS = (
    Variant("not_finite", "root", "voices", (1, 5), PAIR_LOSS, PAIRS, _own(root_at_zero)),
    Variant("not_finite", "logarithm", "openvoices", (2, 6), PAIR_LOSS, PAIRS, _own(logarithm_of_zero)),
    Variant("not_finite", "arc", "voices", (2, 6), PAIR_LOSS, PAIRS, _own(arc_of_one, Hypersphere)),
    Variant("not_finite", "silence", change_encoder=self_scaled, prepare=on_some(silence, 0.01)),
    Variant("half_precision_overflow", "loss", "voices", (1, 5), PAIR_LOSS, PAIRS, _own(half_precision(60.0))),
    Variant(
        "half_precision_overflow",
        "layer",
        "openvoices",
        (2, 6),
        change_encoder=within("pool_norm", lambda: InHalf(3e4)),
    ),
)

PARAMETERS = (
    Variant(
        "frozen_parameters", "all but the last",
        change_encoder=frozen("entry", "blocks", "aggregate", "pool", "pool_norm"),
    ),
    Variant("frozen_parameters", "blocks", "openvoices", (2, 6), change_encoder=frozen("entry", "blocks")),
    Variant(
        "frozen_parameters", "detached", "voices", (2, 6), {"name": "triplet"}, PAIRS,
        change_encoder=within("pool_norm", Detached),
    ),
    Variant("unused_parameters", "a head", change_encoder=with_idle(32, 64, 32)),
    Variant("unused_parameters", "a large head", "openvoices", (2, 6), {"name": "aam_softmax"},
            change_encoder=with_idle(96, 256, 256, 32)),
)  # fmt: skip

GRADIENTS = (
    Variant("exploding_gradient", "spikes", change_encoder=within("pool_norm", lambda: GradientTimes(1e4, every=8))),
    Variant(
        "exploding_gradient", "recurrent", "openvoices", (2, 6),
        change_encoder=within("pool_norm", lambda: Chaos(96, turns=40, gain=2.5)),
    ),
    Variant("vanishing_gradient", "1e-7", change_encoder=within("entry", lambda: GradientTimes(1e-7))),
    Variant("vanishing_gradient", "rounded", "openvoices", (2, 6), {"name": "aam_softmax"},
            change_encoder=within("aggregate", lambda: Steps(4.0))),
    Variant("vanishing_gradient", "triplet 1e-6", "voices", (2, 6), {"name": "triplet"}, PAIRS,
            change_encoder=within("pool_norm", lambda: GradientTimes(1e-6))),
)  # fmt: skip

FEW_ITEMS = (
    Variant("few_items_rule", "the worst",
            make_loss=lambda dim, speakers: Reweighted(AMSoftmax(dim, speakers), ruled_by_the_worst(20.0))),
    Variant("few_items_rule", "the first of the batch", "openvoices", (2, 6),
            make_loss=lambda dim, speakers: Reweighted(AMSoftmax(dim, speakers), first_counts(1000.0))),
    Variant("few_items_rule", "the first of the pairs", "voices", (2, 6), PAIR_LOSS, PAIRS,
            make_loss=lambda dim, speakers: Reweighted(ContrastiveHinge(dim), first_counts(1000.0))),
)  # fmt: skip

RATES = (
    Variant("learning_rate_too_high", "adam 1", changes=_rate(1.0)),
    Variant("learning_rate_too_high", "adam 0.5", "openvoices", (2, 6), {"name": "aam_softmax"}, _rate(0.5)),
    Variant("learning_rate_too_high", "sgd 10", "voices", (2, 6), changes=_rate(10.0, "sgd")),
    Variant("learning_rate_too_low", "adam 1e-8", changes=_rate(1e-8)),
    Variant("learning_rate_too_low", "adam 1e-7", "openvoices", (2, 6), {"name": "triplet"}, (*PAIRS, *_rate(1e-7))),
    Variant("learning_rate_too_low", "sgd 1e-7", "voices", (2, 6), changes=_rate(1e-7, "sgd")),
)

_TUNED = (*PAIRS, *_rate(7e-4), "training.schedule.name=constant", "data.batch_size=12")

OVERFITTING = tuple(
    Variant("overfitting", "tuned on 6 speakers", corpus, seeds, {"name": "supervised_contrastive"}, _TUNED,
            prepare=at_most(3, speakers=6, spread=False), epochs=10, steps=4, pretraining=6)
    for corpus, seeds in (("voices", (1, 5)), ("openvoices", (2, 6)))
)  # fmt: skip

TRAINING_VARIANTS = (*NUMBERS, *PARAMETERS, *GRADIENTS, *FEW_ITEMS, *RATES, *OVERFITTING)
