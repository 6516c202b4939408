from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from builders import write_unread

from curvox.corpora import Corpus, Utterance, check_corpus, from_lhotse, read_corpus, to_lhotse, unpack_shar
from curvox.errors import CorpusError, MissingExtraError, OutputExistsError

lhotse = pytest.importorskip("lhotse", reason="the extra curvox[lhotse] is not installed")


def recording(path: str = "a.wav", **changes: Any) -> dict:
    source = {"type": "file", "channels": [0], "source": path}
    plain = {"id": "r1", "sources": [source], "sampling_rate": 8000, "num_samples": 16000, "duration": 2.0}
    return {**plain, **changes}


def supervision(**changes: Any) -> dict:
    plain = {"id": "u1", "recording_id": "r1", "start": 0.0, "duration": 2.0, "channel": 0, "speaker": "ann"}
    return {**plain, **changes}


def cut(**changes: Any) -> dict:
    plain = {"type": "MonoCut", "id": "c1", "start": 0.0, "duration": 2.0, "channel": 0, "recording": recording()}
    return {**plain, "supervisions": [supervision()], **changes}


def write(path: Path, items: list[dict]) -> Path:
    data = "".join(json.dumps(item) + "\n" for item in items).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def one_file(tmp_path: Path) -> Path:
    return write_unread(tmp_path, "a.wav")


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_read_corpus__supervisions_become_utterances(one_file: Path, ending: str) -> None:
    write(one_file / f"x_recordings_dev.{ending}", [recording()])
    custom = {"session": "monday", "age": 30, "nested": {"left": "out"}}
    segments = [
        supervision(gender="f", language="en", text="a\tword\n", custom=custom),
        supervision(id="u2", start=0.5, duration=1.25),
    ]
    write(one_file / f"x_supervisions_dev.{ending}", segments)
    corpus = read_corpus(one_file)
    whole, part = corpus.utterances
    assert whole == Utterance(
        utterance="u1",
        path="a.wav",
        speaker="ann",
        session="monday",
        gender="f",
        language="en",
        sampling_rate_hz=8000,
        duration_s=2.0,
        extra={"text": "a word", "age": "30"},
    )
    assert (part.utterance, part.start_s, part.segment_s, part.duration_s) == ("u2", 0.5, 1.25, 1.25)
    assert read_corpus(one_file / f"x_supervisions_dev.{ending}") == corpus


def test_read_corpus__cuts_become_utterances(one_file: Path) -> None:
    write(one_file / "cuts.jsonl.gz", [cut(), cut(id="c2", start=1.0, duration=0.5)])
    whole, part = read_corpus(one_file).utterances
    assert (whole.utterance, whole.speaker, whole.start_s, whole.segment_s) == ("c1", "ann", 0.0, None)
    assert (part.utterance, part.start_s, part.segment_s) == ("c2", 1.0, 0.5)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (cut(recording=recording(sources=[{"type": "command", "channels": [0], "source": "touch ran"}])), "executed"),
        (cut(recording=recording(sources=[{"type": "url", "channels": [0], "source": "http://x/a.wav"}])), "fetched"),
        (cut(recording=recording("/elsewhere/a.wav")), "audio_root"),
        (cut(recording=recording("../a.wav")), "may leave"),
        (cut(recording=recording(transforms=[{"name": "Speed", "kwargs": {"factor": 1.1}}])), "transforms"),
        (cut(recording=recording(sources=[{"type": "file", "channels": [0, 1], "source": "a.wav"}])), "channels"),
        (cut(supervisions=[]), "expected one speaker, got none"),
        (cut(supervisions=[supervision(), supervision(speaker="bob")]), 'got "ann", "bob"'),
        (cut(supervisions=[supervision(speaker=None)]), "expected one speaker"),
        (cut(start=1.5, duration=1.0), "do not fit"),
        (cut(recording=None), "not an item"),
        ({"type": "PaddingCut"}, "not an item"),
        (recording(), "expected a cut of one recording, got a Recording"),
    ],
)
def test_read_corpus__cuts_that_do_not_fit_are_named(one_file: Path, item: dict, expected: str) -> None:
    write(one_file / "cuts.jsonl", [cut(id="good", start=0.25, duration=0.5), item])
    (problem,) = check_corpus(one_file).problems
    assert (problem.file, problem.line) == ("cuts.jsonl", 2)
    assert expected in problem.message
    assert not Path("ran").exists()


def test_read_corpus__supervisions_without_recording_are_named(one_file: Path) -> None:
    write(one_file / "recordings.jsonl", [recording(), recording(), supervision()])
    write(one_file / "supervisions.jsonl", [supervision(), supervision(id="u2", recording_id="r9"), recording()])
    found = [(p.file, p.line) for p in check_corpus(one_file).problems]
    assert found == [(f"{kind}.jsonl", line) for kind in ("recordings", "supervisions") for line in (2, 3)]


def test_read_corpus__absolute_paths_need_the_audio_root(one_file: Path) -> None:
    data = one_file / "data"
    data.mkdir()
    write(data / "cuts.jsonl", [cut(recording=recording(str(one_file / "a.wav")))])
    assert read_corpus(data, audio_root=one_file).utterances[0].path == "a.wav"
    with pytest.raises(CorpusError, match="lies outside the audio root"):
        read_corpus(data, audio_root=data)


@pytest.mark.parametrize("names", [["recordings.jsonl"], ["cuts_a.jsonl", "cuts_b.jsonl"], ["x.jsonl"]])
def test_read_corpus__manifests_must_be_one_set(one_file: Path, names: list[str]) -> None:
    for name in names:
        write(one_file / name, [cut()])
    with pytest.raises(CorpusError, match="expected one manifest of cuts"):
        read_corpus(one_file)


def test_read_corpus__broken_lines_and_archives_are_named(one_file: Path) -> None:
    (one_file / "cuts.jsonl").write_text(json.dumps(cut()) + "\n{broken\n[]\n")
    assert [p.line for p in check_corpus(one_file).problems] == [2, 3]
    (one_file / "cuts.jsonl").unlink()
    (one_file / "cuts.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(CorpusError, match="cannot read"):
        read_corpus(one_file)
    (one_file / "other_supervisions.jsonl").write_text("")
    with pytest.raises(CorpusError, match=r"expected other_recordings\.jsonl"):
        read_corpus(one_file / "other_supervisions.jsonl")


def test_lhotse__missing_extra_is_named(voices: Corpus, monkeypatch: pytest.MonkeyPatch, one_file: Path) -> None:
    monkeypatch.setitem(sys.modules, "lhotse", None)
    write(one_file / "cuts.jsonl", [cut()])
    for call in (
        lambda: read_corpus(one_file),
        lambda: to_lhotse(voices),
        lambda: unpack_shar(one_file, one_file / "new"),
    ):
        with pytest.raises(MissingExtraError, match=r"curvox\[lhotse\]"):
            call()


def test_to_lhotse__comes_back_the_same(voices: Corpus) -> None:
    cuts = to_lhotse(voices)
    assert from_lhotse(cuts, audio_root=voices.root, name="voices") == voices
    for c, utterance in zip(cuts, voices.utterances, strict=True):
        expected, rate = soundfile.read(voices.path_of(utterance), dtype="float32")
        assert rate == c.sampling_rate
        assert np.array_equal(c.load_audio()[0], expected)


def test_to_lhotse__segments_are_cut_out(voices: Corpus) -> None:
    first, second, *_ = voices.utterances
    parts = (
        replace(first, start_s=0.125, segment_s=0.0625, duration_s=0.0625),
        replace(second, utterance="tail", path=first.path, start_s=0.0625, duration_s=0.1875),
    )
    corpus = Corpus(voices.root, parts, "parts")
    cuts = list(to_lhotse(corpus))
    samples, _ = soundfile.read(voices.path_of(first), dtype="float32")
    assert np.array_equal(cuts[0].load_audio()[0], samples[1000:1500])
    assert np.array_equal(cuts[1].load_audio()[0], samples[500:])
    back = from_lhotse(cuts, audio_root=voices.root)
    assert [(u.start_s, u.segment_s) for u in back.utterances] == [(0.125, 0.0625), (0.0625, 0.1875)]


def test_to_lhotse__a_rounded_end_stays_inside_the_recording(voices: Corpus) -> None:
    part = replace(voices.utterances[0], start_s=0.125, segment_s=0.13)
    found = next(iter(to_lhotse(Corpus(voices.root, (part,), "rounded"))))
    assert found.end == 0.25  # the length of the recording
    assert found.load_audio().shape == (1, 1000)


def test_to_lhotse__refuses_what_it_cannot_open(voices: Corpus) -> None:
    first, second, *_ = voices.utterances
    with pytest.raises(CorpusError, match='"ada-1" reaches past the end'):
        to_lhotse(Corpus(voices.root, (replace(first, segment_s=9.0),), "long"))
    voices.path_of(second).write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match=r"cannot open the recording .*2.wav"):
        to_lhotse(voices)


def test_to_lhotse__keeps_all_channels(tmp_path: Path, write_wav: Any) -> None:
    write_wav(tmp_path / "two.wav", channels=2)
    corpus = Corpus(tmp_path, (Utterance(utterance="u", path="two.wav", speaker="s"),), "two")
    cuts = to_lhotse(corpus)
    assert next(iter(cuts)).load_audio().shape == (2, 2000)
    assert from_lhotse(cuts, audio_root=tmp_path).utterances[0].path == "two.wav"


def test_from_lhotse__refuses_cuts_outside_the_audio_root(voices: Corpus, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(CorpusError, match="the set of cuts lhotse has 8 problems"):
        from_lhotse(to_lhotse(voices), audio_root=tmp_path / "other")


@pytest.fixture
def shar(voices: Corpus, tmp_path: Path) -> Path:
    (tmp_path / "shar").mkdir()
    to_lhotse(voices).to_shar(tmp_path / "shar", fields={"recording": "flac"}, shard_size=3)
    return tmp_path / "shar"


def test_unpack_shar__gives_the_corpus_back(voices: Corpus, shar: Path, tmp_path: Path) -> None:
    unpacked = unpack_shar(shar, tmp_path / "new")
    assert unpacked == read_corpus(tmp_path / "new")
    for old, new in zip(voices.utterances, unpacked.utterances, strict=True):
        assert replace(new, path=old.path) == old
        assert np.array_equal(soundfile.read(voices.path_of(old))[0], soundfile.read(unpacked.path_of(new))[0])
    assert not list(tmp_path.glob(".new*"))


def test_unpack_shar__refuses_damage_and_leaves_nothing(shar: Path, tmp_path: Path) -> None:
    first = shar / "recording.000000.tar"
    whole = first.read_bytes()
    first.write_bytes(whole[:3000])
    with pytest.raises(CorpusError, match=r"recording\.000000\.tar is damaged"):
        unpack_shar(shar, tmp_path / "new")
    first.write_bytes((shar / "recording.000002.tar").read_bytes())
    with pytest.raises(CorpusError, match=r'expected the recording of "ada-1" .* got that of "dee-1"'):
        unpack_shar(shar, tmp_path / "new")
    first.unlink()
    with pytest.raises(CorpusError, match="as many"):
        unpack_shar(shar, tmp_path / "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shar", "voices"]


def test_unpack_shar__refuses_an_archive_shorter_than_its_cuts(shar: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((shar / "cuts.000002.jsonl.gz").read_bytes())
    extra = lines.splitlines()[0].replace(b"dee-1", b"dee-3")
    (shar / "cuts.000002.jsonl.gz").write_bytes(gzip.compress(lines + extra + b"\n"))
    with pytest.raises(CorpusError, match=r'recording of "dee-3" .* got the end of the archive'):
        unpack_shar(shar, tmp_path / "new")


def test_unpack_shar__refuses_an_archive_longer_than_its_cuts(shar: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((shar / "cuts.000000.jsonl.gz").read_bytes()).splitlines(keepends=True)
    (shar / "cuts.000000.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(CorpusError, match=r'has a recording "bea-1" that cuts\.000000\.jsonl\.gz does not name'):
        unpack_shar(shar, tmp_path / "new")


def test_unpack_shar__cuts_without_audio_are_named(shar: Path, tmp_path: Path) -> None:
    archive = shar / "recording.000000.tar"
    with tarfile.open(archive) as tar:
        members = [(member, tar.extractfile(member)) for member in tar]
        contents = [(member, stream.read()) for member, stream in members if stream is not None]
    with tarfile.open(archive, "w") as tar:
        # This is how lhotse marks a cut without audio.
        for name in ("ada-1.nodata", "ada-1.nometa"):
            tar.addfile(tarfile.TarInfo(name))
        for member, data in contents[2:]:
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(CorpusError, match=r'line 1, path: .* has no audio for the cut "ada-1"'):
        unpack_shar(shar, tmp_path / "new")


def test_unpack_shar__refuses_what_is_no_audio(shar: Path, tmp_path: Path) -> None:
    archive = shar / "recording.000000.tar"
    archive.write_bytes(archive.read_bytes().replace(b"fLaC", b"code", 1))
    with pytest.raises(CorpusError, match='the audio of the cut "ada-1" is neither FLAC'):
        unpack_shar(shar, tmp_path / "new")


def test_unpack_shar__refuses_to_overwrite(shar: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(OutputExistsError, match="exists"):
        unpack_shar(shar, tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
