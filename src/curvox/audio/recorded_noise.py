"""Noise, music and babble from recordings, added at a drawn ratio, each item by its own seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from curvox.audio.noise_recordings import NoiseRecordings
from curvox.audio.option_ranges import check_ranges, require_count
from curvox.audio.streams import Seed, item_streams
from curvox.audio.waveform_batches import amplitude, column, few_at_a_time, levels, require_batch
from curvox.errors import InputError

_PURPOSE = 4


@dataclass(frozen=True)
class RecordedNoiseOptions:
    """How often recordings of a folder laid out as MUSAN are added, and at which signal-to-noise ratios.

    A crop gets at most one of the three: noise, music, or babble of several voices. The ratios are those of Snyder et
    al., X-Vectors, ICASSP 2018, drawn uniformly; they are of mean power over the whole waveform.

    Raises:
        InputError: a probability outside 0 to 1, more than 1 in all, or a range the wrong way round.
    """

    path: str
    noise_probability: float = 0.25
    noise_snr_low_db: float = 0.0
    noise_snr_high_db: float = 15.0
    music_probability: float = 0.25
    music_snr_low_db: float = 5.0
    music_snr_high_db: float = 15.0
    babble_probability: float = 0.25
    babble_snr_low_db: float = 13.0
    babble_snr_high_db: float = 20.0
    babble_voices_low: int = 3
    babble_voices_high: int = 7

    def __post_init__(self) -> None:
        check_ranges(self)
        require_count(self.babble_voices_low, "babble_voices_low")
        total = self.noise_probability + self.music_probability + self.babble_probability
        if total > 1 + 1e-9:
            raise InputError(
                "noise_probability, music_probability and babble_probability must be at most 1 together, as a crop "
                f"gets at most one of them, got {total:g}; lower one"
            )

    def kinds(self) -> tuple[str, ...]:
        """Folders of MUSAN whose recordings can be drawn."""
        chances = {"noise": self.noise_probability, "music": self.music_probability, "speech": self.babble_probability}
        return tuple(kind for kind, chance in chances.items() if chance > 0)


def add_recorded_noise(
    waveforms: Tensor, seeds: Sequence[Seed], *, recordings: NoiseRecordings, options: RecordedNoiseOptions
) -> Tensor:
    """Add noise, music or babble to some waveforms.

    Noise and music are a stretch of one recording, from anywhere in it, repeated where it is shorter than the
    waveform. Babble is the sum of several stretches of speech, made equally loud.

    Args:
        waveforms: floating (B, S) in [-1, 1].
        seeds: one an item; the same seed and waveform give the same result in any batch.
        recordings: what is added, of the waveforms' sampling rate, with all `RecordedNoiseOptions.kinds`.
        options: probabilities and ratios; ``path`` is not looked at.

    Returns:
        (B, S) of the same type and device. Values may leave [-1, 1]; nothing is clipped. Silence stays silence.

    Raises:
        InputError: a wrong shape or type, or not one seed an item.
    """
    require_batch(waveforms)
    streams = item_streams(seeds, len(waveforms), _PURPOSE)
    drawn = {row: kind for row, stream in enumerate(streams) if (kind := _draw_kind(stream, options)) is not None}
    n_samples = waveforms.shape[1]
    changed = waveforms.clone()
    rows = np.array(list(drawn), dtype=np.int64)
    for some in few_at_a_time(rows, waveforms.device):
        draws = [_draw_noise(streams[row], drawn[row], n_samples, recordings, options) for row in some.tolist()]
        stretches, snrs_db = zip(*draws, strict=True)
        at = torch.from_numpy(some).to(waveforms.device)
        items = waveforms[at].float()
        noise = torch.from_numpy(np.stack(stretches)).to(waveforms.device)
        noise = noise * (levels(items) / levels(noise)) * column(amplitude(-np.array(snrs_db)), items)
        silent = items.abs().amax(1, keepdim=True) == 0
        changed[at] = (items + noise.masked_fill(silent, 0.0)).to(waveforms.dtype)
    return changed


def _draw_kind(stream: np.random.Generator, options: RecordedNoiseOptions) -> str | None:
    """Draw what an item gets: ``noise``, ``music``, ``babble`` or nothing. Takes one draw whatever the answer."""
    place = stream.random()
    for kind in ("noise", "music", "babble"):
        place -= getattr(options, f"{kind}_probability")
        if place < 0:
            return kind
    return None


def _draw_noise(
    stream: np.random.Generator, kind: str, n_samples: int, recordings: NoiseRecordings, options: RecordedNoiseOptions
) -> tuple[np.ndarray, float]:
    """Draw what is added, float32 (n_samples,) of any level, and its ratio in decibels."""
    snr_db = stream.uniform(getattr(options, f"{kind}_snr_low_db"), getattr(options, f"{kind}_snr_high_db"))
    if kind != "babble":
        return recordings.draw(stream, kind, n_samples), snr_db
    voices = int(stream.integers(options.babble_voices_low, options.babble_voices_high, endpoint=True))
    babble = np.zeros(n_samples, dtype=np.float32)
    for _ in range(voices):
        voice = recordings.draw(stream, "speech", n_samples)
        babble += voice / np.sqrt(np.mean(np.square(voice)))
    return babble, snr_db
