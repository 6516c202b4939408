"""The format of a corpus is told by its files; a folder per speaker is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import write_unread

from curvox.corpora import CORPORA, Corpus, check_corpus, read_corpus
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
    assert detect_format(write_unread(tmp_path, *files)) == format


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
    write_unread(tmp_path, *files)
    for reader in (detect_format, read_corpus, check_corpus):
        with pytest.raises(CorpusError, match=expected):
            reader(tmp_path)


def test_read_corpus__refuses_a_path_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=re.escape(f"no corpus at {tmp_path / 'none'}")):
        read_corpus(tmp_path / "none")
    (tmp_path / "a.xls").write_text("x")
    with pytest.raises(CorpusError, match="expected a folder or a manifest"):
        read_corpus(tmp_path / "a.xls")


def test_read_corpus__refuses_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match='unknown corpus format "kaldy": did you mean "kaldi"'):
        read_corpus(tmp_path, format="kaldy")


@pytest.fixture
def two_speakers(tmp_path: Path) -> Path:
    files = "ann/1.wav", "ann/2.FLAC", "bob/monday/1.opus", "bob/monday/deep/2.mp3", "bob/tuesday/1.ogg"
    return write_unread(tmp_path, *files)


def test_folders__are_speakers_and_sessions(two_speakers: Path) -> None:
    corpus = read_corpus(two_speakers)
    assert [(u.utterance, u.speaker, u.session) for u in corpus.utterances] == [
        ("ann/1.wav", "ann", ""),
        ("ann/2.FLAC", "ann", ""),
        ("bob/monday/1.opus", "bob", "monday"),
        ("bob/monday/deep/2.mp3", "bob", "monday"),
        ("bob/tuesday/1.ogg", "bob", "tuesday"),
    ]
    assert all(corpus.path_of(u).is_file() for u in corpus.utterances)
    assert corpus.splits == ()


def test_folders__pass_over_hidden_files_and_other_endings(two_speakers: Path) -> None:
    before = read_corpus(two_speakers)
    for name in ("ann/.hidden.wav", "ann/notes.txt", ".cache/x/1.wav", "README.md"):
        (two_speakers / name).parent.mkdir(parents=True, exist_ok=True)
        (two_speakers / name).write_text("x")
    assert read_corpus(two_speakers) == before


def test_folders__white_space_becomes_an_underscore_in_the_id_alone(two_speakers: Path) -> None:
    (two_speakers / "ann/take  3.wav").write_bytes(b"x")
    corpus = read_corpus(two_speakers)
    assert corpus["ann/take_3.wav"].path == "ann/take  3.wav"
    (two_speakers / "ann/take_3.wav").write_bytes(b"x")
    (problem,) = check_corpus(two_speakers).problems
    assert problem.column == "utterance"
    assert "is already that of ann/take  3.wav" in problem.message


def test_folders__a_recording_without_speaker_is_refused(two_speakers: Path) -> None:
    (two_speakers / "stray.wav").write_bytes(b"x")
    (problem,) = check_corpus(two_speakers).problems
    assert (problem.file, problem.column) == ("stray.wav", "speaker")


def test_folders__a_linked_folder_is_named_not_followed(two_speakers: Path) -> None:
    (two_speakers / "ann/loop").symlink_to(two_speakers, target_is_directory=True)
    (problem,) = check_corpus(two_speakers).problems
    assert problem.file == "ann/loop"
    assert "not followed" in problem.message


def test_folders__an_empty_recording_is_named(two_speakers: Path) -> None:
    (two_speakers / "ann/1.wav").write_bytes(b"")
    (problem,) = check_corpus(two_speakers).problems
    assert "0 bytes" in problem.message


def test_folders__other_audio_is_named_where_none_is_readable(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann/1.sph").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"1 of \.sph"):
        read_corpus(tmp_path, format="folders")


def test_folders__names_that_no_manifest_can_hold_are_refused(two_speakers: Path) -> None:
    (two_speakers / "ann/a\tb.wav").write_bytes(b"x")
    (two_speakers.joinpath("ann") / b"\xff.wav".decode(errors="surrogateescape")).write_bytes(b"x")
    messages = [p.message for p in check_corpus(two_speakers).problems]
    assert len(messages) == 2
    assert {"tab" in m for m in messages} == {True, False}
    assert any("UTF-8" in m for m in messages)


def test_folders__equal_the_manifest_of_the_same_files(voices: Corpus) -> None:
    found = read_corpus(voices.root / "audio")
    assert [(u.speaker, found.path_of(u)) for u in found.utterances] == [
        (u.speaker, voices.path_of(u)) for u in voices.utterances
    ]


def test_folders__audio_root_is_refused(two_speakers: Path) -> None:
    with pytest.raises(CorpusError, match="leave audio_root out"):
        read_corpus(two_speakers, audio_root=two_speakers)
