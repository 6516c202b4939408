"""A Kaldi folder is sorted by bytes, reads back as what was written, and what it cannot hold is told."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from curvox.corpora import Corpus, Utterance, read_corpus, write_kaldi
from curvox.errors import InputError, OutputExistsError


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
