"""Recordings become waveforms, waveforms become features: reading, the store, filter banks, augmentation.

Reading and storing need no torch; the torch parts are imported when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.audio.decoding import Failure, Segment
from curvox.audio.quality import RecordingQuality, measure_quality
from curvox.audio.reading import AUDIO_SUFFIXES, AudioInfo, check_waveform, read_audio, read_audio_info
from curvox.audio.samples import from_int16, to_int16
from curvox.audio.store import WaveformStore

if TYPE_CHECKING:
    from curvox.audio.augmentation import AugmentationOptions, augment
    from curvox.audio.filter_bank import FilterBank, subtract_mean
    from curvox.audio.masking import MaskOptions, mask_features

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "AugmentationOptions",
    "Failure",
    "FilterBank",
    "MaskOptions",
    "RecordingQuality",
    "Segment",
    "WaveformStore",
    "augment",
    "check_waveform",
    "from_int16",
    "mask_features",
    "measure_quality",
    "read_audio",
    "read_audio_info",
    "subtract_mean",
    "to_int16",
]

_TORCH_PARTS = {
    "AugmentationOptions": "augmentation",
    "augment": "augmentation",
    "FilterBank": "filter_bank",
    "subtract_mean": "filter_bank",
    "MaskOptions": "masking",
    "mask_features": "masking",
}


def __getattr__(name: str) -> Any:
    if name in _TORCH_PARTS:
        return getattr(importlib.import_module(f"curvox.audio.{_TORCH_PARTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
