"""Recordings become waveforms, waveforms become features: reading, the store, filter banks, augmentation.

Reading and storing need no torch; the torch parts are imported when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.audio.decoding import Failure, Segment
from curvox.audio.examination import (
    ExaminedRecording,
    ExaminedStretch,
    examine_recording,
    examine_recordings,
    examine_source,
)
from curvox.audio.flac import FlacFile, write_flac_files
from curvox.audio.noise_recordings import NoiseRecordings, noise_files
from curvox.audio.quality import RecordingQuality, measure_quality
from curvox.audio.reading import AUDIO_SUFFIXES, AudioInfo, check_waveform, read_audio, read_audio_info
from curvox.audio.recording_files import RecordingFiles
from curvox.audio.remote import is_url
from curvox.audio.retrying import UnreachableError
from curvox.audio.room_responses import RecordedRoomOptions, RoomResponses
from curvox.audio.room_simulation import SimulatedRoomOptions, require_room_simulation
from curvox.audio.samples import from_int16, to_int16
from curvox.audio.shard_store import ShardStore, check_cache, is_shard_folder
from curvox.audio.speed import change_speed, cut_samples
from curvox.audio.store import WaveformStore
from curvox.audio.waveform_source import AbstractWaveforms

if TYPE_CHECKING:
    from curvox.audio.augmentation import AugmentationOptions, augment
    from curvox.audio.clipping import ClippingOptions, clip_peaks
    from curvox.audio.codecs import CodecOptions, require_codecs, through_codecs
    from curvox.audio.filter_bank import FilterBank, subtract_mean
    from curvox.audio.masking import MaskOptions, mask_features
    from curvox.audio.recorded_noise import RecordedNoiseOptions, add_recorded_noise
    from curvox.audio.reverberation import reverberate
    from curvox.audio.speed_batches import change_speeds
    from curvox.audio.telephone import TelephoneOptions, through_telephone

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
    "AugmentationOptions": "augmentation",
    "augment": "augmentation",
    "ClippingOptions": "clipping",
    "clip_peaks": "clipping",
    "CodecOptions": "codecs",
    "require_codecs": "codecs",
    "through_codecs": "codecs",
    "FilterBank": "filter_bank",
    "subtract_mean": "filter_bank",
    "MaskOptions": "masking",
    "mask_features": "masking",
    "RecordedNoiseOptions": "recorded_noise",
    "add_recorded_noise": "recorded_noise",
    "reverberate": "reverberation",
    "change_speeds": "speed_batches",
    "TelephoneOptions": "telephone",
    "through_telephone": "telephone",
}


def __getattr__(name: str) -> Any:
    if name in _TORCH_PARTS:
        return getattr(importlib.import_module(f"curvox.audio.{_TORCH_PARTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
