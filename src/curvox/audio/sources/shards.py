"""Read recordings from shards by their offsets, and write shards."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import numpy as np
import soundfile

from curvox.audio.reading.files import read_audio, to_int16
from curvox.audio.sources.crop_decoding import crop_of_bytes
from curvox.audio.sources.remote import ShardCache, fetch, is_url, with_retries
from curvox.audio.sources.shard_index import INDEX, MEMBERS, SHARD_LABELS, Shard, read_index, read_shard_head
from curvox.audio.sources.source import AbstractWaveforms, Segment, check_crop, place_of
from curvox.errors import AudioError, CorpusError, InputError
from curvox.files import sha256_of

CODECS = ("flac", "opus", "as-is")
_OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
_FORMATS = {"flac": ("FLAC", "PCM_16", ".flac"), "opus": ("OGG", "OPUS", ".opus")}
_BLOCK = 512


class ShardStore(AbstractWaveforms):
    """The recordings of a folder of shards, in the order of its ``utterances.tsv``.

    A local folder is read where it is. Of a remote one the index is copied by :meth:`copy_index`, and whole shards come
    into the folder above that copy as they are needed. Each process opens files for itself, at most ``most_open`` at a
    time.

    Args:
        folder: of the shards, or the local copy of a remote index.
        url: where the shards are, when they are remote.
        cache_bytes: how many bytes of remote shards are kept.
        most_open: shards that a process keeps open; in a cache they are safe from removal as long.

    Raises:
        CorpusError: the index is missing or damaged.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        url: str | None = None,
        cache_bytes: int = 20 * 10**9,
        most_open: int = 64,
    ) -> None:
        self.folder, self.url, self.cache_bytes, self.most_open = Path(folder), url, cache_bytes, most_open
        self.index = read_index(self.folder)
        self.sampling_rate_hz = self.index.head.sampling_rate_hz
        self.cache = None if url is None else ShardCache(url, self.folder.parent, cache_bytes)
        self._handles: OrderedDict[int, int] = OrderedDict()
        self._process = os.getpid()
        self._one_at_a_time = threading.Lock()

    @staticmethod
    def copy_index(url: str, folder: Path, *, beside: tuple[str, ...] = ()) -> None:
        """Copy the index, the labels and the files ``beside`` of a remote folder of shards into a local one.

        Raises:
            UnreachableError: they cannot be had.
            CorpusError: there is no such file in the index, or the folder holds the index of other shards.
        """
        fetch(f"{url.rstrip('/')}/{INDEX}", folder / INDEX)
        checksums = read_shard_head(folder).beside
        for name in (MEMBERS, SHARD_LABELS, *beside):
            if name not in checksums:
                known = ", ".join(sorted(checksums))
                raise CorpusError(f"{url} has no file {name!r}; its index names {known}")
            if not (folder / name).is_file() or sha256_of(folder / name) != checksums[name]:
                fetch(f"{url.rstrip('/')}/{name}", folder / name, sha256=checksums[name])

    @property
    def shards(self) -> np.ndarray:
        """Number of the shard of every recording, int64 (recordings,)."""
        return self.index.members[:, 0]

    def __len__(self) -> int:
        return len(self.index.members)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.crop(index, 0, self.samples(index))

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        place = place_of(index, len(self))
        shard, offset, size, samples, checksum = map(int, self.index.members[place])
        check_crop(index, start, length, samples)
        found = self.index.shards[shard]
        content = with_retries(
            lambda: self._read(shard, offset, size),
            f'the shard "{self.folder / found.name}" cannot be read',
            "check its disk or mount, then continue the run with --resume",
        )
        what = f'"{self.folder / found.name}", {size} bytes from {offset}'
        if len(content) != size or zlib.crc32(content) != checksum:
            raise AudioError(f"{what}: damaged, the checksum is another than its index says; copy the shard again")
        return crop_of_bytes(content, start, length, sampling_rate_hz=self.sampling_rate_hz, what=what)

    def samples(self, index: int) -> int:
        return int(self.index.members[place_of(index, len(self)), 3])

    def name(self, index: int) -> str:
        shard, offset = map(int, self.index.members[place_of(index, len(self)), :2])
        return f"{self.index.shards[shard].name} at byte {offset}"

    @property
    def lengths_samples(self) -> np.ndarray:
        return self.index.members[:, 3]

    def fetch(self, shard: int) -> None:
        """Have a remote shard in the cache; do nothing for local ones."""
        if self.cache is not None:
            self.cache.fetch(self.index.shards[shard])

    def close(self) -> None:
        """Close the shards that this process has open."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    def _read(self, shard: int, offset: int, size: int) -> bytes:
        with self._one_at_a_time:
            if self._process != os.getpid():
                # Shared with the process this one was forked from, and so would be its locks.
                self.close()
                self._process = os.getpid()
            if shard not in self._handles:
                while len(self._handles) >= self.most_open:
                    os.close(self._handles.popitem(last=False)[1])
                self._handles[shard] = self._open(self.index.shards[shard])
            self._handles.move_to_end(shard)
            try:
                return os.pread(self._handles[shard], size, offset)
            except OSError:
                os.close(self._handles.pop(shard))
                raise

    def _open(self, shard: Shard) -> int:
        if self.cache is not None:
            return self.cache.open(shard)
        return os.open(self.folder / shard.name, os.O_RDONLY)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "url": self.url, "cache_bytes": self.cache_bytes, "most_open": self.most_open}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ShardStore.__init__(self, state.pop("folder"), **state)

    def __del__(self) -> None:
        if getattr(self, "_process", None) == os.getpid():
            self.close()

    def __repr__(self) -> str:
        return (
            f"ShardStore({len(self)} recordings in {len(self.index.shards)} shards, {self.url or str(self.folder)!r})"
        )


def is_shard_folder(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is a folder of shards: a local one with their index, or a URL, which can be nothing else."""
    return is_url(path) or (Path(path) / INDEX).is_file()


def check_cache(shards: tuple[Shard, ...], *, needed_at_once: int, cache_bytes: int) -> None:
    """Refuse a cache that is smaller than the shards that are needed at once."""
    largest = sorted((shard.size for shard in shards), reverse=True)[:needed_at_once]
    if sum(largest) > cache_bytes:
        raise InputError(
            f"data.cache_gb must hold the {len(largest)} shards that are needed at once, {sum(largest) / 1e9:.3g} GB, "
            f"got {cache_bytes / 1e9:.3g}; raise it, or lower data.shard_window or data.shard_lanes"
        )


@dataclass(frozen=True)
class ShardMember:
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


def encode_member(path: Path, segment: Segment, *, codec: str, sampling_rate_hz: int) -> ShardMember:
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
        return ShardMember(stream.getvalue(), suffix, len(waveform))
    if segment != (0.0, None):
        raise AudioError(f'"{path}" holds several utterances, which cannot be cut out as they are; use --codec flac')
    content = path.read_bytes()
    try:
        crop_of_bytes(content, 0, len(waveform), sampling_rate_hz=sampling_rate_hz, what=f'"{path}"')
    except AudioError as error:
        raise AudioError(f"{error}; it cannot be taken as it is, use --codec flac") from error
    return ShardMember(content, path.suffix.lower() or ".audio", len(waveform))


def write_shard(file: IO[bytes], members: Iterable[tuple[str, ShardMember]]) -> np.ndarray:
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
