"""Recordings written into tar files one after another, so that each can be read again by its offset."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import numpy as np
import soundfile

from curvox.audio.crop_decoding import crop_of_bytes
from curvox.audio.decoding import Segment
from curvox.audio.reading import read_audio
from curvox.audio.samples import to_int16
from curvox.errors import AudioError, InputError

CODECS = ("flac", "opus", "as-is")
_OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
_FORMATS = {"flac": ("FLAC", "PCM_16", ".flac"), "opus": ("OGG", "OPUS", ".opus")}
_BLOCK = 512


@dataclass(frozen=True)
class Member:
    """A recording as it lies in a shard: its bytes, its suffix, and how many samples it decodes to."""

    content: bytes
    suffix: str
    samples: int


def check_codec(codec: str, sampling_rate_hz: int) -> None:
    """Refuse a codec that there is not, or Opus at a rate that it does not have."""
    if codec not in CODECS:
        raise InputError(f'unknown codec "{codec}": choose {", ".join(CODECS)}')
    if codec == "opus" and sampling_rate_hz not in _OPUS_RATES_HZ:
        rates = ", ".join(map(str, _OPUS_RATES_HZ))
        raise InputError(f"Opus has the sampling rates {rates} Hz, got {sampling_rate_hz}; choose one, or codec flac")


def encode_member(path: Path, segment: Segment, *, codec: str, sampling_rate_hz: int) -> Member:
    """Read one recording, or a segment of it, as one channel at ``sampling_rate_hz``, and encode it.

    With ``as-is`` the file is taken byte for byte, once it has been decoded for proof.

    Raises:
        AudioError: it cannot be read, or not be taken as it is: a segment of a file, or a kind that libsndfile does not
            read.
    """
    waveform = read_audio(path, sampling_rate_hz=sampling_rate_hz, start_s=segment[0], duration_s=segment[1])
    if codec != "as-is":
        container, coding, suffix = _FORMATS[codec]
        stream = io.BytesIO()
        soundfile.write(stream, to_int16(waveform), sampling_rate_hz, format=container, subtype=coding)
        return Member(stream.getvalue(), suffix, len(waveform))
    if segment != (0.0, None):
        raise AudioError(f'"{path}" holds several utterances, which cannot be cut out as they are; use --codec flac')
    content = path.read_bytes()
    try:
        crop_of_bytes(content, 0, len(waveform), sampling_rate_hz=sampling_rate_hz, what=f'"{path}"')
    except AudioError as error:
        raise AudioError(f"{error}; it cannot be taken as it is, use --codec flac") from error
    return Member(content, path.suffix.lower() or ".audio", len(waveform))


def write_shard(file: IO[bytes], members: Iterable[tuple[str, Member]]) -> np.ndarray:
    """Write ``(utterance, member)`` pairs into an open file, as a tar file.

    Returns:
        int64 (members, 4): offset and size in bytes, length in samples, CRC-32.
    """
    rows: list[tuple[int, int, int, int]] = []
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for utterance, member in members:
            info = tarfile.TarInfo(member_name(utterance, member.suffix))
            info.size = len(member.content)
            tar.addfile(info, io.BytesIO(member.content))
            padded = -(-info.size // _BLOCK) * _BLOCK
            rows.append((tar.offset - padded, info.size, member.samples, zlib.crc32(member.content)))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def member_name(utterance: str, suffix: str) -> str:
    """Return the name of an utterance in a tar file.

    Slashes stay. Points, and whatever is not at home in every archive, are percent-encoded: WebDataset takes for the
    key what stands before the first point.
    """
    return "/".join(quote(part, safe="").replace(".", "%2E") or "%" for part in utterance.split("/")) + suffix
