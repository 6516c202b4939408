"""Losses: embeddings and speakers in, ``LossOutput(value, per_item, parts)`` out.

``LOSSES`` is the table of all of them; the classes in it are imported when they are asked for, so that reading
the table costs no torch. A new loss is a file in this folder and a line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.tables import Entry, Table

if TYPE_CHECKING:
    from curvox.losses.aam_softmax import AAMSoftmax as AAMSoftmax
    from curvox.losses.am_softmax import AMSoftmax as AMSoftmax
    from curvox.losses.centres import LearntScale
    from curvox.losses.combined import Combined as Combined
    from curvox.losses.combined import WeightedLoss
    from curvox.losses.contract import AbstractLoss, LossOutput
    from curvox.losses.description import create_loss
    from curvox.losses.h_softmax import HSoftmax as HSoftmax
    from curvox.losses.ham_softmax import HAMSoftmax as HAMSoftmax
    from curvox.losses.ram_softmax import RAMSoftmax as RAMSoftmax

_ROOM = "curvox.losses"

LOSSES = Table(
    "loss",
    {
        "softmax": Entry(f"{_ROOM}.softmax", "Softmax", "cross-entropy over inner products"),
        "am_softmax": Entry(f"{_ROOM}.am_softmax", "AMSoftmax", "margin on the cosine", "wang2018amsoftmax"),
        "aam_softmax": Entry(f"{_ROOM}.aam_softmax", "AAMSoftmax", "margin on the angle (ArcFace)", "deng2019arcface"),
        "ram_softmax": Entry(f"{_ROOM}.ram_softmax", "RAMSoftmax", "margin without over-push", "li2022ram"),
        "sphereface2": Entry(
            f"{_ROOM}.sphereface2", "SphereFace2", "a yes-or-no problem a speaker", "wen2022sphereface2"
        ),
        "h_softmax": Entry(f"{_ROOM}.h_softmax", "HSoftmax", "softmax over hyperbolic distances", "fang2026ham"),
        "ham_softmax": Entry(f"{_ROOM}.ham_softmax", "HAMSoftmax", "margin on the hyperbolic distance", "fang2026ham"),
        "level_prototypes": Entry(
            f"{_ROOM}.level_prototypes",
            "LevelPrototypes",
            "nodes of the tree above the speakers",
            "saintefaregarnot2021prototypes",
        ),
        "combined": Entry(f"{_ROOM}.combined", "Combined", "weighted sum of losses", "fang2026ham"),
        "contrastive_hinge": Entry(
            f"{_ROOM}.contrastive_hinge",
            "ContrastiveHinge",
            "pairs nearer or farther than a margin",
            "hadsell2006contrastive",
        ),
        "gaussian_kl": Entry(
            f"{_ROOM}.gaussian_kl", "GaussianKL", "divergence of Gaussian embeddings", "kullback1951information"
        ),
        "triplet": Entry(
            f"{_ROOM}.triplet", "Triplet", "nearer to the same than to another speaker", "schroff2015facenet"
        ),
        "prototypical": Entry(
            f"{_ROOM}.prototypical", "Prototypical", "softmax over class means", "snell2017prototypical"
        ),
        "angular_prototypical": Entry(
            f"{_ROOM}.angular_prototypical", "AngularPrototypical", "the same with a learned scale", "chung2020angular"
        ),
        "ge2e": Entry(f"{_ROOM}.ge2e", "GE2E", "every recording against every class mean", "wan2018ge2e"),
        "supervised_contrastive": Entry(
            f"{_ROOM}.supervised_contrastive",
            "SupervisedContrastive",
            "softmax over the other recordings",
            "khosla2020supcon",
        ),
        "metric_learning": Entry(
            f"{_ROOM}.metric_learning", "MetricLearning", "a loss of pytorch-metric-learning", "musgrave2020metric"
        ),
    },
)

_CONTRACT = {
    "LearntScale": f"{_ROOM}.centres",
    "AbstractLoss": f"{_ROOM}.contract",
    "LossOutput": f"{_ROOM}.contract",
    "WeightedLoss": f"{_ROOM}.combined",
    "create_loss": f"{_ROOM}.description",
}
_HOMES = _CONTRACT | {entry.attribute: entry.module for entry in LOSSES.entries.values()}

__all__ = ["LOSSES", "AbstractLoss", "LearntScale", "LossOutput", "WeightedLoss", "create_loss"]
__all__ += [entry.attribute for entry in LOSSES.entries.values()]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
