"""A folder of shards, as ``curvox data shard`` writes it, read as a corpus: its labels; no tar file is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from curvox.audio.shard_index import INDEX, LABELS, read_head, sha256_of
from curvox.corpora.places import absolute
from curvox.corpora.problems import Draft
from curvox.corpora.tsv import read_tsv
from curvox.errors import CorpusError


def read_shards(path: Path, audio_root: Path | None) -> Draft:
    """Read ``utterances.tsv`` of a folder of shards; the place of an utterance is its row in members.npy.

    Raises:
        CorpusError: there is no index, the labels are not those it names, or an ``audio_root`` is given.
    """
    folder = absolute(path)
    if audio_root is not None:
        raise CorpusError(f"{path} is a folder of shards, which hold their recordings; leave audio_root out")
    head = read_head(folder / INDEX)
    if not (folder / LABELS).is_file() or sha256_of(folder / LABELS) != head.beside.get(LABELS):
        raise CorpusError(f"{folder / LABELS} is missing or is not the one that {INDEX} names; copy the folder again")
    draft = replace(read_tsv(folder / LABELS, None), name=head.corpus)
    wanted = sum(shard.recordings for shard in head.shards)
    if len(draft.rows) != wanted and not draft.problems:
        raise CorpusError(f"{folder / LABELS} has {len(draft.rows)} utterances, {INDEX} names {wanted}; copy it again")
    return draft
