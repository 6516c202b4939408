"""Turn recordings into waveforms, and waveforms into features: reading, sources, filter banks, augmentation.

Every part is imported when it is first asked for; reading and storing need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.tables import lazy_exports

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
    from curvox.audio.examination import (
        ExaminedRecording,
        ExaminedStretch,
        examine_recording,
        examine_recordings,
        examine_source,
    )
    from curvox.audio.features import FilterBank, MaskOptions, mask_features, subtract_mean
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
    from curvox.audio.sources.shard_index import SHARD_LABELS, Shard, read_shard_head, write_shard_index
    from curvox.audio.sources.shards import (
        ShardMember,
        ShardStore,
        check_cache,
        check_codec,
        encode_member,
        is_shard_folder,
        write_shard,
    )
    from curvox.audio.sources.source import AbstractWaveforms, Failure, Segment, in_threads
    from curvox.audio.sources.store import WaveformStore

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "augmentation.channel": "ClippingOptions TelephoneOptions clip_peaks through_telephone",
        "augmentation.codecs": "CodecOptions require_codecs through_codecs",
        "augmentation.noise": "NoiseRecordings RecordedNoiseOptions add_recorded_noise noise_files",
        "augmentation.rooms": "RecordedRoomOptions RoomResponses SimulatedRoomOptions require_room_simulation"
        " reverberate",
        "augmentation.speed": "change_speed change_speeds cut_samples",
        "augmentation.synthesised": "AugmentationOptions augment",
        "examination": "ExaminedRecording ExaminedStretch examine_recording examine_recordings examine_source",
        "features": "FilterBank MaskOptions mask_features subtract_mean",
        "quality": "RecordingQuality measure_quality",
        "reading.files": "AUDIO_SUFFIXES AudioInfo check_waveform from_int16 read_audio read_audio_info to_int16",
        "sources.flac": "FlacFile write_flac_files",
        "sources.recording_files": "RecordingFiles",
        "sources.remote": "UnreachableError is_url",
        "sources.shard_index": "SHARD_LABELS Shard read_shard_head write_shard_index",
        "sources.shards": "ShardMember ShardStore check_cache check_codec encode_member is_shard_folder write_shard",
        "sources.source": "AbstractWaveforms Failure Segment in_threads",
        "sources.store": "WaveformStore",
    },
)
