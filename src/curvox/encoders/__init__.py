"""Encoders: features in, raw embeddings out.

``ENCODERS`` is the table of all of them; the classes in it are imported when they are asked for, so that reading the
table costs no torch. An encoder is called as ``encoder(features, lengths_frames)``, see `AbstractEncoder`. A new
encoder is a file in this folder and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.tables import Entry, Table, lazy_exports

if TYPE_CHECKING:
    from curvox.encoders.contract import AbstractEncoder

ENCODERS = Table(
    "encoder",
    {
        "ecapa_tdnn": Entry(
            "curvox.encoders.ecapa_tdnn",
            "ECAPATDNN",
            "1-D convolutions with squeeze-excitation and multi-scale residual blocks, attentive statistics pooling",
            "desplanques2020ecapa",
        ),
        "resnet34": Entry(
            "curvox.encoders.resnet34",
            "ResNet34",
            "2-D residual network over time and frequency, statistics pooling",
            "zeinali2019but",
        ),
        "x_vector_tdnn": Entry(
            "curvox.encoders.x_vector_tdnn",
            "XVectorTDNN",
            "five 1-D convolutions with growing context, statistics pooling",
            "snyder2018xvectors",
        ),
        "cam_plus_plus": Entry(
            "curvox.encoders.cam_plus_plus",
            "CAMPlusPlus",
            "a small 2-D network, then densely connected 1-D convolutions gated by their context",
            "wang2023camplusplus",
        ),
        "redimnet2": Entry(
            "curvox.encoders.redimnet2",
            "ReDimNet2",
            "2-D and 1-D blocks over the same maps, time pooled between them; sizes B0, B1 and B2",
            "yakovlev2026redimnet2",
        ),
    },
)

_HOMES = {"contract": "AbstractEncoder"}
_HOMES |= {entry.module.rpartition(".")[2]: entry.attribute for entry in ENCODERS.entries.values()}
__getattr__, __dir__, __all__ = lazy_exports(__name__, _HOMES, here="ENCODERS")
