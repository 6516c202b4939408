"""A Kaldi folder is read with every fault named, written sorted by bytes, and reads back as what was written."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from curvox.corpora import Corpus, Utterance, check_corpus, read_corpus, write_kaldi
from curvox.errors import CorpusError, InputError, OutputExistsError

FILES = {
    "wav.scp": "r1 a.wav\nr2 sub/b c.wav\n",
    "segments": "u1 r1 0.5 1.75\nu2 r1 2 -1\nu3 r2 0 1\n",
    "utt2spk": "u1 ann\nu2 ann\nu3 bob\n",
    "spk2gender": "ann f\nbob m\n",
    "reco2dur": "r1 5.0\nr2 1.0\n",
}


def kaldi(folder: Path, **changes: str | None) -> Path:
    (folder / "sub").mkdir(exist_ok=True)
    for name in ("a.wav", "sub/b c.wav"):
        (folder / name).write_bytes(b"not read here")
    for name, text in {**FILES, **{key.replace("_", "."): text for key, text in changes.items()}}.items():
        if text is not None:
            (folder / name).write_text(text)
    return folder


def test_kaldi__segments_become_utterances(tmp_path: Path) -> None:
    corpus = read_corpus(kaldi(tmp_path))
    rows = [(u.utterance, u.path, u.speaker, u.gender, u.start_s, u.segment_s, u.duration_s) for u in corpus.utterances]
    assert rows == [
        ("u1", "a.wav", "ann", "f", 0.5, 1.25, 1.25),
        ("u2", "a.wav", "ann", "f", 2.0, None, 3.0),
        ("u3", "sub/b c.wav", "bob", "m", 0.0, 1.0, 1.0),
    ]


def test_kaldi__without_segments_a_recording_is_an_utterance(tmp_path: Path) -> None:
    folder = kaldi(tmp_path, segments=None, spk2gender=None, utt2spk="r1 ann\nr2 bob\n")
    corpus = read_corpus(folder)
    rows = [(u.utterance, u.speaker, u.gender, u.start_s, u.segment_s, u.duration_s) for u in corpus.utterances]
    assert rows == [("r1", "ann", "", 0.0, None, 5.0), ("r2", "bob", "", 0.0, None, 1.0)]


def test_kaldi__utt2dur_is_the_length_of_an_utterance(tmp_path: Path) -> None:
    folder = kaldi(tmp_path, segments=None, reco2dur=None, utt2spk="r1 ann\nr2 bob\n", spk2gender=None)
    (folder / "utt2dur").write_text("r1 4.5\nr2 0.25\n")
    assert [u.duration_s for u in read_corpus(folder).utterances] == [4.5, 0.25]


@pytest.mark.parametrize("source", ["sox a.mp3 -t wav - |", "touch {mark}; cat a.wav|", "| tee a.wav"])
def test_kaldi__commands_are_refused_and_never_run(tmp_path: Path, source: str) -> None:
    mark = tmp_path / "ran"
    folder = kaldi(tmp_path, wav_scp=f"r1 {source.format(mark=mark)}\nr2 sub/b c.wav\n")
    (problem,) = check_corpus(folder).problems
    assert (problem.file, problem.line) == ("wav.scp", 1)
    assert "nothing is executed" in problem.message
    assert not mark.exists()


@pytest.mark.parametrize("source", ["-", "foo.ark:123"])
def test_kaldi__streams_and_archives_are_refused(tmp_path: Path, source: str) -> None:
    (problem,) = check_corpus(kaldi(tmp_path, wav_scp=f"r1 {source}\nr2 sub/b c.wav\n")).problems
    assert "not a plain file" in problem.message


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("segments", "u1 r1 0.5\nu2 r1 2 -1\nu3 r2 0 1\n", r"segments, line 1: expected .*got 3 fields"),
        ("segments", "u1 r1 x 1\nu2 r1 2 -1\nu3 r2 0 1\n", r"segments, line 1: expected a number"),
        ("segments", "u1 r1 2 1\nu2 r1 2 -1\nu3 r2 0 1\n", r"segments, line 1: expected an end after"),
        ("segments", "u1 r1 0 9\nu2 r1 2 -1\nu3 r2 0 1\n", r"segments, line 1: .*past the end .*5 s"),
        ("segments", "u1 r1 5 -1\nu2 r1 2 -1\nu3 r2 0 1\n", r"segments, line 1: .*past the end .*5 s"),
        ("segments", "u1 r9 0 1\nu2 r1 2 -1\nu3 r2 0 1\n", r'utt2spk, line 1, path: the recording "r9" of "u1"'),
        ("segments", "u1 r1 0 1\nu2 r1 0 1\nu3 r2 0 1\n", r"utt2spk, line 2, path: the same speech"),
        ("utt2spk", "u1 ann\nu2 ann\n", r'segments, line 3, speaker: the utterance "u3" has no line in utt2spk'),
        ("utt2spk", FILES["utt2spk"] + "u4 bob\n", r'utt2spk, line 4, utterance: .*"u4" has no line in segments'),
        ("utt2spk", FILES["utt2spk"] + "u1 ann\n", r'utt2spk, line 4: "u1" comes twice, in line 1 and in line 4'),
        ("utt2spk", FILES["utt2spk"] + "u4\n", r"utt2spk, line 4: expected a name and a value"),
        ("spk2gender", FILES["spk2gender"] + "cid m\n", r'spk2gender, line 3, speaker: .*"cid" is not in utt2spk'),
        ("reco2dur", "r1 5.0\nr2 none\n", r"reco2dur, line 2: expected a number"),
        ("wav_scp", "r1 a.wav\nr2 ../b.wav\n", r"utt2spk, line 3, path: .*may leave"),
    ],
)
def test_kaldi__each_fault_is_named_with_file_and_line(tmp_path: Path, name: str, text: str, expected: str) -> None:
    found = [str(p) for p in check_corpus(kaldi(tmp_path, **{name: text})).problems]
    assert any(re.search(expected, problem) for problem in found), found
    assert len(found) == (2 if name == "utt2spk" and "bob" not in text else 1), found
    with pytest.raises(CorpusError):
        read_corpus(tmp_path)


def test_kaldi__absolute_paths_need_the_audio_root(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    data = tmp_path / "data"
    audio.mkdir()
    data.mkdir()
    kaldi(audio)
    kaldi(data, wav_scp=f"r1 {audio}/a.wav\nr2 {audio}/sub/b c.wav\n")
    messages = [p.message for p in check_corpus(data).problems]
    assert all("name the folder that holds the recordings as audio_root" in m for m in messages)
    corpus = read_corpus(data, audio_root=audio)
    assert corpus.root == audio
    assert [u.path for u in corpus.utterances] == ["a.wav", "a.wav", "sub/b c.wav"]
    messages = [p.message for p in check_corpus(data, audio_root=data).problems]
    assert all("lies outside the audio root" in m for m in messages)


def test_kaldi__a_missing_file_is_named(tmp_path: Path) -> None:
    folder = kaldi(tmp_path)
    (folder / "utt2spk").unlink()
    with pytest.raises(CorpusError, match="has no utt2spk"):
        read_corpus(folder, format="kaldi")


def by_id(corpus: Corpus) -> list[Utterance]:
    return sorted(corpus.utterances, key=lambda u: u.utterance)


def held(corpus: Corpus) -> list[Utterance]:
    """The utterances with what Kaldi has a place for."""
    return [
        Utterance(
            utterance=u.utterance, path=u.path, speaker=u.speaker, gender=u.gender, duration_s=u.duration_s,
            start_s=u.start_s, segment_s=u.segment_s,
        )
        for u in by_id(corpus)
    ]  # fmt: skip


@pytest.fixture
def plain(voices: Corpus) -> Corpus:
    """Without what Kaldi cannot hold of one speaker alone: an unknown gender."""
    return Corpus(voices.root, tuple(replace(u, gender=u.gender or "m") for u in voices.utterances), "plain")


def test_write_kaldi__recordings_read_back(plain: Corpus, tmp_path: Path) -> None:
    notes = write_kaldi(plain, tmp_path / "kaldi")
    again = read_corpus(tmp_path / "kaldi", audio_root=plain.root)
    assert by_id(again) == held(plain)
    assert not (tmp_path / "kaldi" / "segments").exists()
    dropped = "corpus, session, language, native_language, channel, sampling_rate_hz, split, age"
    assert notes == (f"Kaldi has no place for {dropped}: left out",)


def test_write_kaldi__segments_read_back(plain: Corpus, tmp_path: Path) -> None:
    first, second, *others = plain.utterances
    cut = (
        replace(first, start_s=0.1, segment_s=0.05, duration_s=0.05),
        replace(first, utterance="ada-b", start_s=0.15, segment_s=None, duration_s=0.1),
        replace(second, start_s=0.03, segment_s=0.2, duration_s=0.2),
    )
    corpus = Corpus(plain.root, (*cut, *others), "cut")
    write_kaldi(corpus, tmp_path / "kaldi")
    again = read_corpus(tmp_path / "kaldi", audio_root=plain.root)
    assert by_id(again) == [replace(u, start_s=u.start_s) for u in held(corpus)]
    assert len((tmp_path / "kaldi" / "wav.scp").read_text().splitlines()) == len(plain)


def test_write_kaldi__is_sorted_as_the_c_locale_sorts(voices: Corpus, tmp_path: Path) -> None:
    names = ["b-1", "B-1", "a_1", "a-1", "aé-1", "a-10", "a-2"]
    utterances = tuple(Utterance(utterance=n, path=f"{n}.wav", speaker=n.partition("-")[0]) for n in names)
    write_kaldi(Corpus(voices.root, utterances, "odd"), tmp_path / "kaldi")
    for file in ("wav.scp", "utt2spk", "spk2utt"):
        command = ["sort", "-c", "-k1,1", tmp_path / "kaldi" / file]
        assert subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=False).returncode == 0
    groups = dict(line.split(" ", 1) for line in (tmp_path / "kaldi/spk2utt").read_text().splitlines())
    assert groups["a"] == "a-1 a-10 a-2"


def test_write_kaldi__says_what_is_left_out(voices: Corpus, tmp_path: Path) -> None:
    unknown = (replace(voices.utterances[0], duration_s=None, path="a.flac"), *voices.utterances[1:])
    notes = write_kaldi(Corpus(voices.root, unknown, "x"), tmp_path / "kaldi")
    assert any("spk2gender is not written: 1 speakers" in note for note in notes)
    assert any("utt2dur is not written: 1 durations" in note for note in notes)
    assert any("1 recordings are not .wav" in note for note in notes)
    assert not {"spk2gender", "utt2dur"} & {path.name for path in (tmp_path / "kaldi").iterdir()}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({"speaker": "ann b"}, "holds some"), ({"path": "cat a.wav |"}, "rename"), ({"path": "a.ark:12"}, "rename")],
)
def test_write_kaldi__refuses_what_kaldi_would_misread(
    voices: Corpus, tmp_path: Path, changed: dict[str, str], expected: str
) -> None:
    corpus = Corpus(voices.root, (replace(voices.utterances[0], **changed),), "x")
    with pytest.raises(InputError, match=expected):
        write_kaldi(corpus, tmp_path / "kaldi")
    assert not (tmp_path / "kaldi").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(OutputExistsError):
        write_kaldi(voices, tmp_path / "mine")
