"""Losses: embeddings and speakers in, ``LossOutput(value, per_item, parts)`` out.

``LOSSES`` is the table of all of them; the classes in it are imported when they are asked for, so that reading
the table costs no torch. A new loss is a file in this folder and a line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.tables import Entry, Table

if TYPE_CHECKING:
    from curvox.losses.combined import WeightedLoss
    from curvox.losses.contract import AbstractLoss, LossOutput
    from curvox.losses.description import create_loss

_ROOM = "curvox.losses"

LOSSES = Table(
    "loss",
    {
        "softmax": Entry(f"{_ROOM}.softmax", "Softmax", "cross-entropy over inner products"),
        "am_softmax": Entry(f"{_ROOM}.am_softmax", "AMSoftmax", "margin on the cosine", "wang2018amsoftmax"),
        "aam_softmax": Entry(f"{_ROOM}.aam_softmax", "AAMSoftmax", "margin on the angle (ArcFace)", "deng2019arcface"),
        "ram_softmax": Entry(f"{_ROOM}.ram_softmax", "RAMSoftmax", "margin without over-push", "li2022ram"),
        "h_softmax": Entry(f"{_ROOM}.h_softmax", "HSoftmax", "softmax over hyperbolic distances", "fang2026ham"),
        "ham_softmax": Entry(f"{_ROOM}.ham_softmax", "HAMSoftmax", "margin on the hyperbolic distance", "fang2026ham"),
        "combined": Entry(f"{_ROOM}.combined", "Combined", "weighted sum of losses", "fang2026ham"),
    },
)

_CONTRACT = {
    "AbstractLoss": f"{_ROOM}.contract",
    "LossOutput": f"{_ROOM}.contract",
    "WeightedLoss": f"{_ROOM}.combined",
    "create_loss": f"{_ROOM}.description",
}
_HOMES = _CONTRACT | {entry.attribute: entry.module for entry in LOSSES.entries.values()}

__all__ = ["LOSSES", "AbstractLoss", "LossOutput", "WeightedLoss", "create_loss"]
__all__ += [entry.attribute for entry in LOSSES.entries.values()]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
