"""Decode a crop from a file or from bytes: the same samples as of the whole recording."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile

from curvox.audio.reading.containers import missing_end
from curvox.audio.reading.files import read_audio, resampled, to_int16
from curvox.errors import AudioError

# A seek in these gives the samples that decoding the whole gives. In Ogg and MP3 the decoder remembers what came before
# and a seek gives others, so these are decoded from their beginning.
_SEEK_IS_EXACT = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF", "NIST"})
_PREFIX_IS_EXACT = frozenset({"OGG"})


def crop_of_file(
    path: str | os.PathLike[str],
    start: int,
    length: int,
    *,
    sampling_rate_hz: int,
    segment: tuple[float, float | None] = (0.0, None),
) -> np.ndarray:
    """Return ``length`` samples of a file's segment from sample ``start``, int16 (length,), at ``sampling_rate_hz``.

    What can be sought in exactly is; a recording of another rate or format is decoded as far as needed, or whole.
    Damage is found where the crop meets it.

    Raises:
        AudioError: the file is missing, is no audio, or ends before the crop.
    """
    path = Path(path)
    try:
        with soundfile.SoundFile(path) as file:
            plain = file.samplerate == sampling_rate_hz and file.format in _SEEK_IS_EXACT | _PREFIX_IS_EXACT
            if plain and missing_end(path, file.format, file.extra_info) is None:
                first = round(segment[0] * sampling_rate_hz)
                return _samples(file, first + start, length, f'"{path}"')
    except (soundfile.LibsndfileError, TypeError, OSError):
        pass  # read_audio knows more formats, and names what is wrong
    whole = read_audio(path, sampling_rate_hz=sampling_rate_hz, start_s=segment[0], duration_s=segment[1])
    return _part(to_int16(whole), start, length, f'"{path}"')


def crop_of_bytes(content: bytes, start: int, length: int, *, sampling_rate_hz: int, what: str) -> np.ndarray:
    """Return ``length`` samples of a recording in memory from sample ``start``, int16 (length,).

    Args:
        content: of a file that libsndfile reads.
        what: how a message names it.

    Raises:
        AudioError: the content is no audio, damaged, or ends before the crop.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.samplerate == sampling_rate_hz and file.format in _SEEK_IS_EXACT | _PREFIX_IS_EXACT:
                return _samples(file, start, length, what)
            whole, rate_hz = _mono(file.read(dtype="float32", always_2d=True)), file.samplerate
    except (soundfile.LibsndfileError, TypeError) as error:
        raise AudioError(f"{what} cannot be decoded ({error}); write its shard again, or leave it out") from error
    if rate_hz != sampling_rate_hz:
        whole = resampled(whole, rate_hz, sampling_rate_hz)
    return _part(to_int16(whole), start, length, what)


def _samples(file: soundfile.SoundFile, start: int, length: int, what: str) -> np.ndarray:
    skipped = 0
    if file.format in _SEEK_IS_EXACT:
        if start > file.frames:
            raise _too_short(what, start + length, file.frames)
        file.seek(start)
        skipped = start
    found = file.read(start - skipped + length, dtype="float32", always_2d=True)
    mono = _mono(found)
    if not np.isfinite(mono).all():
        raise AudioError(f"{what} has samples that are NaN or infinite; export it again from its source")
    return _part(to_int16(mono), start - skipped, length, what)


def _part(samples: np.ndarray, start: int, length: int, what: str) -> np.ndarray:
    if len(samples) < start + length:
        raise _too_short(what, start + length, len(samples))
    return samples[start : start + length]


def _too_short(what: str, expected: int, found: int) -> AudioError:
    return AudioError(
        f"{what} is truncated or shorter than stated: expected at least {expected} samples, {found} can be decoded; "
        "fetch it again, correct its length in the manifest, or leave it out"
    )


def _mono(samples: np.ndarray) -> np.ndarray:
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
