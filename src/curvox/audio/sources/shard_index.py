"""Write and read what a folder of shards says of itself: shards.json, and members.npy beside it.

Nothing must be scanned. ``shards.json`` names version, sampling rate, codec and the shards with their sizes and
checksums. ``members.npy`` has one row for each recording: number of the shard, offset and size in bytes, length in
samples, CRC-32. The labels stand in ``utterances.tsv``, one line a row. A shard is a plain tar file, which WebDataset
reads too.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from curvox.errors import CorpusError, InputError
from curvox.files import read_bytes, sha256_of, whole_file
from curvox.records import read_record, write_record

INDEX, MEMBERS, SHARD_LABELS = "shards.json", "members.npy", "utterances.tsv"
VERSION = 1
COLUMNS = ("shard", "offset", "size", "samples", "crc32")
_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*\.tar")
_SIDE_FILE = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)*")


@dataclass(frozen=True)
class Shard:
    """One tar file: its name, size and SHA-256, and how many recordings it holds."""

    name: str
    size: int
    sha256: str
    recordings: int


@dataclass(frozen=True)
class ShardHead:
    """What shards.json holds; ``beside`` names further files by their SHA-256, with paths relative to the folder:
    labels, trial lists, members.npy."""

    format: Literal["curvox shards"] = field(default="curvox shards", kw_only=True)
    version: Literal[1] = field(default=VERSION, kw_only=True)
    sampling_rate_hz: int
    codec: str
    corpus: str
    shards: tuple[Shard, ...]
    beside: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse names of files that may lie outside the folder."""
        names = [*(shard.name for shard in self.shards), *self.beside]
        strange = [name for name in names if not (_NAME.fullmatch(name) or _SIDE_FILE.fullmatch(name))]
        if strange:
            raise InputError(f"it names the file {strange[0]!r}, which may lie outside its folder")

    def check_beside(self, folder: Path, name: str) -> None:
        """Refuse a file of ``folder`` that is not the one that shards.json means."""
        path = folder / name
        try:
            meant = path.is_file() and sha256_of(path) == self.beside.get(name)
        except OSError as error:
            raise CorpusError(f"{path} cannot be read: {error}; copy the folder again") from error
        if not meant:
            raise CorpusError(f"{path} is missing or is not the one that {INDEX} names; copy the folder again")


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """A whole folder of shards. ``members`` is int64 (recordings, 5), its columns are `COLUMNS`."""

    head: ShardHead
    members: np.ndarray

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards, by their numbers."""
        return self.head.shards

    @property
    def fingerprint(self) -> str:
        """Tells the content of one folder of shards from that of another."""
        head = self.head
        facts = [head.sampling_rate_hz, [asdict(shard) for shard in head.shards], head.beside[MEMBERS]]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_shard_index(
    folder: Path, *, sampling_rate_hz: int, codec: str, corpus: str, shards: list[Shard], members: np.ndarray
) -> None:
    """Write members.npy and then, last of all, shards.json with the checksums of all that is beside it."""
    with whole_file(folder / MEMBERS) as file:
        np.save(file, np.ascontiguousarray(members, dtype=np.int64), allow_pickle=False)
    tars = {shard.name for shard in shards}
    beside = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in tars and path.name != INDEX
    )
    digests = {name: sha256_of(folder / name) for name in beside}
    write_record(folder / INDEX, ShardHead(sampling_rate_hz, codec, corpus, tuple(shards), digests))


def read_shard_head(folder: Path) -> ShardHead:
    """Read and check the shards.json of a folder.

    Raises:
        CorpusError: it is missing, damaged, or written by a newer curvox.
    """
    again = "copy the folder again, shard the corpus again (curvox data shard), or use the curvox that wrote it"
    return read_record(folder / INDEX, ShardHead, what="an index of shards", again=again, error=CorpusError)


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder of shards, or of a local copy of its index.

    Raises:
        CorpusError: a file is missing or damaged, or is not the one that shards.json means.
    """
    head = read_shard_head(folder)
    head.check_beside(folder, MEMBERS)
    try:
        members = np.load(io.BytesIO(read_bytes(folder / MEMBERS)), allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise CorpusError(f"{folder / MEMBERS} cannot be read: {error}; copy the folder again") from error
    counts = [shard.recordings for shard in head.shards]
    if (
        members.ndim != 2
        or members.shape[1] != len(COLUMNS)
        or members.dtype != np.int64
        or (len(members) and members.min() < 0)
        or np.bincount(members[:, 0], minlength=len(counts)).tolist() != counts
    ):
        raise CorpusError(f"{folder / MEMBERS} does not fit {INDEX}; copy the folder again")
    return ShardIndex(head, members)
