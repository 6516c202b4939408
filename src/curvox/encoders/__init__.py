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
    },
)

__all__ = ["ENCODERS"]
