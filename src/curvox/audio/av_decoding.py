"""What libsndfile cannot read, decoded by FFmpeg through PyAV (the extra ``curvox[codecs]``).

A file is read as the container that its first bytes name, of a closed list: FFmpeg is not asked to guess, so no
playlist can lead it to another file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from curvox.errors import AudioError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer

EXTRA = 'pip install "curvox[codecs]"'

_ENDS_EARLY_S = 0.1
_NAMES = {"mp4": "MP4 or M4A", "aac": "AAC", "matroska": "WebM or Matroska", "asf": "WMA", "amr": "AMR"}


def container_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the container that a file begins with, or None where it is none of those read here."""
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
    """A decoded file, with the face that reading asks of a ``soundfile.SoundFile``.

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

    def __enter__(self) -> AvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._samples = self._samples[:0]

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
