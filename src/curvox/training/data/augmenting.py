"""What is changed by chance in a training batch, stage by stage, and what those stages need from the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curvox.audio import (
    AugmentationOptions,
    ClippingOptions,
    CodecOptions,
    MaskOptions,
    NoiseRecordings,
    RecordedNoiseOptions,
    RecordedRoomOptions,
    RoomResponses,
    SimulatedRoomOptions,
    TelephoneOptions,
    add_recorded_noise,
    augment,
    clip_peaks,
    mask_features,
    noise_files,
    require_codecs,
    require_room_simulation,
    reverberate,
    through_codecs,
    through_telephone,
)
from curvox.errors import InputError, RecipeError, nearest
from curvox.training.recipe.reading import check_options, checked_value


@dataclass(frozen=True)
class Augmentation:
    """What is changed by chance in a training batch, in the order in which a voice meets it; None: no such stage."""

    rooms: RecordedRoomOptions | SimulatedRoomOptions | None = None
    recorded_noise: RecordedNoiseOptions | None = None
    waveforms: AugmentationOptions | None = None
    clipping: ClippingOptions | None = None
    telephone: TelephoneOptions | None = None
    codecs: CodecOptions | None = None
    features: MaskOptions | None = None
    beside_clean: bool = False
    """Train on every crop as it is, and on its changed copy beside it."""

    def check_sources(self, sampling_rate_hz: int = 16000) -> None:
        """Check, without decoding anything, that what the stages need is there, for waveforms of this rate.

        Raises:
            InputError: a folder is missing or holds other files, or codecs do not know the rate.
            MissingExtraError: rooms are to be simulated and pyroomacoustics is not installed, or codecs and PyAV.
        """
        if isinstance(self.rooms, RecordedRoomOptions):
            self.rooms.files()
        elif self.rooms is not None:
            require_room_simulation()
        if self.codecs is not None:
            require_codecs(sampling_rate_hz)
        if self.recorded_noise is not None:
            noise_files(self.recorded_noise.path, self.recorded_noise.kinds())

    def open(
        self, *, sampling_rate_hz: int, seed: int, cache: Path, progress: Callable[[int, int], None] | None = None
    ) -> Augmenter:
        """Decode what the stages need into ``cache``, or simulate it from ``seed``.

        ``progress`` is called with (recordings done, of how many), for rooms and noise in turn.

        Raises:
            AudioError: a recording cannot be read.
            InputError, MissingExtraError: as `check_sources`.
        """
        responses = recordings = None
        if isinstance(self.rooms, RecordedRoomOptions):
            responses = self.rooms.responses(sampling_rate_hz=sampling_rate_hz, cache=cache, progress=progress)
        elif self.rooms is not None:
            responses = self.rooms.responses(sampling_rate_hz=sampling_rate_hz, seed=seed)
        if self.recorded_noise is not None and self.recorded_noise.kinds():
            files = noise_files(self.recorded_noise.path, self.recorded_noise.kinds())
            recordings = NoiseRecordings(files, sampling_rate_hz=sampling_rate_hz, cache=cache, progress=progress)
        return Augmenter(self, sampling_rate_hz, responses, recordings)


@dataclass(frozen=True)
class Augmenter:
    """Changes training batches as ``options`` say, with the responses and recordings that they need."""

    options: Augmentation
    sampling_rate_hz: int
    responses: RoomResponses | None = None
    recordings: NoiseRecordings | None = None

    def with_copies(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch and behind it the copies to be changed, where options say so; else the batch as it is."""
        return {name: torch.cat([part, part]) for name, part in batch.items()} if self.options.beside_clean else batch

    def change_waveforms(
        self, waveforms: Tensor, seeds: Sequence[int], speakers: Sequence[int] | None = None
    ) -> Tensor:
        """Change waveforms (B, S), each by its own seed: room, noise, channel, clipping, telephone line, codec.

        ``speakers`` says who speaks in each, so that nobody is in the babble behind their own voice. Of a batch of
        `with_copies` the first half stays as it is.
        """
        clean = self._clean(len(waveforms))
        if not clean:
            return self._changed(waveforms, seeds, speakers)
        speakers = None if speakers is None else speakers[clean:]
        return torch.cat([waveforms[:clean], self._changed(waveforms[clean:], seeds[clean:], speakers)])

    def change_features(self, features: Tensor, seeds: Sequence[int]) -> Tensor:
        """Hide bands of features (B, T, n_mels), each item by its own seed; those of clean crops stay."""
        if self.options.features is None:
            return features
        clean = self._clean(len(features))
        masked = mask_features(features[clean:], seeds[clean:], options=self.options.features)
        return torch.cat([features[:clean], masked]) if clean else masked

    def _clean(self, items: int) -> int:
        """How many of a batch's items stay clean; they come first."""
        return items // 2 if self.options.beside_clean else 0

    def _changed(self, waveforms: Tensor, seeds: Sequence[int], speakers: Sequence[int] | None) -> Tensor:
        stages, rate_hz = self.options, self.sampling_rate_hz
        if stages.rooms is not None and self.responses is not None:
            probability = stages.rooms.probability
            waveforms = reverberate(waveforms, seeds, responses=self.responses, probability=probability)
        if stages.recorded_noise is not None and self.recordings is not None:
            waveforms = add_recorded_noise(waveforms, seeds, recordings=self.recordings, options=stages.recorded_noise)
        if (noise := stages.waveforms) is not None:
            waveforms = augment(waveforms, seeds, sampling_rate_hz=rate_hz, options=noise, speakers=speakers)
        if stages.clipping is not None:
            waveforms = clip_peaks(waveforms, seeds, options=stages.clipping)
        if stages.telephone is not None:
            waveforms = through_telephone(waveforms, seeds, sampling_rate_hz=rate_hz, options=stages.telephone)
        if stages.codecs is not None:
            waveforms = through_codecs(waveforms, seeds, sampling_rate_hz=rate_hz, options=stages.codecs)
        return waveforms


_AUGMENTATION = {
    "recorded_noise": RecordedNoiseOptions,
    "waveforms": AugmentationOptions,
    "clipping": ClippingOptions,
    "telephone": TelephoneOptions,
    "codecs": CodecOptions,
    "features": MaskOptions,
}


def build_augmentation(options: Mapping[str, Any], sampling_rate_hz: int = 16000) -> Augmentation:
    """Build the augmentation from the recipe's ``augmentation``: a mapping of options for each stage, all optional,
    for waveforms of ``sampling_rate_hz``.

    Raises:
        RecipeError: an unknown key, a wrong value, a folder that is missing or holds other files, or a rate that codecs
            do not know.
        MissingExtraError: a stage needs a library that is not installed.
    """
    known = ("rooms", *_AUGMENTATION, "beside_clean")
    for key in options:
        if key not in known:
            raise RecipeError(f'unknown key "augmentation.{key}": {nearest(str(key), known)}')
    chosen: dict[str, Any] = {
        key: None if options.get(key) is None else _construct(cls, options[key], f"augmentation.{key}")
        for key, cls in _AUGMENTATION.items()
    }
    beside_clean = checked_value(options.get("beside_clean", False), bool, "augmentation.beside_clean")
    rooms = _rooms(options.get("rooms"))
    if beside_clean and rooms is None and not any(chosen.values()):
        raise RecipeError("augmentation.beside_clean needs a stage that changes the copies, such as waveforms: {}")
    augmentation = Augmentation(rooms=rooms, **chosen, beside_clean=beside_clean)
    try:
        augmentation.check_sources(sampling_rate_hz)
    except InputError as error:
        raise RecipeError(f"augmentation: {error}") from error
    return augmentation


def _rooms(options: Any) -> RecordedRoomOptions | SimulatedRoomOptions | None:
    """Rooms from a folder where a path is given, simulated ones where none is."""
    if options is None:
        return None
    has_path = isinstance(options, Mapping) and "path" in options
    return _construct(RecordedRoomOptions if has_path else SimulatedRoomOptions, options, "augmentation.rooms")


def _construct(cls: type, options: Any, where: str) -> Any:
    if not isinstance(options, Mapping):
        raise RecipeError(f"{where}: expected a mapping (empty for the defaults), got {options!r}")
    return cls(**check_options(cls, options, where=where))
