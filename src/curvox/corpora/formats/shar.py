"""Unpack a folder of Shar, lhotse's sharded format, into recordings and a manifest."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from curvox.corpora.checks import absolute, check_rows
from curvox.corpora.corpus import Corpus
from curvox.corpora.formats.lhotse import add_cut, read_items, require_lhotse
from curvox.corpora.formats.manifest import TSV_MANIFEST, write_manifest
from curvox.corpora.problems import Draft
from curvox.errors import CorpusError
from curvox.files import new_folder, refuse_existing, replace_bytes

if TYPE_CHECKING:
    from lhotse import Recording

_FOLDER_SIZE = 1000
_MARKS = {b"fLaC": ".flac", b"RIFF": ".wav", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff": ".mp3"}


def unpack_shar(shar_dir: str | Path, folder: str | Path) -> Corpus:
    """Unpack the cuts and recordings of a Shar folder into ``folder``: audio files and manifest.tsv.

    The audio is written byte for byte as the archive holds it (WAV, FLAC, OGG, Opus or MP3). Only ``cuts.*.jsonl(.gz)``
    and ``recording.*.tar`` are read. The folder appears complete or not at all.

    Raises:
        OutputExistsError: ``folder`` exists.
        CorpusError: the archive is incomplete, or a cut does not fit.
    """
    require_lhotse()
    source, target = absolute(shar_dir), absolute(folder)
    cuts = sorted([*source.glob("cuts.*.jsonl"), *source.glob("cuts.*.jsonl.gz")])
    tars = sorted(source.glob("recording.*.tar"))
    if not cuts or len(cuts) != len(tars):
        got = f"{len(cuts)} and {len(tars)}"
        raise CorpusError(f"expected as many cuts.*.jsonl.gz as recording.*.tar in {source}, got {got}")
    refuse_existing(target)

    def write(fresh: Path) -> Corpus:
        draft = Draft(fresh, target.name)
        for shard in zip(cuts, tars, strict=True):
            _unpack(draft, *shard)
        check_rows(draft, check_files=True)
        corpus = draft.corpus(f"the Shar folder {source}")
        write_manifest(corpus, fresh / TSV_MANIFEST)
        return corpus

    return replace(new_folder(target, write), root=target)


def _unpack(draft: Draft, cuts: Path, tar: Path) -> None:
    """Write the recordings of one shard below the draft's root, and add its cuts."""
    recordings = _recordings(tar)
    for line, cut in read_items(draft, cuts):
        name, recording, data = next(recordings, ("", None, b""))
        if name != str(cut.id):
            got = f'that of "{name}"' if name else "the end of the archive"
            raise CorpusError(f'{tar.name}: expected the recording of "{cut.id}" ({cuts.name}, line {line}), got {got}')
        if recording is None or len(recording.sources) != 1:
            draft.add(cuts.name, line, "path", f'{tar.name} has no audio for the cut "{cut.id}"')
            continue
        number = len(draft.rows)
        place = draft.root / "audio" / f"{number // _FOLDER_SIZE:05d}" / f"{number:08d}{_suffix(data, name)}"
        replace_bytes(place, data)
        recording.sources[0].type, recording.sources[0].source = "file", str(place)
        cut.recording = recording
        add_cut(draft, cut, cuts.name, line, draft.root)
    if (left := next(recordings, None)) is not None:
        raise CorpusError(f'{tar.name} has a recording "{left[0]}" that {cuts.name} does not name')


def _recordings(path: Path) -> Iterator[tuple[str, Recording | None, bytes]]:
    """Yield (cut id, recording, audio) of a tar file, whose members come in pairs: audio, then its manifest."""
    from lhotse import Recording

    try:
        with tarfile.open(path) as tar:
            members = iter(tar)
            for member in members:
                name = os.path.splitext(member.name)[0]
                data = _content(tar, member)
                text = _content(tar, next(members, None))
                recording = None if member.name.endswith(".nodata") else Recording.from_dict(json.loads(text))
                yield name, recording, data
    except CorpusError:
        raise
    except Exception as error:  # tarfile, json and lhotse raise many kinds over a damaged archive
        raise CorpusError(f"{path.name} is damaged: {type(error).__name__}: {error}") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo | None) -> bytes:
    stream = None if member is None else tar.extractfile(member)
    if stream is None or member is None:
        raise CorpusError(f"{tar.name} is damaged: expected pairs of a recording and its manifest")
    data = stream.read()
    if len(data) != member.size:
        raise CorpusError(f'{tar.name} is damaged: "{member.name}" has {len(data)} of {member.size} bytes')
    return data


def _suffix(data: bytes, cut: str) -> str:
    for mark, suffix in _MARKS.items():
        if data.startswith(mark):
            return suffix
    raise CorpusError(f'the audio of the cut "{cut}" is neither FLAC, WAV, OGG nor MP3')
