"""Encoders: features in, raw embedding out.

An encoder is called as ``encoder(features, lengths_frames)`` with features (B, T, F) and lengths (B,) in frames, or
``None`` when every item fills its T frames, and returns raw embeddings (B, D). A padded item gives the embedding it
gives alone.
"""

from __future__ import annotations

from curvox.tables import Entry, Table

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

__all__ = ["ENCODERS"]
