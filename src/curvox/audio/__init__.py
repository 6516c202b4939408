"""Turn recordings into waveforms, and waveforms into features: reading, sources, filter banks, augmentation.

Reading and storing need no torch; the torch parts are imported when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.audio.examination import (
    ExaminedRecording,
    ExaminedStretch,
    examine_recording,
    examine_recordings,
    examine_source,
)
from curvox.audio.quality import RecordingQuality, measure_quality
from curvox.audio.reading.files import (
    AUDIO_SUFFIXES,
    AudioInfo,
    check_waveform,
    from_int16,
    read_audio,
    read_audio_info,
    to_int16,
)
from curvox.audio.sources.flac import FlacFile, write_flac_files
from curvox.audio.sources.recording_files import RecordingFiles
from curvox.audio.sources.remote import UnreachableError, is_url
from curvox.audio.sources.shards import ShardStore, check_cache, is_shard_folder
from curvox.audio.sources.source import AbstractWaveforms, Failure, Segment
from curvox.audio.sources.store import WaveformStore

if TYPE_CHECKING:
    from curvox.audio.augmentation.channel import ClippingOptions, TelephoneOptions, clip_peaks, through_telephone
    from curvox.audio.augmentation.codecs import CodecOptions, require_codecs, through_codecs
    from curvox.audio.augmentation.noise import NoiseRecordings, RecordedNoiseOptions, add_recorded_noise, noise_files
    from curvox.audio.augmentation.rooms import (
        RecordedRoomOptions,
        RoomResponses,
        SimulatedRoomOptions,
        require_room_simulation,
        reverberate,
    )
    from curvox.audio.augmentation.speed import change_speed, change_speeds, cut_samples
    from curvox.audio.augmentation.synthesised import AugmentationOptions, augment
    from curvox.audio.features import FilterBank, MaskOptions, mask_features, subtract_mean

__all__ = [
    "AUDIO_SUFFIXES",
    "AbstractWaveforms",
    "AudioInfo",
    "AugmentationOptions",
    "ClippingOptions",
    "CodecOptions",
    "ExaminedRecording",
    "ExaminedStretch",
    "Failure",
    "FilterBank",
    "FlacFile",
    "MaskOptions",
    "NoiseRecordings",
    "RecordedNoiseOptions",
    "RecordedRoomOptions",
    "RecordingFiles",
    "RecordingQuality",
    "RoomResponses",
    "Segment",
    "ShardStore",
    "SimulatedRoomOptions",
    "TelephoneOptions",
    "UnreachableError",
    "WaveformStore",
    "add_recorded_noise",
    "augment",
    "change_speed",
    "change_speeds",
    "check_cache",
    "check_waveform",
    "clip_peaks",
    "cut_samples",
    "examine_recording",
    "examine_recordings",
    "examine_source",
    "from_int16",
    "is_shard_folder",
    "is_url",
    "mask_features",
    "measure_quality",
    "noise_files",
    "read_audio",
    "read_audio_info",
    "require_codecs",
    "require_room_simulation",
    "reverberate",
    "subtract_mean",
    "through_codecs",
    "through_telephone",
    "to_int16",
    "write_flac_files",
]

_TORCH_PARTS = {
    "augmentation.synthesised": ("AugmentationOptions", "augment"),
    "augmentation.channel": ("ClippingOptions", "TelephoneOptions", "clip_peaks", "through_telephone"),
    "augmentation.codecs": ("CodecOptions", "require_codecs", "through_codecs"),
    "augmentation.noise": ("NoiseRecordings", "RecordedNoiseOptions", "add_recorded_noise", "noise_files"),
    "augmentation.rooms": (
        "RecordedRoomOptions",
        "RoomResponses",
        "SimulatedRoomOptions",
        "require_room_simulation",
        "reverberate",
    ),
    "augmentation.speed": ("change_speed", "change_speeds", "cut_samples"),
    "features": ("FilterBank", "MaskOptions", "mask_features", "subtract_mean"),
}


def __getattr__(name: str) -> Any:
    for module, names in _TORCH_PARTS.items():
        if name in names:
            return getattr(importlib.import_module(f"curvox.audio.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
