"""The sabotaged runs: losses that cannot work, numbers that break, encoders that do not learn, spaces and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from curvox.geometry import AbstractSpace, Clip, Euclidean, Hypersphere, PoincareBall
from curvox.losses import AAMSoftmax, AbstractLoss, AMSoftmax, ContrastiveHinge, HAMSoftmax, HSoftmax
from curvox.testing.specimens import GaussianKLAsGiven, HingeAsGiven
from sabotage.broken_losses import (
    OwnPairLoss,
    OwnTripletLoss,
    Reweighted,
    Terms,
    arc_of_one,
    blind_cosine,
    blind_jeffreys,
    cosine_out_of_reach,
    first_counts,
    half_precision,
    hinge,
    hinge_with_a_rest,
    logarithm_of_zero,
    narrow_gaussian,
    root_at_zero,
    ruled_by_the_worst,
    sigmoid_out_of_reach,
    similarity_as_distance,
    times,
)
from sabotage.case import PAIRS, LossMaker, Variant
from sabotage.layers import (
    Chaos,
    Constant,
    Detached,
    GradientTimes,
    Hubs,
    InHalf,
    NearRim,
    Noise,
    Offset,
    Steps,
    behind,
    frozen,
    self_scaled,
    with_idle,
    within,
)
from sabotage.recordings import (
    at_most,
    clipped,
    copies,
    divided_labels,
    hiss,
    joined_labels,
    on_some,
    sessions_by_channel,
    silence,
)

PAIR_LOSS, _TRIPLET, _AAM = {"name": "contrastive_hinge"}, {"name": "triplet"}, {"name": "aam_softmax"}


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


def _rate(rate: float, name: str = "adam") -> tuple[str, ...]:
    # The schedule must not end above where it began.
    final = min(1e-5, rate / 10.0)
    return (
        f"training.optimizer.learning_rate={rate:.1e}",
        f"training.optimizer.name={name}",
        f"training.schedule.final_learning_rate={final:.1e}",
    )


NUMBERS = (
    Variant("not_finite", "root", "voices", (1, 5), PAIR_LOSS, PAIRS, _own(root_at_zero, Euclidean)),
    Variant("not_finite", "logarithm", "openvoices", (2, 6), PAIR_LOSS, PAIRS, _own(logarithm_of_zero, Euclidean)),
    Variant("not_finite", "arc", "voices", (2, 6), PAIR_LOSS, PAIRS, _own(arc_of_one)),
    Variant("not_finite", "silence", change_encoder=self_scaled, prepare=on_some(silence, 0.01)),
    Variant(
        "half_precision_overflow", "loss", "voices", (1, 5), PAIR_LOSS, PAIRS, _own(half_precision(60.0), Euclidean)
    ),
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
        "frozen_parameters", "detached", "voices", (2, 6), _TRIPLET, PAIRS,
        change_encoder=within("pool_norm", Detached),
    ),
    Variant("unused_parameters", "a head", change_encoder=with_idle(32, 64, 32)),
    Variant("unused_parameters", "a large head", "openvoices", (2, 6), _AAM,
            change_encoder=with_idle(96, 256, 256, 32)),
)  # fmt: skip

GRADIENTS = (
    Variant("exploding_gradient", "spikes", change_encoder=within("pool_norm", lambda: GradientTimes(1e4, every=8))),
    Variant(
        "exploding_gradient", "recurrent", "openvoices", (2, 6),
        change_encoder=within("pool_norm", lambda: Chaos(96, turns=40, gain=2.5)),
    ),
    Variant("vanishing_gradient", "1e-7", change_encoder=within("entry", lambda: GradientTimes(1e-7))),
    Variant("vanishing_gradient", "rounded", "openvoices", (2, 6), _AAM,
            change_encoder=within("aggregate", lambda: Steps(4.0))),
    Variant("vanishing_gradient", "triplet 1e-6", "voices", (2, 6), _TRIPLET, PAIRS,
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
    Variant("learning_rate_too_high", "adam 0.5", "openvoices", (2, 6), _AAM, _rate(0.5)),
    Variant("learning_rate_too_high", "sgd 10", "voices", (2, 6), changes=_rate(10.0, "sgd")),
    Variant("learning_rate_too_low", "adam 1e-8", changes=_rate(1e-8)),
    Variant("learning_rate_too_low", "adam 1e-7", "openvoices", (2, 6), _TRIPLET, (*PAIRS, *_rate(1e-7))),
    Variant("learning_rate_too_low", "sgd 1e-7", "voices", (2, 6), changes=_rate(1e-7, "sgd")),
)

_TUNED = (*PAIRS, *_rate(7e-4), "training.schedule.name=constant", "data.batch_size=12")

OVERFITTING = tuple(
    Variant("overfitting", "tuned on 6 speakers", corpus, seeds, {"name": "supervised_contrastive"}, _TUNED,
            prepare=at_most(3, speakers=6, spread=False), epochs=10, steps=4, pretraining=6)
    for corpus, seeds in (("voices", (1, 5)), ("openvoices", (2, 6)))
)  # fmt: skip


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


EMBEDDINGS = (
    Variant("collapse", "constant", change_encoder=behind(Constant)),
    Variant("collapse", "dead relu", "openvoices", (2, 6), {**_TRIPLET, "space": "euclidean"}, PAIRS,
            change_encoder=behind(_dead)),
    Variant("collapse", "offset", "voices", (2, 6), _TRIPLET, PAIRS, change_encoder=behind(lambda dim: Offset(1e5))),
    Variant("dimensional_collapse", "rank 1", change_encoder=behind(_narrow(1))),
    Variant("dimensional_collapse", "rank 2", "openvoices", (2, 6), _TRIPLET, PAIRS, change_encoder=behind(_narrow(2))),
    Variant("dimensional_collapse", "rank 3", "voices", (2, 6), _AAM,
            change_encoder=behind(_narrow(3))),
    Variant("concentration", "1,024 of noise", change_encoder=behind(lambda dim: Noise(1024, 1.0), more=1024)),
    Variant("concentration", "2,048 of noise", "openvoices", (2, 6), _TRIPLET, PAIRS,
            change_encoder=behind(lambda dim: Noise(2048, 1.0), more=2048)),
    Variant("hubness", "one in fifty", "voices", (1, 5), PAIR_LOSS, PAIRS, _flat_pairs,
            behind(_with_hubs(0.02), more=96)),
    Variant("hubness", "one in eighty", "openvoices", (2, 6), PAIR_LOSS, PAIRS, _flat_pairs,
            behind(_with_hubs(0.012), more=96)),
)  # fmt: skip


def _forgiving(dim: int, speakers: int) -> OwnPairLoss:
    return OwnPairLoss(dim, hinge(0.3, 1.2), space=Hypersphere(), forgiving=True)


BATCHES = (
    Variant("no_positives", "batches of 4", changes=("data.batch_size=4",), make_loss=_forgiving),
    Variant("no_positives", "batches of 5", "openvoices", (2, 6), changes=("data.batch_size=5",), make_loss=_forgiving),
)

RECORDINGS = (
    Variant("silent_recordings", "zeros", prepare=on_some(silence, 0.4)),
    Variant("silent_recordings", "lowest bit", "openvoices", (2, 6), _AAM, prepare=on_some(hiss, 0.3)),
    Variant("clipped_recordings", "20 times", prepare=on_some(clipped(20.0), 0.5)),
    Variant("clipped_recordings", "50 times", "openvoices", (2, 6), _AAM, prepare=on_some(clipped(50.0), 0.4)),
    Variant("duplicate_recordings", "of the speaker", prepare=copies(0.5, across=False)),
    Variant("duplicate_recordings", "across speakers", "openvoices", (2, 6), _AAM, prepare=copies(0.4, across=True)),
    Variant("few_recordings", "one each", prepare=at_most(1)),
    Variant("few_recordings", "one each", "openvoices", (2, 6), _TRIPLET, PAIRS, prepare=at_most(1)),
    Variant("speaker_imbalance", "4 of 40", prepare=at_most(2, spared=4)),
    Variant("speaker_imbalance", "4 of 54", "openvoices_uneven", (2, 6), _AAM),
)

LABELS = (
    Variant("split_speakers", "8 pairs", prepare=joined_labels(8), epochs=6, steps=30),
    Variant("split_speakers", "12 pairs", "openvoices", (2, 6), prepare=joined_labels(12), epochs=6, steps=40),
    Variant("merged_speakers", "10 speakers", "voices", (1, 5), {"name": "supervised_contrastive"}, PAIRS,
            prepare=divided_labels(10), epochs=4, steps=25),
    Variant(
        "merged_speakers", "16 speakers", "openvoices", (2, 6), _TRIPLET, PAIRS,
        prepare=divided_labels(16), epochs=6, steps=40,
    ),
)  # fmt: skip

CHANNELS = (
    Variant("channel_shortcut", "combs", prepare=sessions_by_channel(depth_db=40.0, tone_db=-25.0), epochs=6, steps=30),
    Variant("channel_shortcut", "a channel a speaker", "openvoices", (2, 6), _AAM,
            prepare=sessions_by_channel(depth_db=40.0, tone_db=-25.0, channels=64, divide=True), epochs=6, steps=40),
    Variant("channel_shortcut", "few channels", "voices", (2, 6), _AAM,
            prepare=sessions_by_channel(depth_db=50.0, tone_db=-25.0, channels=16), epochs=6, steps=30),
)  # fmt: skip

SABOTAGED_VARIANTS = (
    *LABEL_BLIND,
    *WRONG_DIRECTION,
    *NEVER_SATISFIED,
    *MARGIN_OUT_OF_REACH,
    *NEVER_ACTIVE,
    *GRADIENT_MULTIPLIED,
    *SCALE,
    *CENTRES,
    *NUMBERS,
    *PARAMETERS,
    *GRADIENTS,
    *FEW_ITEMS,
    *RATES,
    *OVERFITTING,
    *BATCHES,
    *RECORDINGS,
    *LABELS,
    *CHANNELS,
    *SPACE,
    *EMBEDDINGS,
)
"""Faults of the loss, of numbers and training, of data, and of space and embeddings."""
