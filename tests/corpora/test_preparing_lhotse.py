"""``lhotse:NAME``: real recipes on folders laid out as they read them, and made-up ones for what recipes may return."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curvox.corpora import check_corpus, lhotse_recipes, prepare_corpus, read_corpus
from curvox.corpora.preparing.lhotse import split_of
from curvox.corpora.preparing.prepare import Prepared
from curvox.errors import CorpusError, InputError, MissingExtraError, UnknownNameError

lhotse = pytest.importorskip("lhotse", reason="the extra curvox[lhotse] is not installed")

Dummy = Callable[[str], Path]
WriteWav = Callable[..., Path]
Returns = Callable[..., Prepared]


@pytest.fixture
def prepare(tmp_path: Path, write_wav: WriteWav, monkeypatch: pytest.MonkeyPatch) -> Returns:
    """Prepare a folder of four recordings by a recipe, whose name is then "made_up"."""
    for name in ("a", "b", "c", "d"):
        write_wav(tmp_path / "corpus" / f"{name}.wav", seed=ord(name))

    def run(recipe: Callable[..., Any]) -> Prepared:
        monkeypatch.setattr(lhotse.recipes, "prepare_made_up", recipe, raising=False)
        return prepare_corpus("lhotse:made_up", tmp_path / "corpus", tmp_path / "out")

    return run


def manifests(folder: Path, speakers: dict[str, str | None], **labels: Any) -> dict[str, Any]:
    """Return a recording and a supervision that spans it, for each name of a file and its speaker."""
    files = [lhotse.Recording.from_file(folder / f"{name}.wav") for name in speakers]
    spoken = [
        lhotse.SupervisionSegment(file.id, file.id, 0.0, file.duration, speaker=speaker, **labels)
        for file, speaker in zip(files, speakers.values(), strict=True)
    ]
    return {
        "recordings": lhotse.RecordingSet.from_recordings(files),
        "supervisions": lhotse.SupervisionSet.from_segments(spoken),
    }


def test_lhotse_librispeech__agrees_with_our_own_preparation(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("librispeech")
    theirs = prepare_corpus("lhotse:librispeech", folder, tmp_path / "theirs")
    ours = prepare_corpus("librispeech", folder, tmp_path / "ours")

    def told(prepared: Prepared) -> list[tuple[str, ...]]:
        return sorted((u.utterance, u.path, u.speaker, u.split, u.corpus) for u in prepared.corpus.utterances)

    assert told(theirs) == told(ours)
    assert {u.utterance: u.extra["part"] for u in theirs.corpus.utterances} == {
        u.utterance: u.extra["subset"] for u in ours.corpus.utterances
    }
    assert theirs.audio_root == folder
    assert theirs.notes == ()
    read = read_corpus(tmp_path / "theirs", audio_root=folder)
    assert read.utterances == theirs.corpus.utterances
    assert list(read.utterances) == sorted(read.utterances, key=lambda u: u.path)
    assert {u.duration_s for u in read.utterances} == {0.4}


def test_lhotse_l2_arctic__keeps_labels_and_names_parts(tmp_path: Path, write_wav: WriteWav) -> None:
    folder = tmp_path / "l2arctic"
    names = [("ABA", "arctic_a0001"), ("SKA", "arctic_a0001"), ("SKA", "arctic_a0002"), ("suitcase_corpus", "ska")]
    for speaker, name in names:
        write_wav(folder / speaker / "wav" / f"{name}.wav", seed=len(speaker) + int(name[-1] == "2"))
        (folder / speaker / "transcript").mkdir(exist_ok=True)
        (folder / speaker / "transcript" / f"{name}.txt").write_text("A few words.")
    prepared = prepare_corpus("lhotse:l2_arctic", folder, folder)
    assert prepared.audio_root is None
    corpus = read_corpus(folder, format="tsv")
    assert (corpus.splits, corpus.speakers) == ((), ("aba", "ska"))
    told = {(u.speaker, u.gender, u.language, u.extra["accent"]) for u in corpus.utterances}
    assert told == {("aba", "m", "English", "Arabic"), ("ska", "f", "English", "Arabic")}
    assert {u.path: u.extra["part"] for u in corpus.utterances} == {
        f"{speaker}/wav/{name}.wav": "suitcase" if speaker == "suitcase_corpus" else "read" for speaker, name in names
    }


def test_lhotse_yesno__has_no_speakers_and_is_refused(tmp_path: Path, write_wav: WriteWav) -> None:
    for number in range(60):
        write_wav(tmp_path / "waves_yesno" / f"{'_'.join(f'{number:08b}')}.wav", seconds=0.01)
    with pytest.raises(CorpusError, match='lhotse\'s recipe "yesno": none of 60 supervisions names a speaker'):
        prepare_corpus("lhotse:yesno", tmp_path / "waves_yesno", tmp_path / "out")
    (tmp_path / "waves_yesno" / "0_0_0_0_0_0_0_0.wav").unlink()
    with pytest.raises(
        CorpusError, match=r'cannot read .*AssertionError in line \d+, "assert len\(wave_files\) == 60"'
    ):
        prepare_corpus("lhotse:yesno", tmp_path / "waves_yesno", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("librispech", UnknownNameError, 'no recipe "librispech": did you mean "librispeech"'),
        ("os.system", UnknownNameError, 'no recipe "os.system": no name is near .*lhotse-recipes lists all'),
        ("list", UnknownNameError, "the names are adept, aishell, .*vctk"),
        ("", UnknownNameError, "expected lhotse:NAME"),
        ("speechcommands", InputError, "asks for speechcommands_version, corpus_dir; run lhotse's own command"),
        ("voxceleb", InputError, "asks for voxceleb1_root, voxceleb2_root; .*data check MANIFESTS --audio-root"),
        ("librimix_mini", InputError, "asks for librimix_csv"),
        ("switchboard", InputError, r"may fetch files or start programs \(download_and_untar"),
        ("chime6", InputError, "subprocess"),
    ],
)
def test_lhotse_names__that_cannot_be_used_are_refused(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        prepare_corpus(f"lhotse:{name}", "nowhere", "out")


def test_lhotse_recipes__are_the_functions_that_lhotse_offers() -> None:
    known = lhotse_recipes()
    exported = {name.removeprefix("prepare_") for name in lhotse.recipes.__all__ if name.startswith("prepare_")}
    assert exported <= set(known)
    for name in (
        "librispeech",
        "libritts",
        "vctk",
        "cmu_arctic",
        "l2_arctic",
        "timit",
        "commonvoice",
        "fisher_english",
    ):
        assert known[name].refusal == ""


def test_lhotse_parts__segments_are_taken_and_what_is_left_out_is_told(prepare: Returns) -> None:
    def recipe(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        logging.warning("something is odd")
        dev = manifests(corpus_dir, {"a": "ann", "b": None, "c": " "}, gender="Female")
        cut = lhotse.SupervisionSegment(
            "late", "a", 0.125, 0.0625, speaker="ann", gender="other", custom={"split": "x", "path": "y"}
        )
        dev["supervisions"] = lhotse.SupervisionSet.from_segments([*dev["supervisions"], cut])
        return {"polish": {"dev": dev, "other": {"recordings": dev["recordings"]}}}

    prepared = prepare(recipe)
    whole, late = prepared.corpus.utterances
    assert (whole.utterance, whole.path, whole.start_s, whole.segment_s) == ("a", "a.wav", 0.0, None)
    assert (late.path, late.start_s, late.segment_s, late.gender) == ("a.wav", 0.125, 0.0625, "")
    assert (whole.gender, whole.split, whole.corpus, whole.extra) == ("f", "dev", "made_up", {"part": "polish/dev"})
    assert late.extra == {"part": "polish/dev", "split_as_given": "x", "path_as_given": "y", "gender_as_given": "other"}
    assert prepared.notes == (
        "polish/other: there are no supervisions of recordings, it was left out",
        "polish/dev: 2 supervisions name no speaker and were left out",
        '1 supervisions have a gender that is not f or m, see gender_as_given: "other"',
        "3 of 4 recordings in the folder are not in the manifest",
        "lhotse warns: something is odd",
    )
    assert prepared.audio_root is not None
    assert check_corpus(prepared.manifest, audio_root=prepared.audio_root).ok


def test_lhotse_parts__manifests_are_told_by_what_they_are(prepare: Returns) -> None:
    def recipe(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        train = manifests(corpus_dir, {"a": "ann", "b": "bob"})
        test = manifests(corpus_dir, {"c": "cid"})
        exchanged = {"recordings": train["supervisions"], "supervisions": train["recordings"]}
        cuts = lhotse.CutSet.from_manifests(**manifests(corpus_dir, {"d": "dee"}))
        return {"train": exchanged, "test": (test["recordings"], test["supervisions"]), "dev": {"cuts": cuts}}

    prepared = prepare(recipe)
    found = [(u.path, u.speaker, u.split, dict(u.extra)) for u in prepared.corpus.utterances]
    assert found == [
        ("a.wav", "ann", "train", {}),
        ("b.wav", "bob", "train", {}),
        ("c.wav", "cid", "test", {}),
        ("d.wav", "dee", "dev", {}),
    ]


@pytest.mark.parametrize(
    ("speakers", "parts", "said"),
    [
        (("ann", "bob"), ("train", "extra"), 'no splits: "extra" is none of train, dev and test'),
        (("ann", "ann"), ("train", "test"), 'no splits: 1 of 1 speakers are in several .* as "ann" is'),
    ],
)
def test_lhotse_parts__are_no_splits_where_names_or_speakers_forbid(
    prepare: Returns, speakers: tuple[str, str], parts: tuple[str, str], said: str
) -> None:
    def recipe(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        files = zip("ab", speakers, parts, strict=True)
        return {part: manifests(corpus_dir, {file: speaker}) for file, speaker, part in files}

    prepared = prepare(recipe)
    assert prepared.corpus.splits == ()
    assert tuple(u.extra["part"] for u in prepared.corpus.utterances) == parts
    assert any(re.match(said, note) for note in prepared.notes)


def test_lhotse_parts__outside_the_folder_are_refused(prepare: Returns, tmp_path: Path, write_wav: WriteWav) -> None:
    outputs = []

    def outside(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        return manifests(write_wav(tmp_path / "elsewhere" / "e.wav").parent, {"e": "eve"})

    def written(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        outputs.append(output_dir)
        return manifests(write_wav(output_dir / "e.wav").parent, {"e": "eve"})

    with pytest.raises(CorpusError, match="lies outside the audio root"):
        prepare(outside)
    with pytest.raises(CorpusError, match='"made_up" writes recordings of its own; run lhotse\'s own command'):
        prepare(written)
    assert not outputs[0].exists()
    assert not (tmp_path / "out").exists()


def test_lhotse_parts__that_do_not_fit_are_refused(prepare: Returns) -> None:
    def twice(corpus_dir: Path, output_dir: Path) -> dict[str, Any]:
        found = manifests(corpus_dir, {"a": "ann"})
        return {**found, "sections": found["supervisions"]}

    with pytest.raises(CorpusError, match="one manifest of supervisions for the whole, got several"):
        prepare(twice)
    with pytest.raises(CorpusError, match="expected recordings and supervisions, it returned NoneType"):
        prepare(lambda corpus_dir, output_dir: None)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-clean-100", "train"),
        ("92_clean_train", "train"),
        ("mls_german/dev", "dev"),
        ("TEST", "test"),
        ("train_dev", ""),
        ("training", ""),
        ("latest", ""),
        ("eval", ""),
        ("", ""),
    ],
)
def test_split_of__is_a_whole_word_and_the_only_one(name: str, split: str) -> None:
    assert split_of(name) == split


def test_lhotse_names__need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lhotse", None)
    with pytest.raises(MissingExtraError, match=r"curvox\[lhotse\]"):
        prepare_corpus("lhotse:vctk", "nowhere", "out")
