"""Recordings and labels that are wrong, and batches that hold no pairs."""

from __future__ import annotations

from curvox.geometry import Hypersphere
from curvox.testing.sabotage.case import PAIRS, Variant
from curvox.testing.sabotage.channels import sessions_by_channel
from curvox.testing.sabotage.pair_losses import OwnPairLoss, hinge
from curvox.testing.sabotage.recordings import (
    at_most,
    clipped,
    copies,
    divided_labels,
    hiss,
    joined_labels,
    on_some,
    silence,
)

_AAM = {"name": "aam_softmax"}


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
    Variant("few_recordings", "one each", "openvoices", (2, 6), {"name": "triplet"}, PAIRS, prepare=at_most(1)),
    Variant("speaker_imbalance", "4 of 40", prepare=at_most(2, spared=4)),
    Variant("speaker_imbalance", "4 of 54", "openvoices_uneven", (2, 6), _AAM),
)

LABELS = (
    Variant("split_speakers", "8 pairs", prepare=joined_labels(8), epochs=6, steps=30),
    Variant("split_speakers", "12 pairs", "openvoices", (2, 6), prepare=joined_labels(12), epochs=6, steps=40),
    Variant("merged_speakers", "10 speakers", "voices", (1, 5), {"name": "supervised_contrastive"}, PAIRS,
            prepare=divided_labels(10), epochs=4, steps=25),
    Variant(
        "merged_speakers", "16 speakers", "openvoices", (2, 6), {"name": "triplet"}, PAIRS,
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

DATA_VARIANTS = (*BATCHES, *RECORDINGS, *LABELS, *CHANNELS)
