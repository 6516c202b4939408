"""Sound losses of four sources, each with its family, how it is called, and what of it can be set."""

# ruff: noqa: E501 - a table, one loss a line

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytorch_metric_learning.losses as pml_losses
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curvox import LOSSES
from mutants import plain_batches as batches
from mutants import plain_heads as heads
from mutants import plain_pairs as pairs

Loss = Callable[..., Any]

pml: Any = pml_losses
"""Its annotations take whole numbers for margins."""

BATCH = "embeddings, speakers"
ROWS = "pairs without labels"

MOST = {"cosine": 2.0, "degrees": 180.0, "radians": math.pi}
"""The end of what a margin can mean, by its unit; lengths have none."""


@dataclass(frozen=True)
class Sound:
    """A loss that trains.

    Attributes:
        name: unique, beginning with its source.
        family: losses that share a formula; left out as a whole.
        takes: how it is called, a key of `curvox.diagnosis.SIGNATURES`.
        make: from dimension, speakers and settings to what is called.
        knobs: what can be set, with the values that are sound: "margin", "scale", "temperature", "criterion".
        margin: unit of the margin, "" where there is none.
        faults: mistakes that can be made in it, as its argument ``fault``.
        compare: "cosine" or "euclidean": how its embeddings are compared; of our own losses their space says it.
        rate: learning rate that it needs, over the usual one.
        own_rate: that of its own parameters, over the network's.
    """

    name: str
    family: str
    takes: str
    make: Callable[..., Loss]
    knobs: Mapping[str, Any] = field(default_factory=dict)
    margin: str = ""
    faults: tuple[str, ...] = ()
    compare: str = "cosine"
    rate: float = 1.0
    own_rate: float = 1.0

    @property
    def source(self) -> str:
        """Whose it is."""
        return self.name.split("/")[0]

    def build(self, dim: int, speakers: int, settings: Mapping[str, Any] = {}) -> Loss:
        """Build it with its sound values, or with others."""
        return self.make(dim, speakers, **{**self.knobs, **settings})

    @functools.cached_property
    def learns(self) -> bool:
        """It has matrices of its own, of speakers."""
        loss = self.build(8, 8)
        return isinstance(loss, nn.Module) and any(p.ndim > 1 and p.requires_grad for p in loss.parameters())


def _function(function: Loss) -> Callable[..., Loss]:
    return lambda dim, speakers, **settings: functools.partial(function, **settings)


def _sized(cls: Callable[..., Loss], *sizes: str) -> Callable[..., Loss]:
    def make(dim: int, speakers: int, **settings: Any) -> Loss:
        known = {"dim": dim, "speakers": speakers}
        return cls(*(known[size] for size in sizes), **settings)

    return make


_HALVES = ("only_pulls", "only_pushes")
_MASKS = ("inverted_mask", "mask_of_all")
_CE = {"criterion": F.cross_entropy}
_SAME, _DIFFERENT, _SIGN = "pairs, same", "pairs, different", "pairs, sign"


def _plain() -> list[Sound]:
    f, both = _function, ("dim", "speakers")

    def cosine(**fixed: Any) -> Callable[..., Loss]:
        return _sized(functools.partial(heads.Cosine, **fixed), *both)

    found = [
        Sound("contrastive", "pair hinge", _SAME, f(pairs.contrastive), {"margin": 4.0}, "length", ("no_clamp", *_HALVES), "euclidean"),
        Sound("contrastive cosine", "pair hinge", _DIFFERENT, f(pairs.contrastive_cosine), {"margin": 0.8}, "cosine", ("no_clamp", *_HALVES)),
        Sound("threshold hinge", "pair hinge", _SIGN, f(pairs.threshold_hinge), {"margin": 0.3}, "cosine", ("no_clamp", *_HALVES)),
        Sound("logistic pairs", "pair logistic", _SAME, _sized(pairs.LogisticPairs), {"scale": 10.0}, "", ("squashed_twice",)),
        Sound("binomial deviance", "pair logistic", _SIGN, f(pairs.binomial_deviance), {"scale": 8.0}, "", _HALVES),
        Sound("cosine regression", "pair regression", _SAME, f(pairs.cosine_regression), {}, "", _HALVES),
        Sound("manhattan", "pair regression", _SAME, f(pairs.manhattan_regression), {"scale": 0.05}, "", _HALVES, "euclidean"),
        Sound("gaussian kl", "gaussian", _SAME, f(pairs.gaussian_kl), {"margin": 2.0}, "length", ("no_clamp", "both_alike", *_HALVES), "euclidean"),
        Sound("learned gaussians", "gaussian", _SAME, _sized(pairs.LearnedGaussians, "dim"), {}, "", ("squashed_twice",), "euclidean"),
        Sound("gaussian classes", "gaussian", BATCH, _sized(heads.GaussianClasses, *both), _CE, "", (), "euclidean"),
        Sound("triplet squared", "triplet", "triplets", f(pairs.triplet_squared), {"margin": 0.4}, "cosine", ("no_clamp", "only_pulls")),
        Sound("triplet soft", "triplet", "triplets", f(pairs.triplet_soft), {"scale": 1.0}, "", _HALVES, "euclidean"),
        Sound("triplet cosine", "triplet", "triplets", f(pairs.triplet_cosine), {"margin": 0.3}, "cosine", ("no_clamp",)),
        Sound("triplet ratio", "triplet", "triplets", f(pairs.triplet_ratio), {}, "", ("wrong_axis",), "euclidean"),
        Sound("batch hard", "batch hard", BATCH, f(batches.batch_hard), {"margin": 0.3}, "cosine", ("no_clamp", "only_pulls", "sqrt_at_zero", *_MASKS), rate=0.2),
        Sound("batch hard soft", "batch hard", BATCH, f(batches.batch_hard_soft), {}, "", ("sqrt_at_zero", *_MASKS), "euclidean", rate=0.2),
        Sound("batch all", "batch hard", BATCH, f(batches.batch_all), {"margin": 0.2}, "cosine", ("no_clamp", *_MASKS)),
        Sound("semi-hard", "batch hard", BATCH, f(batches.semi_hard), {"margin": 0.2}, "cosine", ("no_clamp", "sqrt_at_zero", "inverted_mask")),
        Sound("quadruplet", "quadruplet", BATCH, f(batches.quadruplet), {"margin": 1.0}, "cosine", ("no_clamp", "sqrt_at_zero", "inverted_mask"), rate=0.2),
        Sound("quadruplet soft", "quadruplet", BATCH, f(batches.quadruplet_soft), {"scale": 10.0}, "", ("inverted_mask", *_HALVES)),
        Sound("info nce", "row softmax", ROWS, f(pairs.info_nce), {"temperature": 0.1}, "", ("only_pulls", "softmax_first")),
        Sound("n-pair", "row softmax", ROWS, f(pairs.n_pair), {}, "", ("only_pulls", "softmax_first")),
        Sound("supervised contrastive", "batch softmax", BATCH, f(batches.supervised_contrastive), {"temperature": 0.1}, "", ("only_pulls", "no_log", "wrong_axis", *_MASKS)),
        Sound("learned temperature", "batch softmax", BATCH, _sized(batches.LearnedTemperature), {"temperature": 0.1}, "", ("wrong_axis", *_MASKS)),
        Sound("neighbours", "batch softmax", BATCH, f(batches.neighbours), {"temperature": 1.0}, "", ("no_log", "wrong_axis", "inverted_mask"), "euclidean"),
        Sound("lifted", "lifted", BATCH, f(batches.lifted), {"margin": 1.0}, "cosine", ("no_clamp", "only_pulls", "sqrt_at_zero", "inverted_mask")),
        Sound("prototypes", "prototypes", BATCH, f(batches.prototypes), {"temperature": 4.0}, "", ("wrong_axis", "softmax_first"), "euclidean"),
        Sound("cosine prototypes", "prototypes", BATCH, _sized(batches.CosinePrototypes), {"scale": 10.0}, "", ("softmax_first",)),
        Sound("leave one out", "prototypes", BATCH, f(batches.leave_one_out), {"scale": 10.0}, "", ("softmax_first", "only_pulls")),
        Sound("scatter", "scatter", BATCH, f(batches.scatter), {}, "", ("only_pulls", "no_clamp"), "euclidean"),
        Sound("align and spread", "scatter", BATCH, f(batches.align_and_spread), {"scale": 2.0}, "", ("inverted_mask", *_HALVES)),
        Sound("remembered means", "momentum", BATCH, _sized(batches.Remembered, *both), {"scale": 10.0}, "", ("never_updated", "softmax_first")),
        Sound("queue", "momentum", BATCH, _sized(batches.Queue, "dim"), {"temperature": 0.1}, "", ("wrong_axis",)),
        Sound("linear", "linear head", BATCH, _sized(heads.Linear, *both), _CE),
        Sound("linear without bias", "linear head", BATCH, _sized(functools.partial(heads.Linear, bias=False), *both), {"criterion": heads.smoothed}),
        Sound("linear, one against rest", "linear head", BATCH, _sized(heads.Linear, *both), {"criterion": heads.one_against_rest}, own_rate=4.0),
        Sound("two layers", "linear head", BATCH, _sized(heads.MultiLayer, *both), _CE),
        Sound("softmax and centres", "linear head", BATCH, _sized(heads.SoftmaxAndCentres, *both), _CE, "", ("only_pulls",)),
        Sound("cosine head", "cosine head", BATCH, cosine(), {"scale": 16.0, **_CE}),
        Sound("cosine head, learned scale", "cosine head", BATCH, cosine(learned=True), {"scale": 10.0, **_CE}),
        Sound("fixed centres", "cosine head", BATCH, _sized(heads.FixedCentres, *both), {"scale": 10.0, **_CE}),
        Sound("additive margin", "margin head", BATCH, cosine(), {"scale": 20.0, "margin": 0.15, **_CE}, "cosine", ("margin_on_others",)),
        Sound("angular margin", "margin head", BATCH, cosine(angular=True), {"scale": 20.0, "margin": 0.15, **_CE}, "radians", ("margin_on_others", "acos_at_one")),
        Sound("proxy nca", "proxy", BATCH, _sized(heads.ProxyNCA, *both), {"scale": 6.0}, "", _HALVES),
        Sound("proxy anchor", "proxy", BATCH, _sized(heads.ProxyAnchor, *both), {"scale": 16.0, "margin": 0.3}, "cosine", _HALVES, own_rate=4.0),
    ]  # fmt: skip
    return [_named("plain", sound) for sound in found]


def _named(source: str, sound: Sound) -> Sound:
    return Sound(**{**vars(sound), "name": f"{source}/{sound.name}"})


def _pml() -> list[Sound]:
    of_any, of_speakers = (
        _sized,
        lambda cls: lambda dim, n, **settings: cls(num_classes=n, embedding_size=dim, **settings),
    )

    def one(name: str, family: str, unit: str = "", *, head: bool = False, **knobs: Any) -> Sound:
        cls = getattr(pml, name)
        return Sound(
            name, family, BATCH, (of_speakers if head else of_any)(cls), knobs, unit, own_rate=4.0 if head else 1.0
        )

    def p2s(dim: int, speakers: int) -> Loss:
        return pml.P2SGradLoss(dim, speakers)

    def memory(dim: int, speakers: int, **settings: Any) -> Loss:
        return pml.CrossBatchMemory(pml.ContrastiveLoss(0.2, 0.9), dim, memory_size=256)

    found = [
        one("AngularLoss", "row softmax"),
        one("ArcFaceLoss", "margin head", "degrees", head=True, margin=11.5, scale=24),
        one("CircleLoss", "batch softmax"),
        Sound("ContrastiveLoss", "pair hinge", BATCH, lambda dim, n, margin: pml.ContrastiveLoss(0.2, margin), {"margin": 1.0}, "cosine"),
        one("CosFaceLoss", "margin head", "cosine", head=True, margin=0.2, scale=24),
        Sound("CrossBatchMemory", "momentum", BATCH, memory),
        one("DynamicSoftMarginLoss", "triplet"),
        one("FastAPLoss", "ranking"),
        one("GeneralizedLiftedStructureLoss", "lifted"),
        one("HistogramLoss", "ranking", n_bins=50),
        one("InstanceLoss", "batch softmax"),
        one("IntraPairVarianceLoss", "pair regression"),
        one("LargeMarginSoftmaxLoss", "margin head", head=True, scale=1),
        one("LiftedStructureLoss", "lifted"),
        one("MarginLoss", "pair hinge", "cosine", margin=0.2),
        one("MultiSimilarityLoss", "batch softmax"),
        one("NCALoss", "batch softmax", softmax_scale=4),
        one("NPairsLoss", "row softmax"),
        one("NTXentLoss", "batch softmax", temperature=0.1),
        one("NormalizedSoftmaxLoss", "cosine head", head=True, temperature=0.05),
        Sound("P2SGradLoss", "cosine head", BATCH, p2s, own_rate=4.0),
        one("PNPLoss", "ranking"),
        one("ProxyAnchorLoss", "proxy", "cosine", head=True, margin=0.1),
        one("ProxyNCALoss", "proxy", head=True),
        Sound("RankedListLoss", "batch hard", BATCH, lambda dim, n, margin: pml.RankedListLoss(margin, 10, alpha=1.2), {"margin": 0.4}, "cosine"),
        Sound("SignalToNoiseRatioContrastiveLoss", "pair hinge", BATCH, lambda dim, n: pml.SignalToNoiseRatioContrastiveLoss(pos_margin=0.1, neg_margin=1.0)),
        one("SmoothAPLoss", "ranking", temperature=0.1),
        one("SoftTripleLoss", "proxy", head=True),
        one("SphereFaceLoss", "margin head", head=True, scale=10, margin=2),
        one("SubCenterArcFaceLoss", "margin head", "degrees", head=True, margin=11.5, scale=24),
        one("SupConLoss", "batch softmax", temperature=0.1),
        one("ThresholdConsistentMarginLoss", "pair hinge"),
        one("TripletMarginLoss", "triplet", "cosine", margin=0.1),
        one("TupletMarginLoss", "batch softmax", "degrees", margin=5.73, scale=32),
    ]  # fmt: skip
    return [_named("pml", sound) for sound in found]


class _OnDistance(nn.Module):
    """A loss of torch on the distance of each pair, or of the pairs of each triplet."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor, y: Tensor, third: Tensor) -> Tensor:
        if isinstance(self.loss, nn.MarginRankingLoss):
            near, far = 1 - F.cosine_similarity(x, y), 1 - F.cosine_similarity(x, third)
            return self.loss(far, near, torch.ones(len(x)))
        if isinstance(self.loss, nn.HingeEmbeddingLoss):
            return self.loss((1 - F.cosine_similarity(x, y)), third)
        return self.loss(10 * (F.cosine_similarity(x, y) - 0.4), third)


class _OnLogits(nn.Module):
    """A linear layer and a loss of torch."""

    def __init__(
        self, dim: int, speakers: int, *, loss: Any, multi: bool = False, log: bool = False, criterion: Any = None
    ) -> None:
        super().__init__()
        self.fc, self.loss, self.multi, self.log = nn.Linear(dim, speakers), loss, multi, log

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        logits = self.fc(z)
        logits = logits.log_softmax(1) if self.log else logits
        return self.loss(logits, F.one_hot(y, logits.shape[1]).float() if self.multi else y)


def _of_torch() -> list[Sound]:
    both = ("dim", "speakers")

    def on(loss: Callable[..., nn.Module]) -> Callable[..., Loss]:
        return lambda dim, n, **settings: _OnDistance(loss(**settings))

    def logits(loss: Any, **fixed: Any) -> Callable[..., Loss]:
        return _sized(functools.partial(_OnLogits, loss=loss, **fixed), *both)

    def by_cosine(dim: int, speakers: int, *, margin: float) -> Loss:
        return nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: 1 - F.cosine_similarity(a, b), margin=margin
        )

    found = [
        Sound("CosineEmbeddingLoss", "pair hinge", _SIGN, _sized(nn.CosineEmbeddingLoss), {"margin": 0.2}, "cosine"),
        Sound("HingeEmbeddingLoss", "pair hinge", _SIGN, on(nn.HingeEmbeddingLoss), {"margin": 0.8}, "cosine"),
        Sound("TripletMarginLoss", "triplet", "triplets", _sized(nn.TripletMarginLoss), {"margin": 1.0}, "length", (), "euclidean"),
        Sound("TripletMarginWithDistanceLoss", "triplet", "triplets", by_cosine, {"margin": 0.3}, "cosine"),
        Sound("MarginRankingLoss", "triplet", "triplets", on(nn.MarginRankingLoss), {"margin": 0.3}, "cosine"),
        Sound("BCEWithLogitsLoss", "pair logistic", _SAME, on(nn.BCEWithLogitsLoss)),
        Sound("SoftMarginLoss", "pair logistic", _SIGN, on(nn.SoftMarginLoss)),
        Sound("CrossEntropyLoss", "linear head", BATCH, logits(nn.CrossEntropyLoss())),
        Sound("NLLLoss", "linear head", BATCH, logits(nn.NLLLoss(), log=True)),
        Sound("MultiMarginLoss", "linear head", BATCH, logits(nn.MultiMarginLoss())),
        Sound("MultiLabelSoftMarginLoss", "linear head", BATCH, logits(nn.MultiLabelSoftMarginLoss(), multi=True), own_rate=4.0),
        Sound("KLDivLoss", "linear head", BATCH, logits(nn.KLDivLoss(reduction="batchmean"), log=True, multi=True)),
    ]  # fmt: skip
    return [_named("torch.nn", sound) for sound in found]


def _own() -> list[Sound]:
    families = {
        "softmax": ("linear head", "", {}),
        "am_softmax": ("margin head", "cosine", {"margin": 0.15, "scale": 20.0}),
        "aam_softmax": ("margin head", "radians", {"margin": 0.15, "scale": 20.0}),
        "ram_softmax": ("margin head", "cosine", {"margin": 0.15, "scale": 20.0}),
        "sphereface2": ("margin head", "cosine", {"margin": 0.2, "scale": 32.0}),
        "h_softmax": ("hyperbolic", "", {"scale": 10.0}),
        "ham_softmax": ("hyperbolic", "length", {"margin": 0.2, "scale": 10.0}),
        "contrastive_hinge": ("pair hinge", "", {}),
        "gaussian_kl": ("gaussian", "length", {"margin": 1.0}),
        "triplet": ("triplet", "radians", {"margin": 0.3}),
        "prototypical": ("prototypes", "", {"scale": 10.0}),
        "angular_prototypical": ("prototypes", "", {"scale": 10.0}),
        "ge2e": ("prototypes", "", {"scale": 10.0}),
        "supervised_contrastive": ("batch softmax", "", {"temperature": 0.1}),
    }

    def maker(name: str) -> Callable[..., Loss]:
        cls, pairs_only = LOSSES[name].load(), families[name][0] not in ("linear head", "margin head", "hyperbolic")
        return _sized(cls, "dim") if pairs_only else _sized(cls, "dim", "speakers")

    return [
        Sound(f"curvox/{name}", family, BATCH, maker(name), knobs, margin)
        for name, (family, margin, knobs) in families.items()
    ]


SOUND: dict[str, Sound] = {sound.name: sound for sound in (*_plain(), *_pml(), *_of_torch(), *_own())}
"""Every sound loss by name."""

FAMILIES = tuple(sorted({sound.family for sound in SOUND.values()}))
