"""CSV is read as spreadsheets write it, its faults are named by line, and what is written reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from curvox.corpora import Corpus, Utterance, check_corpus, read_corpus, write_csv
from curvox.corpora.formats.reading import detect_format
from curvox.errors import InputError


def problems(folder: Path, text: str) -> list[str]:
    (folder / "x.csv").write_bytes(text.encode())
    return [str(problem) for problem in check_corpus(folder / "x.csv", check_files=False).problems]


def test_csv__quoted_fields_hold_commas_quotes_and_ends_of_lines(tmp_path: Path) -> None:
    text = '\ufeffutterance,path,speaker,note\r\nu1,"a, b.wav",ann,"said ""no""\nand left"\r\nu2,c.wav,bob,\r\n'
    (tmp_path / "manifest.csv").write_bytes(text.encode())
    corpus = read_corpus(tmp_path, check_files=False)
    assert detect_format(tmp_path) == "csv"
    assert [(u.utterance, u.path, u.speaker) for u in corpus.utterances] == [
        ("u1", "a, b.wav", "ann"),
        ("u2", "c.wav", "bob"),
    ]
    assert corpus["u1"].extra == {"note": 'said "no"\nand left'}


def test_csv__path_and_speaker_are_enough(tmp_path: Path) -> None:
    assert problems(tmp_path, "path,speaker\na b.wav,ann\nc.wav,bob\n") == []
    corpus = read_corpus(tmp_path / "x.csv", check_files=False)
    assert [(u.utterance, u.path) for u in corpus.utterances] == [("a_b.wav", "a b.wav"), ("c.wav", "c.wav")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path\tspeaker\na\tb\n", "line 1: fields must be separated by commas, here they seem separated by '\\t'"),
        ("path;speaker\na;b\n", "separated by ';'"),
        ("path,speakr\na,b\n", 'did you mean "speaker"'),
        ("path,speaker\na,b,c\n", "line 2: expected 2 fields separated by commas, got 3"),
        ("path,speaker\n\na,b\n", "line 2: expected 2 fields separated by commas, got 0 (an empty line)"),
        ("path,speaker\na,\n", "line 2, speaker: the field is empty"),
        ('path,speaker,x\na,b,"1\n2"\nc,d\n', "line 4: expected 3 fields"),
        ('path,speaker\na,b\nc,"d" e\n', "line 3: the quoting is broken"),
        ("path,speaker,duration_s\na,b,1;5\n", "line 2, duration_s: expected a number"),
        ("path,speaker\n../a,b\n", "line 2, path"),
        ("", "the file is empty"),
    ],
)
def test_csv__each_fault_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = problems(tmp_path, text)
    assert expected in found


def test_write_csv__reads_back_the_same(voices: Corpus) -> None:
    write_csv(voices, voices.root / "manifest.csv")
    assert read_corpus(voices.root) == voices
    odd = Utterance(utterance="u", path='a,"b".wav', speaker="x\ty", start_s=0.1, segment_s=0.25, extra={"k, l": " "})
    corpus = Corpus(voices.root, (odd,), "odd")
    assert read_corpus(write_csv(corpus, voices.root / "odd.csv"), check_files=False) == corpus
    broken = Corpus(voices.root, (Utterance(utterance="u", path="a", speaker="x\ny"),), "broken")
    with pytest.raises(InputError, match="no end of line"):
        write_csv(broken, voices.root / "broken.csv")
