"""A corpus finds, counts, splits and joins its utterances."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from curvox.cli.data import join
from curvox.corpora import Corpus, Utterance, join_corpora, prepare_corpus, read_corpus
from curvox.corpora.corpus import CorpusCounts
from curvox.errors import CorpusError, InputError, UnknownNameError
from curvox.testing.dummies import DUMMIES


def test_corpora__import_neither_torch_nor_lhotse() -> None:
    code = "import sys, curvox.corpora; print(sorted({'torch', 'lhotse', 'soundfile'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_corpus__counts_what_it_holds(voices: Corpus) -> None:
    assert len(voices) == 8
    assert voices.speakers == ("ada", "bea", "cid", "dee")
    assert voices.splits == ("dev", "train")
    assert voices.counts == CorpusCounts(speakers=4, sessions=8, utterances=8, duration_s=2.0)


def test_corpus__total_length_is_unknown_when_one_is(voices: Corpus) -> None:
    first, *others = voices.utterances
    partly = Corpus(voices.root, (replace(first, duration_s=None), *others), "partly")
    assert partly.counts.duration_s is None


def test_split__parts_are_disjoint_and_complete(voices: Corpus) -> None:
    parts = [voices.split(name) for name in voices.splits]
    assert sorted(u.utterance for part in parts for u in part.utterances) == sorted(
        u.utterance for u in voices.utterances
    )
    assert not set(parts[0].speakers) & set(parts[1].speakers)


@pytest.mark.parametrize("name", ["test", ""])
def test_split__unknown_one_is_refused_with_those_present(voices: Corpus, name: str) -> None:
    with pytest.raises(CorpusError, match="splits present: dev, train"):
        voices.split(name)


def test_corpus__is_indexed_by_utterance(voices: Corpus) -> None:
    for utterance in voices.utterances:
        assert voices[utterance.utterance] is utterance
        assert voices.path_of(utterance) == voices.path_of(utterance.utterance) == voices.root / utterance.path
        assert voices.path_of(utterance).is_file()


def test_corpus__unknown_utterance_comes_with_the_nearest(voices: Corpus) -> None:
    with pytest.raises(UnknownNameError, match=r'unknown utterance "adaa-1".*did you mean "ada-1"'):
        voices["adaa-1"]
    with pytest.raises(UnknownNameError, match=r'path of the utterance "bea-2"'):
        voices["audio/bea/2.wav"]
    with pytest.raises(UnknownNameError, match="none is near; 8 are known"):
        voices["~~~~"]


def test_corpus__near_ids_are_found_among_many() -> None:
    utterances = tuple(
        Utterance(utterance=f"s{i // 10:05d}-{i % 10}", path=f"{i}.wav", speaker=f"s{i // 10}") for i in range(20_000)
    )
    corpus = Corpus(Path("many"), utterances, "many")
    assert '"s01234-5"' in corpus.nearest_utterances("s01234-5x")
    assert '"s01234-5"' in corpus.nearest_utterances("xs01234-5")


def test_corpus__duplicate_ids_are_refused(voices: Corpus) -> None:
    with pytest.raises(CorpusError, match='"ada-1" comes twice'):
        Corpus(voices.root, (*voices.utterances, voices.utterances[0]), "twice")


def test_by_speaker__groups_every_utterance_once(voices: Corpus) -> None:
    groups = voices.by_speaker
    assert tuple(groups) == voices.speakers
    assert sum(len(group) for group in groups.values()) == len(voices)
    assert all(u.speaker == speaker for speaker, group in groups.items() for u in group)


def test_without__leaves_the_rest_in_order(voices: Corpus) -> None:
    rest = voices.without(["ada-2", "dee-1"])
    assert [u.utterance for u in rest.utterances] == ["ada-1", "bea-1", "bea-2", "cid-1", "cid-2", "dee-2"]
    with pytest.raises(UnknownNameError, match="did you mean"):
        voices.without(["ada-3"])
    with pytest.raises(InputError, match="at least one utterance"):
        voices.without([u.utterance for u in voices.utterances])


def test_corpus__survives_pickling(voices: Corpus) -> None:
    assert voices.speakers
    again = pickle.loads(pickle.dumps(voices))
    assert again == voices
    assert hash(again.utterances[4]) == hash(voices.utterances[4])


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
