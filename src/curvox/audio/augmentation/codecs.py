"""Codecs: each item is encoded and decoded again at a drawn bit rate, on the CPU, without moving its speech."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import soundfile
import torch
from torch import Tensor

from curvox.audio.augmentation.batches import Seed, as_loud_as, check_ranges, chosen, picked, streams_of, uniform
from curvox.errors import InputError, import_extra

_PURPOSE = 8
_LOWEST_KBPS, _HIGHEST_KBPS = 6.0, 256.0
_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
_FRAMES_PER_S = 50
# Both encoders at their quickest, in half the time: what is lost is decided by the bit rate.
_ENCODERS = {
    "opus": ("libopus", "ogg", "flt", {"compression_level": "0"}),
    "mp3": ("libmp3lame", "mp3", "fltp", {"compression_level": "9"}),
}


@dataclass(frozen=True)
class CodecOptions:
    """How often a waveform passes a codec, at which bit rates (drawn uniformly on a logarithmic scale), and which share
    of these passes MP3 instead of Opus.

    Raises:
        InputError: a probability outside 0 to 1, a range the wrong way round, or bit rates outside 6 to 256 kbit/s.
    """

    probability: float = 0.1
    bit_rate_low_kbps: float = 8.0
    bit_rate_high_kbps: float = 32.0
    mp3_probability: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if not _LOWEST_KBPS <= self.bit_rate_low_kbps <= self.bit_rate_high_kbps <= _HIGHEST_KBPS:
            raise InputError(
                f"bit_rate_low_kbps and bit_rate_high_kbps must lie between {_LOWEST_KBPS:g} and {_HIGHEST_KBPS:g}, "
                f"got {self.bit_rate_low_kbps!r} and {self.bit_rate_high_kbps!r}"
            )


def require_codecs(sampling_rate_hz: int) -> ModuleType:
    """Return PyAV, which holds the encoders, if they know this rate.

    Raises:
        InputError: they do not.
        MissingExtraError: it is not installed.
    """
    if sampling_rate_hz not in _RATES_HZ:
        raise InputError(
            f"codecs need a sampling rate of {', '.join(map(str, _RATES_HZ))} Hz, got {sampling_rate_hz!r}; resample, "
            "or leave augmentation.codecs out"
        )
    how = 'pip install "curvox[codecs]", or leave augmentation.codecs out'
    return import_extra("av", f"codecs are those of PyAV: {how}")


def through_codecs(
    waveforms: Tensor, seeds: Sequence[Seed], *, sampling_rate_hz: int = 16000, options: CodecOptions | None = None
) -> Tensor:
    """Encode and decode waveforms, without changing their length, timing or mean power.

    As `curvox.audio.augmentation` says. The work is done on the CPU, in as many threads as torch uses: from another
    device, waveforms that pass a codec go there and come back. Encoders work in whole frames of 20 ms and get silence
    behind a waveform that ends within one. Silence stays silence.

    Source: Opus is RFC 6716 (2012), MP3 ISO/IEC 11172-3 and 13818-3; the encoders are libopus and LAME.

    Args:
        waveforms: floating (B, S); one whose samples leave [-1, 1] is scaled down for the codec.
        sampling_rate_hz: 8000, 12000, 16000, 24000 or 48000, as Opus knows no others.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    streams = streams_of(waveforms, seeds, _PURPOSE)
    library = require_codecs(sampling_rate_hz)
    options = options or CodecOptions()
    rows = np.flatnonzero(chosen(streams, options.probability))
    if not len(rows):
        return waveforms
    own = picked(streams, rows)
    kbps = np.exp(uniform(own, *np.log((options.bit_rate_low_kbps, options.bit_rate_high_kbps))))
    names: list[Literal["opus", "mp3"]] = ["mp3" if mp3 else "opus" for mp3 in chosen(own, options.mp3_probability)]
    at = torch.from_numpy(rows).to(waveforms.device)
    items = waveforms[at].float()
    heard = torch.from_numpy(_coded(library, items.cpu().numpy(), names, kbps, sampling_rate_hz)).to(waveforms.device)
    heard = as_loud_as(heard, items) * (items.abs().amax(1, keepdim=True) > 0)
    changed = waveforms.clone()
    changed[at] = heard.to(waveforms.dtype)
    return changed


def _coded(
    library: ModuleType,
    waveforms: np.ndarray,
    names: Sequence[Literal["opus", "mp3"]],
    kbps: np.ndarray,
    sampling_rate_hz: int,
) -> np.ndarray:
    """Send each waveform of (N, S) through its codec; float32 (N, S)."""
    scaled = waveforms / np.maximum(np.abs(waveforms).max(1, keepdims=True), 1.0)

    def one(row: int) -> np.ndarray:
        return _through(library, scaled[row], names[row], round(1000 * float(kbps[row])), sampling_rate_hz)

    with ThreadPoolExecutor(min(len(scaled), torch.get_num_threads())) as pool:
        return np.stack(list(pool.map(one, range(len(scaled)))))


def _through(
    library: ModuleType, waveform: np.ndarray, name: Literal["opus", "mp3"], bits_per_s: int, sampling_rate_hz: int
) -> np.ndarray:
    """Encode a waveform (S,) into a file in memory and read it, less what the codec put before and behind it."""
    encoder, container, layout, quickest = _ENCODERS[name]
    file = io.BytesIO()
    frame_samples = sampling_rate_hz // _FRAMES_PER_S
    padded = np.pad(waveform, (0, -len(waveform) % frame_samples)).astype(np.float32)
    with library.open(file, "w", format=container) as out:
        stream = out.add_stream(encoder, rate=sampling_rate_hz, options=quickest)
        stream.bit_rate = bits_per_s
        stream.layout = "mono"
        frame = library.AudioFrame.from_ndarray(padded[None], format=layout, layout="mono")
        frame.sample_rate = sampling_rate_hz
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    # libsndfile reads at the rate that was written and leaves the encoder's delay out.
    heard = soundfile.read(file, dtype="float32")[0][: len(waveform)]
    return np.pad(heard, (0, len(waveform) - len(heard)))
