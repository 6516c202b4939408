"""Several corpora as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curvox.cli.data import join
from curvox.corpora import Corpus, Utterance, join_corpora, prepare_corpus, read_corpus
from curvox.errors import InputError
from curvox.testing.dummies import DUMMIES


def corpus(root: Path, *names: str, split: str = "") -> Corpus:
    found = (Utterance(utterance=n, path=f"audio/{n}.wav", speaker=n[0], split=split) for n in names)
    return Corpus(root, tuple(found), root.name)


def test_join__keeps_every_label_and_every_recording_where_it_is(tmp_path: Path) -> None:
    parts = []
    for name in ("cnceleb1", "cnceleb2"):
        folder = DUMMIES.load(name)(tmp_path / name)
        prepare_corpus(name, folder, folder, dev_speakers=1)
        parts.append(read_corpus(folder))
    join([tmp_path / "cnceleb1", tmp_path / "cnceleb2"], tmp_path / "both.tsv")
    both = read_corpus(tmp_path / "both.tsv")  # which checks that every recording is there
    assert len(both) == len(parts[0]) + len(parts[1])
    for part in parts:
        for utterance in part.utterances:
            found = both[utterance.utterance]
            assert both.path_of(found) == part.path_of(utterance)
            assert found == replace(utterance, path=found.path)
    assert {split: both.split(split).counts.speakers for split in both.splits} == {"dev": 2, "test": 2, "train": 2}


def test_join__says_where_an_utterance_comes_from(tmp_path: Path) -> None:
    first = corpus(tmp_path / "first", "a-1")
    second = Corpus(tmp_path, (Utterance(utterance="b-1", path="b.wav", speaker="b", corpus="told"),), "second")
    joined = join_corpora([first, second], tmp_path)
    assert [(u.path, u.corpus) for u in joined.utterances] == [("first/audio/a-1.wav", "first"), ("b.wav", "told")]


def test_join__refuses_what_is_no_whole(tmp_path: Path) -> None:
    first, second = corpus(tmp_path / "first", "a-1", split="train"), corpus(tmp_path / "second", "b-1", split="train")
    with pytest.raises(InputError, match="at least two"):
        join_corpora([first], tmp_path)
    with pytest.raises(InputError, match="second lies elsewhere"):
        join_corpora([first, second], tmp_path / "first")
    with pytest.raises(InputError, match="third has no splits and others have"):
        join_corpora([first, second, corpus(tmp_path / "third", "c-1")], tmp_path)
    with pytest.raises(InputError, match="1 names of a speaker come in two corpora"):
        join_corpora([first, corpus(tmp_path / "third", "a-2", split="dev")], tmp_path)
