"""A corpus decoded to FLAC has the same utterances and sound, goes on where it was, and names what is unreadable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from curvox.audio import read_audio
from curvox.corpora import Corpus, Utterance, read_corpus
from curvox.errors import OutputExistsError
from curvox.testing.dummies import speech_like
from curvox.training.flac_corpus import convert_to_flac


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    root = tmp_path / "in"
    (root / "a").mkdir(parents=True)
    for name, rate_hz in (("a/1.wav", 16000), ("a/1.flac", 8000), ("a/2.wav", 44100)):
        soundfile.write(root / name, speech_like("a", name, seconds=0.5, sampling_rate_hz=rate_hz), rate_hz)
    (root / "a/bad.wav").write_text("no sound")
    utterances = [Utterance(utterance=f"u{n}", path=path, speaker="a", session="s") for n, path in
                  enumerate(("a/1.wav", "a/1.flac", "a/bad.wav"))]  # fmt: skip
    for number, start_s in enumerate((0.0, 0.2)):
        cut = Utterance(
            utterance=f"cut{number}", path="a/2.wav", speaker="a", start_s=start_s, segment_s=0.2, duration_s=0.2
        )
        utterances.append(cut)
    return Corpus(root, tuple(utterances), "in")


def test_convert_to_flac__keeps_utterances_and_sound(corpus: Corpus, tmp_path: Path) -> None:
    made = convert_to_flac(corpus, tmp_path / "out", threads=2)
    again = read_corpus(tmp_path / "out")
    assert again.utterances == made.corpus.utterances
    assert [u.utterance for u in again.utterances] == ["u0", "u1", "cut0", "cut1"]
    assert again["u0"].session == "s"
    assert len({u.path for u in again.utterances}) == 3
    for utterance in again.utterances:
        source = corpus[utterance.utterance]
        segment = {"start_s": utterance.start_s, "duration_s": utterance.segment_s}
        np.testing.assert_allclose(
            read_audio(again.path_of(utterance), **segment), read_audio(corpus.path_of(source), **segment), atol=2e-2
        )
        info = soundfile.info(again.path_of(utterance))
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
    assert again["u0"].duration_s == 0.5


def test_convert_to_flac__lists_what_it_could_not_read(corpus: Corpus, tmp_path: Path) -> None:
    made = convert_to_flac(corpus, tmp_path / "out", threads=1)
    (bad,) = made.bad_files
    assert (bad.path, bad.utterance) == ("a/bad.wav", "u2")
    assert "it is text" in bad.reason
    header, row = (tmp_path / "out/bad_files.tsv").read_text().splitlines()
    assert len(header.split("\t")) == len(row.split("\t"))
    assert row.startswith("a/bad.wav\t")


def test_convert_to_flac__goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    made = convert_to_flac(corpus, tmp_path / "out", threads=1)
    with pytest.raises(OutputExistsError, match="complete"):
        convert_to_flac(corpus, tmp_path / "out")
    made.manifest.unlink()
    lost = made.corpus.path_of("u1")
    lost.unlink()
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/audio").rglob("*.flac")}
    again = convert_to_flac(corpus, tmp_path / "out", threads=1)
    assert (again.kept, again.corpus.utterances) == (2, made.corpus.utterances)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert lost.exists()
    assert not list((tmp_path / "out").rglob("*.writing"))
    again.manifest.unlink()
    with pytest.raises(OutputExistsError, match="at 16000 Hz, asked for are 8000"):
        convert_to_flac(corpus, tmp_path / "out", sampling_rate_hz=8000)
