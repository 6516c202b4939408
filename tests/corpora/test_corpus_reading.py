from __future__ import annotations

import re
from pathlib import Path

import pytest

from curvox.corpora import CORPORA, check_corpus, read_corpus
from curvox.corpora.formats.reading import detect_format
from curvox.errors import CorpusError, UnknownNameError


def test_corpora_table__every_entry_loads() -> None:
    assert tuple(CORPORA) == ("tsv", "csv", "folders", "kaldi", "lhotse", "shards")
    for name in CORPORA:
        assert callable(CORPORA.load(name))
        assert CORPORA[name].summary


@pytest.mark.parametrize(
    ("files", "format"),
    [
        (["manifest.tsv"], "tsv"),
        (["manifest.tsv", "audio/ann/1.wav"], "tsv"),
        (["wav.scp", "utt2spk", "text"], "kaldi"),
        (["cuts.jsonl.gz"], "lhotse"),
        (["x_recordings_dev.jsonl", "x_supervisions_dev.jsonl"], "lhotse"),
        (["ann/1.wav"], "folders"),
        (["ann/deep/1.OPUS", "notes.tsv"], "folders"),
    ],
)
def test_detect_format__is_decided_by_the_files(tmp_path: Path, files: list[str], format: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert detect_format(tmp_path) == format


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["manifest.tsv", "wav.scp", "utt2spk"], "fits the formats tsv and kaldi; say which with format="),
        (["wav.scp"], "is no corpus: .*found wav.scp"),
        (["1.wav"], "is no corpus: .*a folder of recordings for each speaker"),
        (["ann/.1.wav"], "found no file"),
        (["cuts.000000.jsonl.gz", "recording.000000.tar"], "unpack_shar"),
    ],
)
def test_detect_format__refuses_several_and_none(tmp_path: Path, files: list[str], expected: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for door in (detect_format, read_corpus, check_corpus):
        with pytest.raises(CorpusError, match=expected):
            door(tmp_path)


def test_read_corpus__refuses_a_path_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=re.escape(f"no corpus at {tmp_path / 'none'}")):
        read_corpus(tmp_path / "none")
    (tmp_path / "a.xls").write_text("x")
    with pytest.raises(CorpusError, match="expected a folder or a manifest"):
        read_corpus(tmp_path / "a.xls")


def test_read_corpus__refuses_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match='unknown corpus format "kaldy": did you mean "kaldi"'):
        read_corpus(tmp_path, format="kaldy")
