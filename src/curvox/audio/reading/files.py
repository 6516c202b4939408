"""Read a recording as one channel at one sampling rate, and refuse each kind of bad file by its own name."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curvox.audio.reading.containers import (
    EXTRA,
    AvFile,
    can_decode,
    container_of,
    damage_in_ogg,
    kind_of_bytes,
    missing_end,
)
from curvox.errors import AudioError, require_at_least, require_non_negative, require_positive

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma", ".amr"}
)
"""Suffixes, in lower case, of the files a folder is searched for. The content decides how a file is read; those after
.mp3 need PyAV."""

FRAME_LENGTH_MS = 25.0
"""A waveform shorter than this gives no frame of features and is refused."""

# Tables of segments round their times to two decimals, so a segment may pass the end of its file by this much.
_ROUNDED_END_S = 0.01
# Float files scaled as integers reach far beyond this; the overshoot of a lossy codec stays far below.
_LARGEST_SAMPLE = 8.0
_SILENCE = 2.0**-15
_FULL_SCALE = 32768
_LONGEST_SAMPLES = 2**40
_BLOCK_SAMPLES = 2**22
_LOWEST_RATE_HZ = 1_000
_HIGHEST_RATE_HZ = 1_000_000
_FORMATS = "WAV, FLAC, Ogg Vorbis, Ogg Opus or MP3"


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a recording says."""

    duration_s: float
    sampling_rate_hz: int
    channels: int
    format: str
    """Container and coding, for example ``WAV/PCM_16`` or ``OGG/OPUS``."""


def read_audio(
    path: str | os.PathLike[str],
    *,
    sampling_rate_hz: int = 16000,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> np.ndarray:
    """Read a recording, or a segment of it, as one channel at ``sampling_rate_hz``.

    WAV, FLAC, Ogg Vorbis, Ogg Opus and MP3 (and whatever else libsndfile knows), of any rate and any number of
    channels; MP4 and M4A, WebM and Matroska, AAC, WMA and AMR where PyAV is installed, see
    :class:`~curvox.audio.reading.containers.AvFile`. Channels are averaged; another sampling rate is converted by
    soxr in high quality.

    Args:
        path: the file; its content decides the format, not its suffix (but headerless ``.raw`` is refused).
        duration_s: length of the segment; None reads to the end. A segment may pass the end of the file by at
            most 10 ms, the rounding of segment tables, and then stops at the end.

    Returns:
        float32 (samples,), nominally in [-1, 1]: lossy codecs and resampling can overshoot a little.

    Raises:
        AudioError: the file is missing, a folder, empty, without samples, truncated, damaged, not audio, or the
            segment lies outside it, or what was read fails :func:`check_waveform`. Nothing is ever repaired.
    """
    require_at_least(1, sampling_rate_hz=sampling_rate_hz)
    path = Path(path)
    with _opened(path) as file:
        start, count = cut(path, file.frames, file.samplerate, start_s, duration_s)
        samples = _decode(path, file, start, count)
        rate_hz = file.samplerate
    what = _describe(path, start_s, duration_s)
    mono = _to_mono(samples, what)
    if rate_hz != sampling_rate_hz:
        mono = resampled(mono, rate_hz, sampling_rate_hz)
    check_waveform(mono, sampling_rate_hz, what)
    return mono


def read_whole(path: Path) -> tuple[np.ndarray, AudioInfo]:
    """Read all of a recording as one channel, float32 (samples,), at its own rate, and what it says of itself.

    Raises:
        AudioError: it cannot be decoded. Silence and shortness are no fault here; see :func:`check_waveform`.
    """
    with _opened(path) as file:
        samples = _decode(path, file, 0, file.frames)
        return _to_mono(samples, f'"{path}"'), _info(file)


def read_audio_info(path: str | os.PathLike[str]) -> AudioInfo:
    """Read duration, rate, channels and format from the header, without decoding the samples but of what PyAV reads.

    Raises:
        AudioError: the file is missing, a folder, empty, without samples, visibly truncated or not audio. Damage
            inside the samples is found by :func:`read_audio` only.
    """
    with _opened(Path(path)) as file:
        return _info(file)


def _info(file: soundfile.SoundFile | AvFile) -> AudioInfo:
    return AudioInfo(
        duration_s=file.frames / file.samplerate,
        sampling_rate_hz=file.samplerate,
        channels=file.channels,
        format=f"{file.format}/{file.subtype}",
    )


def check_waveform(waveform: np.ndarray, sampling_rate_hz: float, what: str) -> None:
    """Refuse a waveform no speaker can be heard in.

    Args:
        waveform: (samples,) of floats, nominally in [-1, 1].
        what: how a message names it, for example the path in quotes.

    Raises:
        AudioError: not one-dimensional floats, empty, with NaN or infinite samples, scaled as integers, shorter
            than one 25 ms frame, or silent (constant to within one step of 16 bits).
    """
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise AudioError(
            f"{what} must be one channel of floating-point samples, shape (samples,), "
            f"got shape {waveform.shape} of {waveform.dtype}; average the channels, and divide 16-bit integers by 32768"
        )
    if waveform.size == 0:
        raise AudioError(f"{what} holds no samples; record it again or leave it out")
    _require_finite(waveform, what)
    if waveform.size < math.floor(sampling_rate_hz * FRAME_LENGTH_MS / 1000):
        raise AudioError(
            f"{what} is too short: it lasts {1000 * waveform.size / sampling_rate_hz:.1f} ms, at least one frame of "
            f"{FRAME_LENGTH_MS:g} ms is needed; give a longer recording or leave it out"
        )
    low, high = float(waveform.min()), float(waveform.max())
    if high - low < _SILENCE:
        raise AudioError(
            f"{what} is silent: all its {waveform.size} samples are {waveform[0]:.6g} to within one step of 16 bits; "
            "record it again or leave it out"
        )
    if max(high, -low) > _LARGEST_SAMPLE:
        raise AudioError(
            f"{what} reaches {max(high, -low):g}, samples are expected within [-1, 1]; it seems to be scaled as "
            "integers: divide by the full scale (32768 for 16 bits)"
        )


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile | AvFile]:
    """Open a file that has passed every check of its header; yield it."""
    with _decoder(path, _first_bytes(path)) as file:
        missing = missing_end(path, file.format, file.extra_info)
        if file.frames == 0:
            raise AudioError(
                f'"{path}" has a {file.format} header but no samples'
                + (f" ({missing})" if missing else "")
                + "; its writer was probably interrupted: fetch or record it again, or leave it out"
            )
        if missing:
            raise AudioError(f'"{path}" is truncated: {missing}; fetch it again or leave it out')
        if not _LOWEST_RATE_HZ <= file.samplerate <= _HIGHEST_RATE_HZ:
            raise AudioError(
                f'"{path}" states a sampling rate of {file.samplerate} Hz, expected {_LOWEST_RATE_HZ} to '
                f"{_HIGHEST_RATE_HZ} Hz; its header is damaged: fetch it again or leave it out"
            )
        if file.frames > _LONGEST_SAMPLES:
            raise AudioError(
                f'"{path}" does not state its length, as FLAC written to a pipe; write it again with one, for example '
                "`ffmpeg -i FILE out.flac`"
            )
        yield file


def _decoder(path: Path, head: bytes) -> AbstractContextManager[soundfile.SoundFile | AvFile]:
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: the suffix .raw, which has no header
        container = container_of(head)
        if container is not None and can_decode():
            return nullcontext(AvFile(path, container))
        how = f"with `{EXTRA}` it can; or " if container is not None else ""
        raise AudioError(
            f'"{path}" cannot be read as audio: expected {_FORMATS}, but {kind_of_bytes(head)} '
            f"({_reason(error)}); {how}convert it, for example with `ffmpeg -i FILE out.wav`, or leave it out"
        ) from error


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise AudioError(f'"{path}" is a folder, expected one sound file; name a file inside it')
    try:
        if not path.is_file() and path.exists():
            raise AudioError(f'"{path}" is a pipe or a device, expected a regular sound file; save it to a file first')
        with path.open("rb") as file:
            head = file.read(32)
    except FileNotFoundError as error:
        raise AudioError(f'"{path}" does not exist; check the path, relative ones start at "{Path.cwd()}"') from error
    except OSError as error:
        raise AudioError(f'"{path}" cannot be opened: {error.strerror}; check its permissions and its disk') from error
    if not head:
        raise AudioError(f'"{path}" is empty (0 bytes); fetch or record it again, or leave it out')
    return head


def cut(path: Path, n_frames: int, rate_hz: int, start_s: float, duration_s: float | None) -> tuple[int, int]:
    """Turn a segment in seconds into its first sample and its count at the file's own rate."""
    length_s = n_frames / rate_hz
    start_s = require_non_negative(start_s, "start_s")
    if start_s >= length_s:
        raise AudioError(f'"{path}" lasts {length_s:.3f} s, a segment cannot start at {start_s:g} s; correct start_s')
    start = min(round(start_s * rate_hz), n_frames - 1)
    if duration_s is None:
        return start, n_frames - start
    end_s = start_s + require_positive(duration_s, "duration_s")
    if end_s > length_s + _ROUNDED_END_S:
        raise AudioError(
            f'"{path}" lasts {length_s:.3f} s, a segment cannot reach from {start_s:g} s to {end_s:g} s; '
            "correct start_s and duration_s"
        )
    return start, max(1, min(round(end_s * rate_hz), n_frames) - start)


def _decode(path: Path, file: soundfile.SoundFile | AvFile, start: int, count: int) -> np.ndarray:
    """Decode exactly ``count`` samples a channel from ``start``; float32 (samples, channels)."""
    blocks: list[np.ndarray] = []
    n_read = 0
    try:
        file.seek(start)
        while n_read < count:
            block = file.read(min(_BLOCK_SAMPLES, count - n_read), dtype="float32", always_2d=True)
            if not len(block):
                break
            blocks.append(block)
            n_read += len(block)
    except soundfile.LibsndfileError as error:
        raise _damaged(path, file, f"decoding stops after {start + n_read} samples, {_reason(error)}") from error
    # A segment of a long file is not worth reading all its pages.
    damage = damage_in_ogg(path) if file.format == "OGG" and start == 0 and count == file.frames else None
    if damage:
        raise _damaged(path, file, damage)
    if n_read < count:
        raise _damaged(path, file, f"its header promises {start + count} samples, only {start + n_read} can be decoded")
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _to_mono(samples: np.ndarray, what: str) -> np.ndarray:
    _require_finite(samples, what)
    if samples.shape[1] == 1:
        return samples[:, 0]
    mono = samples.mean(axis=1)
    if np.ptp(mono) < _SILENCE <= np.ptp(samples, axis=0).max():
        raise AudioError(
            f"{what} is silent once its {samples.shape[1]} channels are averaged: they cancel (opposite phase); "
            "keep one channel, for example `ffmpeg -i FILE -map_channel 0.0.0 out.wav`"
        )
    return mono


def _require_finite(samples: np.ndarray, what: str) -> None:
    bad = ~np.isfinite(samples)
    if bad.any():
        first = int(np.argwhere(bad)[0][0])
        raise AudioError(
            f"{what} has {int(bad.sum())} samples that are NaN or infinite, the first at sample {first}; "
            "export it again from its source or leave it out"
        )


def _describe(path: Path, start_s: float, duration_s: float | None) -> str:
    if start_s == 0 and duration_s is None:
        return f'"{path}"'
    end = "its end" if duration_s is None else f"{start_s + duration_s:g} s"
    return f'"{path}" (from {start_s:g} s to {end})'


def _damaged(path: Path, file: soundfile.SoundFile | AvFile, reason: str) -> AudioError:
    return AudioError(
        f'"{path}" is truncated or damaged: {reason} ({file.format}/{file.subtype}); fetch it again or leave it out'
    )


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        # Its MP3 decoder reports all trouble as a file that does not exist, which is not so.
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        return "libsndfile: no stream of MP3 frames" if "does not exist" in reason else f"libsndfile: {reason}"
    return str(error)


def resampled(waveform: np.ndarray, rate_hz: int, wanted_hz: int) -> np.ndarray:
    """Return a waveform (samples,) at another sampling rate, float32, by soxr in high quality."""
    return np.asarray(soxr.resample(waveform, rate_hz, wanted_hz, quality="HQ"), dtype=np.float32)


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round samples in [-1, 1] to little-endian 16-bit integers; what overshoots saturates, as in any 16-bit file.

    A model is trained on such samples, and so it is asked about them later.
    """
    return np.clip(np.rint(waveform * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Return 16-bit samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) * np.float32(1 / _FULL_SCALE)
