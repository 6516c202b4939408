"""Tell what the bytes of a sound file say about themselves, and decode containers that libsndfile cannot read.

libsndfile plays a cut WAV or Ogg file to the cut without a word; the checks here turn that into an error. What it
cannot read, FFmpeg decodes through PyAV (the extra ``curvox[codecs]``).
"""

from __future__ import annotations

import importlib.util
import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curvox.errors import AudioError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer

# Sizes that writers to a pipe leave in a WAV header because they cannot go back to it: the length is unknown.
_STREAMED_SIZES = frozenset({0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF})
_DATA_SIZE = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)
_RF64_COUNT = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_OGG_PAGE_MAX_BYTES = 27 + 255 + 255 * 255
_OGG_END_OF_STREAM = 0x04
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_SUPPORTED_STARTS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff", b"NIST_1A")
_FOREIGN_STARTS = (
    (b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (b"#!AMR", "an AMR file"),
    (b"0&\xb2u", "a WMA file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the recording itself (run `git lfs pull`)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "text that looks like HTML or XML, perhaps the error page of a download"),
)


def kind_of_bytes(head: bytes) -> str:
    """Name what a file is from its first bytes, for a message to its owner."""
    if head.startswith(_SUPPORTED_STARTS):
        return f"it begins like a {head[:4].decode('latin-1').strip()} file, but what follows is damaged or cut off"
    if len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0:
        return "it begins like an MP3 file, but what follows is damaged or cut off"
    if head[4:8] == b"ftyp":
        return "it is an MP4 or M4A file"
    for start, name in _FOREIGN_STARTS:
        if head.startswith(start):
            return f"it is {name}"
    if head and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"it is text that begins {head[:24].decode('ascii')!r}"
    return f"its first bytes are {head[:8].hex(' ')}"


def missing_end(path: Path, container: str, log: str) -> str | None:
    """Say what is missing at the end of the file, or return None when it looks whole.

    Args:
        container: libsndfile's name of the format, for example ``WAV`` or ``OGG``.
        log: what libsndfile noted while it opened the file.
    """
    if container == "OGG":
        return _missing_end_of_ogg(path)
    found = _DATA_SIZE.search(log)
    if found:
        promised, present = int(found[1]), int(found[2])
        if promised > present and promised not in _STREAMED_SIZES:
            return f"its header promises {promised} bytes of samples, the file holds {present}"
    found = _RF64_COUNT.search(log)
    if found and int(found[2]) > int(found[1]):
        return f"its header promises {found[2]} samples, the file holds {found[1]}"
    return None


def _missing_end_of_ogg(path: Path) -> str | None:
    """Look at the last page of an Ogg file: it must be complete and carry the end-of-stream flag (RFC 3533)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * _OGG_PAGE_MAX_BYTES))
        tail = file.read()
    at = tail.rfind(b"OggS\0")
    if at < 0 or len(tail) < at + 27:
        return "its last Ogg page is incomplete"
    n_segments = tail[at + 26]
    table = tail[at + 27 : at + 27 + n_segments]
    if len(table) < n_segments or at + 27 + n_segments + sum(table) > len(tail):
        return "its last Ogg page is incomplete"
    if not tail[at + 5] & _OGG_END_OF_STREAM:
        return "its last Ogg page does not carry the end-of-stream flag"
    return None


def damage_in_ogg(path: Path) -> str | None:
    """Say where the first damaged page of an Ogg file is, or return None when all are whole.

    libsndfile passes over a damaged page, and what it then returns can still have the length it promised.
    """
    content = path.read_bytes()
    at, ended = 0, False
    next_numbers: dict[int, int] = {}
    while content[at : at + 5] == b"OggS\0" and at + 27 <= len(content):
        n_segments = content[at + 26]
        end = at + 27 + n_segments + sum(content[at + 27 : at + 27 + n_segments])
        serial, number, checksum = struct.unpack_from("<III", content, at + 14)
        if ogg_checksum(content[at : at + 22] + bytes(4) + content[at + 26 : end]) != checksum:
            return f"the Ogg page at byte {at} fails its checksum"
        if next_numbers.get(serial, number) != number:
            return f"an Ogg page is missing before byte {at}"
        next_numbers[serial] = number + 1
        ended = bool(content[at + 5] & _OGG_END_OF_STREAM)
        at = end
    return None if ended else f"no Ogg page begins at byte {at}, where one should"


def ogg_checksum(page: bytes) -> int:
    """Return the checksum of an Ogg page whose own checksum field is zero (RFC 3533, section 6).

    It is zlib's polynomial with the bits the other way round, no start value and no final inversion.
    """
    crc = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED_BITS), "big")


EXTRA = 'pip install "curvox[codecs]"'

_ENDS_EARLY_S = 0.1
_NAMES = {"mp4": "MP4 or M4A", "aac": "AAC", "matroska": "WebM or Matroska", "asf": "WMA", "amr": "AMR"}


def container_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the container that a file begins with, or None where it is none of those read here.

    FFmpeg is not asked to guess, so no playlist can lead it to another file.
    """
    if head[4:8] == b"ftyp":
        return "mp4"
    # ADTS: a sync word of twelve bits, then a layer of 0, which no MP3 has.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    starts = {b"\x1aE\xdf\xa3": "matroska", b"0&\xb2u\x8ef\xcf\x11": "asf", b"#!AMR": "amr"}
    return next((name for start, name in starts.items() if head.startswith(start)), None)


def can_decode() -> bool:
    """Tell whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class AvFile:
    """A decoded file, with the attributes and methods of a ``soundfile.SoundFile`` that reading uses.

    All of it is decoded when it is made. The samples that an encoder put before the sound are taken off where the
    container says how many there are: MP4 (M4A) in its edit list, Matroska and WebM for Opus. The end of an MP4 is cut
    where its edit list ends, which is within a millisecond of the sound's own end. Bare AAC (ADTS) says neither, so it
    is about 1024 samples late and ends up to 2048 samples later.

    Raises:
        AudioError: no sound in it, damaged, or shorter than it says.
    """

    extra_info = ""

    def __init__(self, path: Path, container: str) -> None:
        self.format = container.upper()
        self._at = 0
        self._samples, self.samplerate, self.subtype = _decoded(path, container)
        self.frames, self.channels = self._samples.shape

    def seek(self, frames: int) -> int:
        """Go to a sample."""
        self._at = frames
        return frames

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """Return the next samples, float32 (frames, channels), and go on after them."""
        block = self._samples[self._at : self._at + frames]
        self._at += len(block)
        return block


def _decoded(path: Path, container: str) -> tuple[np.ndarray, int, str]:
    """Return samples float32 (n, channels), their rate, and the name of the coding."""
    import av
    from av.error import FFmpegError

    try:
        with path.open("rb") as raw, av.open(raw, "r", format=container) as file:
            stream = next(iter(file.streams.audio), None)
            if stream is None:
                raise AudioError(f'"{path}" holds no sound; leave it out')
            blocks = _blocks(file, stream)
            rate_hz = stream.codec_context.sample_rate
            coding = stream.codec_context.name.upper()
            stated_s = _stated_s(container, file, stream)
    except (FFmpegError, ValueError, EOFError) as error:
        raise AudioError(
            f'"{path}" is truncated or damaged: FFmpeg: {getattr(error, "strerror", None) or error} '
            f"({_NAMES[container]}); fetch it again or leave it out"
        ) from error
    samples = np.concatenate(blocks, axis=1).T if blocks else np.zeros((0, 1), np.float32)
    if stated_s is not None and len(samples) / rate_hz < stated_s - _ENDS_EARLY_S:
        got_s = len(samples) / rate_hz
        raise AudioError(
            f'"{path}" is truncated or damaged: it says that it lasts {stated_s:.3f} s, only {got_s:.3f} s can be '
            f"decoded ({container.upper()}/{coding}); fetch it again or leave it out"
        )
    if container == "mp4" and stated_s is not None:
        samples = samples[: round(stated_s * rate_hz)]
    return np.ascontiguousarray(samples), rate_hz, coding


def _blocks(file: InputContainer, stream: AudioStream) -> list[np.ndarray]:
    """Decode all frames; float32 (channels, samples) each."""
    import av

    as_float = av.AudioResampler(format="fltp")
    frames = (made for frame in file.decode(stream) for made in as_float.resample(frame))
    blocks = [frame.to_ndarray() for frame in frames]
    return blocks + ([frame.to_ndarray() for frame in as_float.resample(None)] if blocks else [])


def _stated_s(container: str, file: InputContainer, stream: AudioStream) -> float | None:
    """How long the sound lasts by the file's own word: of the stream, or of a container that holds no other."""
    if container in ("aac", "amr"):
        return None  # FFmpeg's guess, from the size
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if file.duration is not None and len(file.streams) == 1:
        return file.duration / 1_000_000
    return None
