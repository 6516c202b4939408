"""Write a corpus, shuffled by a seed, split by split, as shards (tar files), and read it by its labels alone.

A folder of shards is written whole or not at all, and continued where it stopped.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from curvox.audio import (
    SHARD_LABELS,
    Segment,
    Shard,
    ShardMember,
    check_codec,
    encode_member,
    in_threads,
    read_shard_head,
    write_shard,
    write_shard_index,
)
from curvox.corpora.checks import absolute
from curvox.corpora.corpus import Corpus, Utterance
from curvox.corpora.formats.manifest import read_tsv, write_manifest
from curvox.corpora.problems import BadRecording, Draft, check_share, write_bad_files
from curvox.errors import AudioError, CorpusError, InputError, require_positive
from curvox.files import disk_errors, put_new_folder, refuse_existing, replace_bytes, sha256_of, whole_file
from curvox.records import read_record, read_tree, write_record

Progress = Callable[[int, int], None]
BAD_FILES = "bad_files.tsv"
_LARGEST_NOTE_BYTES = 1 << 30


@dataclass(frozen=True)
class ShardingReport:
    """The folder that was written, how many shards, recordings and bytes, and which recordings are missing."""

    folder: Path
    shards: int
    recordings: int
    size: int
    bad: tuple[BadRecording, ...]


@dataclass(frozen=True)
class ShardingOptions:
    """Size of a shard in 10^6 bytes, codec, rate, threads that encode, seed of the order, share of recordings that may
    be unreadable."""

    shard_mb: float = 256.0
    codec: str = "flac"
    sampling_rate_hz: int = 16000
    workers: int = 2
    seed: int = 0
    allowed_bad_share: float = 0.0

    def check(self) -> None:
        """Refuse what is out of range."""
        require_positive(self.shard_mb, "shard_mb")
        check_codec(self.codec, self.sampling_rate_hz)
        if self.workers < 1:
            raise InputError(f"workers must be at least 1, got {self.workers}")
        if not 0 <= self.allowed_bad_share < 1:
            raise InputError(f"allowed_bad_share must be at least 0 and below 1, got {self.allowed_bad_share}")


def shard_corpus(
    corpus: Corpus,
    folder: str | Path,
    options: ShardingOptions | None = None,
    *,
    trials: str | Path | None = None,
    progress: Progress | None = None,
) -> ShardingReport:
    """Write ``corpus`` as a folder of shards.

    Each split has shards of its own, so that whoever needs dev recordings need not fetch others. A call that was
    interrupted leaves finished shards in ``.NAME.writing``, and the same call goes on after them.

    Args:
        folder: must not exist; appears when all is written.
        trials: a folder of trial lists (``*.txt``) to put in, as ``trials/``.
        progress: called with (recordings done, of how many).

    Raises:
        OutputExistsError: ``folder`` exists.
        AudioError: more recordings are unreadable than are allowed.
        CorpusError: ``.NAME.writing`` belongs to another corpus or other options.
    """
    options = options or ShardingOptions()
    options.check()
    target = absolute(folder)
    refuse_existing(target)
    again = "give the same command again: it goes on after the shards that are finished"
    with disk_errors(target, again, error=CorpusError):
        return _Writer(corpus, target, options, progress).write(trials)


@dataclass(frozen=True)
class _Part:
    """A finished shard as the note beside it has it, with the rows of its recordings in members.npy less its number."""

    shard: Shard
    utterances: tuple[str, ...]
    rows: tuple[tuple[int, int, int, int], ...]
    bad: tuple[BadRecording, ...]
    consumed: int
    split: str
    order: int


@dataclass
class _Writer:
    corpus: Corpus
    target: Path
    options: ShardingOptions
    progress: Progress | None
    parts: list[_Part] = field(default_factory=list)
    done: int = 0
    bad: int = 0

    def write(self, trials: str | Path | None) -> ShardingReport:
        work, notes = (self.target.with_name(f".{self.target.name}.{kind}") for kind in ("writing", "parts"))
        names = [_plain(split) for split in {u.split for u in self.corpus.utterances}]
        if len(set(names)) < len(names):
            raise InputError(f"the names of splits must differ in letters and digits, got {', '.join(sorted(names))}")
        self._settle(work, notes)
        for split, utterances in _shuffled(self.corpus, self.options.seed):
            self._write_split(work, notes, split, utterances)
        bad = tuple(row for part in self.parts for row in part.bad)
        shards = [part.shard for part in self.parts]
        self._write_labels(work)
        if bad:
            write_bad_files(work / BAD_FILES, bad)
        _copy_trials(trials, work)
        rows = [[number, *row] for number, part in enumerate(self.parts) for row in part.rows]
        members = np.array(rows, dtype=np.int64)
        write_shard_index(
            work,
            sampling_rate_hz=self.options.sampling_rate_hz,
            codec=self.options.codec,
            corpus=self.corpus.name,
            shards=shards,
            members=members,
        )
        put_new_folder(work, self.target)
        shutil.rmtree(notes, ignore_errors=True)
        return ShardingReport(self.target, len(shards), len(rows), sum(shard.size for shard in shards), bad)

    def _settle(self, work: Path, notes: Path) -> None:
        """Take over what an interrupted call has finished, and clear away what it has not."""
        job = {"corpus": _digest(self.corpus), **vars(self.options)}
        for name in ("workers", "allowed_bad_share"):
            del job[name]
        work.mkdir(parents=True, exist_ok=True)
        notes.mkdir(exist_ok=True)
        stored = notes / "job.json"
        again = f"remove {work} and {notes}, or choose another folder"
        what = "a note of shards that were not finished"
        if stored.exists() and read_tree(stored, what=what, again=again, error=CorpusError) != job:
            raise CorpusError(
                f"{work} holds shards of another corpus, or with other options, that were not finished; {again}"
            )
        write_record(stored, job)
        for note in sorted(notes.glob("*.tar.json")):
            part = read_record(note, _Part, what=what, again=again, error=CorpusError, limit_bytes=_LARGEST_NOTE_BYTES)
            path = work / part.shard.name
            if path.is_file() and path.stat().st_size == part.shard.size:
                self.parts.append(part)
        self.parts.sort(key=lambda part: part.order)
        self.done = sum(part.consumed for part in self.parts)
        self.bad = sum(len(part.bad) for part in self.parts)
        kept = {part.shard.name for part in self.parts}
        for path in work.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _write_split(self, work: Path, notes: Path, split: str, utterances: Sequence[Utterance]) -> None:
        mine = [part for part in self.parts if part.split == split]
        done = sum(part.consumed for part in mine)
        stream = self._encoded(utterances[done:])
        number = len(mine)
        while done < len(utterances):
            name = f"{_plain(split) or 'all'}-{number:06d}.tar"
            part = self._write_part(work / name, stream, split)
            self.parts.append(part)
            if not part.rows:
                (work / name).unlink()
                raise AudioError(f"none of the recordings left of the split {split!r} can be read")
            write_record(notes / f"{name}.json", part)
            done += part.consumed
            number += 1

    def _write_part(
        self, path: Path, stream: Iterator[tuple[Utterance, ShardMember | AudioError]], split: str
    ) -> _Part:
        """Write one shard from the head of the stream, and say what is in it."""
        names: list[str] = []
        bad: list[BadRecording] = []

        def members() -> Iterator[tuple[str, ShardMember]]:
            size = 0
            while size < 1e6 * self.options.shard_mb and (found := next(stream, None)) is not None:
                utterance, member = found
                if isinstance(member, AudioError):
                    bad.append(BadRecording(utterance.path, utterance.utterance, str(member)))
                    self.bad += 1
                    check_share(self.bad, len(self.corpus), self.options.allowed_bad_share, bad[-1])
                else:
                    names.append(utterance.utterance)
                    size += len(member.content)
                self.done += 1
                if self.progress is not None:
                    self.progress(self.done, len(self.corpus))
                if not isinstance(member, AudioError):
                    yield utterance.utterance, member

        with whole_file(path) as file:
            rows = write_shard(file, members())
        return _Part(
            shard=Shard(path.name, path.stat().st_size, sha256_of(path), len(rows)),
            utterances=tuple(names),
            rows=tuple(map(tuple, rows.tolist())),
            bad=tuple(bad),
            consumed=len(names) + len(bad),
            split=split,
            order=len(self.parts),
        )

    def _encoded(self, utterances: Sequence[Utterance]) -> Iterator[tuple[Utterance, ShardMember | AudioError]]:
        """Encode in threads and yield in order, with few recordings in memory."""
        codec, rate_hz = self.options.codec, self.options.sampling_rate_hz

        def encode(utterance: Utterance) -> tuple[Utterance, ShardMember | AudioError]:
            segment: Segment = (utterance.start_s, utterance.segment_s)
            path = self.corpus.path_of(utterance)
            try:
                return utterance, encode_member(path, segment, codec=codec, sampling_rate_hz=rate_hz)
            except AudioError as error:
                return utterance, error

        return in_threads(encode, utterances, self.options.workers)

    def _write_labels(self, work: Path) -> None:
        rate_hz = self.options.sampling_rate_hz
        labels = [
            replace(
                self.corpus[name],
                path=f"{part.shard.name}/{name}",
                sampling_rate_hz=rate_hz,
                duration_s=round(row[2] / rate_hz, 6),
                start_s=0.0,
                segment_s=None,
            )
            for part in self.parts
            for name, row in zip(part.utterances, part.rows, strict=True)
        ]
        write_manifest(Corpus(work, tuple(labels), self.corpus.name), work / SHARD_LABELS)


def _shuffled(corpus: Corpus, seed: int) -> Iterator[tuple[str, list[Utterance]]]:
    """Yield each split with its utterances in random order."""
    for number, split in enumerate(sorted({u.split for u in corpus.utterances})):
        own = [u for u in corpus.utterances if u.split == split]
        order = np.random.default_rng([seed, number]).permutation(len(own))
        yield split, [own[place] for place in order]


def _copy_trials(trials: str | Path | None, work: Path) -> None:
    found = sorted(Path(trials).glob("*.txt")) if trials is not None and Path(trials).is_dir() else []
    for path in found:
        replace_bytes(work / "trials" / path.name, path.read_bytes())


def _digest(corpus: Corpus) -> str:
    digest = hashlib.sha256()
    for u in corpus.utterances:
        digest.update(f"{u.utterance}\t{u.path}\t{u.speaker}\t{u.split}\t{u.start_s}\t{u.segment_s}\n".encode())
    return digest.hexdigest()


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name).lstrip("_")


def read_shards(path: Path, audio_root: Path | None) -> Draft:
    """Read ``utterances.tsv`` of a folder of shards; the place of an utterance is its row in members.npy.

    Raises:
        CorpusError: there is no index, the labels are not those it names, or an ``audio_root`` is given.
    """
    folder = absolute(path)
    if audio_root is not None:
        raise CorpusError(f"{path} is a folder of shards, which hold their recordings; leave audio_root out")
    head = read_shard_head(folder)
    head.check_beside(folder, SHARD_LABELS)
    draft = replace(read_tsv(folder / SHARD_LABELS, None), name=head.corpus)
    wanted = sum(shard.recordings for shard in head.shards)
    if len(draft.rows) != wanted and not draft.problems:
        had = f"{len(draft.rows)} utterances, its index names {wanted}"
        raise CorpusError(f"{folder / SHARD_LABELS} has {had}; copy it again")
    return draft
