"""What tests of the bridge to pytorch-metric-learning share: a batch, spaces, and losses built with what they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from curvox.geometry import AbstractSpace, Euclidean, ExpMap, Hypersphere, PoincareBall, Published
from curvox.losses.metric_learning import MetricLearning
from curvox.losses.metric_learning_names import PML_LOSSES

SPACES: dict[str, Callable[[], AbstractSpace]] = {
    "euclidean": Euclidean,
    "hypersphere": Hypersphere,
    "poincare_ball": lambda: PoincareBall(lift=ExpMap(0.3)),
    "curved ball": lambda: PoincareBall(c=4.0, lift=ExpMap(0.2)),
    "published": lambda: PoincareBall(lift=Published(3.0)),
}
OPTIONS = {"RankedListLoss": {"margin": 0.4, "Tn": 1.0}, "SoftTripleLoss": {"centers_per_class": 2}}
FREE = [name for name, kind in PML_LOSSES.items() if kind.any_space]
WITH_CENTRES = {
    *("ArcFaceLoss", "CosFaceLoss", "LargeMarginSoftmaxLoss", "NormalizedSoftmaxLoss", "P2SGradLoss"),
    *("ProxyAnchorLoss", "ProxyNCALoss", "SoftTripleLoss", "SphereFaceLoss", "SubCenterArcFaceLoss"),
}


def build(name: str, **arguments: Any) -> MetricLearning:
    torch.manual_seed(0)
    return MetricLearning(6, 4, loss=name, loss_options=OPTIONS.get(name), **arguments)


def foreign(name: str, **arguments: Any) -> Any:
    """The same loss, made and called as its own documentation says."""
    from pytorch_metric_learning import losses

    sizes = {"num_classes": 4, "embedding_size": 6}
    if name == "P2SGradLoss":
        sizes = {"num_classes": 4, "descriptors_dim": 6}
    torch.manual_seed(0)
    return getattr(losses, name)(**(sizes if name in WITH_CENTRES else {}), **OPTIONS.get(name, {}), **arguments)
