"""Losses: embeddings and speakers in, ``LossOutput(value, per_item, parts)`` out.

``LOSSES`` is the table of all of them; the classes in it are imported when they are asked for, so that reading
the table costs no torch. A new loss is a file in one of the folders here and a line in the table.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.losses.card import LossCard, read_loss_card
from curvox.tables import Entry, Table

if TYPE_CHECKING:
    from curvox.losses.centres.am_softmax import AAMSoftmax, AMSoftmax, RAMSoftmax
    from curvox.losses.centres.centres import LearntScale
    from curvox.losses.centres.ham_softmax import HAMSoftmax, HSoftmax
    from curvox.losses.centres.level_prototypes import LevelPrototypes
    from curvox.losses.centres.sharding import (
        as_sharded,
        full_state,
        has_centres,
        load_full_state,
        shard_centres,
        sharded_parameters,
    )
    from curvox.losses.centres.softmax import Softmax
    from curvox.losses.centres.sphereface2 import SphereFace2
    from curvox.losses.combined import Combined, WeightedLoss, create_loss, takes_tree
    from curvox.losses.contract import AbstractLoss, LossOutput
    from curvox.losses.metric_learning import MetricLearning, as_distance
    from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge, contrastive_hinge_losses
    from curvox.losses.pairs.gaussian_kl import GaussianKL, gaussian_kl_losses
    from curvox.losses.pairs.ge2e import GE2E
    from curvox.losses.pairs.mining import mine_pairs, mine_triplets, same_speaker
    from curvox.losses.pairs.pairs import AbstractPairLoss, inputs_of_pairs, mean_of, require_pairs
    from curvox.losses.pairs.prototypical import AngularPrototypical, Prototypical
    from curvox.losses.pairs.supervised_contrastive import SupervisedContrastive
    from curvox.losses.pairs.triplet import Triplet, triplet_losses

_HERE, _CENTRES, _PAIRS = "curvox.losses", "curvox.losses.centres", "curvox.losses.pairs"
_AM, _HAM = f"{_CENTRES}.am_softmax", f"{_CENTRES}.ham_softmax"
_MEANS = f"{_PAIRS}.prototypical"

LOSSES = Table(
    "loss",
    {
        "softmax": Entry(f"{_CENTRES}.softmax", "Softmax", "cross-entropy over inner products"),
        "am_softmax": Entry(_AM, "AMSoftmax", "margin on the cosine", "wang2018amsoftmax"),
        "aam_softmax": Entry(_AM, "AAMSoftmax", "margin on the angle (ArcFace)", "deng2019arcface"),
        "ram_softmax": Entry(_AM, "RAMSoftmax", "margin without over-push", "li2022ram"),
        "sphereface2": Entry(
            f"{_CENTRES}.sphereface2", "SphereFace2", "a yes-or-no problem a speaker", "wen2022sphereface2"
        ),
        "h_softmax": Entry(_HAM, "HSoftmax", "softmax over hyperbolic distances", "fang2026ham"),
        "ham_softmax": Entry(_HAM, "HAMSoftmax", "margin on the hyperbolic distance", "fang2026ham"),
        "level_prototypes": Entry(
            f"{_CENTRES}.level_prototypes",
            "LevelPrototypes",
            "nodes of the tree above the speakers",
            "saintefaregarnot2021prototypes",
        ),
        "combined": Entry(f"{_HERE}.combined", "Combined", "weighted sum of losses", "fang2026ham"),
        "contrastive_hinge": Entry(
            f"{_PAIRS}.contrastive_hinge",
            "ContrastiveHinge",
            "pairs nearer or farther than a margin",
            "hadsell2006contrastive",
        ),
        "gaussian_kl": Entry(
            f"{_PAIRS}.gaussian_kl", "GaussianKL", "divergence of Gaussian embeddings", "kullback1951information"
        ),
        "triplet": Entry(
            f"{_PAIRS}.triplet", "Triplet", "nearer to the same than to another speaker", "schroff2015facenet"
        ),
        "prototypical": Entry(_MEANS, "Prototypical", "softmax over class means", "snell2017prototypical"),
        "angular_prototypical": Entry(
            _MEANS, "AngularPrototypical", "the same with a learned scale", "chung2020angular"
        ),
        "ge2e": Entry(f"{_PAIRS}.ge2e", "GE2E", "every recording against every class mean", "wan2018ge2e"),
        "supervised_contrastive": Entry(
            f"{_PAIRS}.supervised_contrastive",
            "SupervisedContrastive",
            "softmax over the other recordings",
            "khosla2020supcon",
        ),
        "metric_learning": Entry(
            f"{_HERE}.metric_learning", "MetricLearning", "a loss of pytorch-metric-learning", "musgrave2020metric"
        ),
    },
)

__all__ = [
    "GE2E",
    "LOSSES",
    "AAMSoftmax",
    "AMSoftmax",
    "AbstractLoss",
    "AbstractPairLoss",
    "AngularPrototypical",
    "Combined",
    "ContrastiveHinge",
    "GaussianKL",
    "HAMSoftmax",
    "HSoftmax",
    "LearntScale",
    "LevelPrototypes",
    "LossCard",
    "LossOutput",
    "MetricLearning",
    "Prototypical",
    "RAMSoftmax",
    "Softmax",
    "SphereFace2",
    "SupervisedContrastive",
    "Triplet",
    "WeightedLoss",
    "as_distance",
    "as_sharded",
    "contrastive_hinge_losses",
    "create_loss",
    "full_state",
    "gaussian_kl_losses",
    "has_centres",
    "inputs_of_pairs",
    "load_full_state",
    "mean_of",
    "mine_pairs",
    "mine_triplets",
    "read_loss_card",
    "require_pairs",
    "same_speaker",
    "shard_centres",
    "sharded_parameters",
    "takes_tree",
    "triplet_losses",
]

_HOMES = {entry.attribute: entry.module for entry in LOSSES.entries.values()} | {
    name: f"{_HERE}.{module}"
    for module, names in {
        "contract": ("AbstractLoss", "LossOutput"),
        "combined": ("WeightedLoss", "create_loss", "takes_tree"),
        "metric_learning": ("as_distance",),
        "centres.centres": ("LearntScale",),
        "centres.sharding": (
            "as_sharded",
            "full_state",
            "has_centres",
            "load_full_state",
            "shard_centres",
            "sharded_parameters",
        ),
        "pairs.contrastive_hinge": ("contrastive_hinge_losses",),
        "pairs.gaussian_kl": ("gaussian_kl_losses",),
        "pairs.mining": ("mine_pairs", "mine_triplets", "same_speaker"),
        "pairs.triplet": ("triplet_losses",),
        "pairs.pairs": ("AbstractPairLoss", "inputs_of_pairs", "mean_of", "require_pairs"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
