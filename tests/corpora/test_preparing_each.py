"""What becomes of each published corpus: its labels, splits and trials."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curvox.audio import read_audio
from curvox.corpora import PREPARATIONS, Corpus, Utterance, prepare_corpus, read_corpus, read_enrolments, read_trials
from curvox.corpora.preparing.prepare import Prepared
from curvox.errors import AudioError

Dummy = Callable[[str], Path]


def fields(utterance: Utterance) -> dict[str, str]:
    """The labels of an utterance that are known, the further columns among them."""
    names = ("speaker", "session", "gender", "language", "native_language", "nationality", "channel", "split")
    known = {name: getattr(utterance, name) for name in names if getattr(utterance, name)}
    return known | dict(utterance.extra)


# The labels that are known of an utterance, those of further columns among them.
LABELS = {
    ("voxceleb1", "id10001/1zcIwhmdeo4/00001.wav"): (
        "speaker: id10001; session: 1zcIwhmdeo4; gender: m; nationality: Ireland; split: train"
    ),
    ("voxceleb1", "id10270/7gWzIy6yIIk/00002.wav"): (
        "speaker: id10270; session: 7gWzIy6yIIk; gender: f; nationality: USA; split: test"
    ),
    ("voxceleb2", "id00015/1zcIwhmdeo4/00001.wav"): ("speaker: id00015; session: 1zcIwhmdeo4; gender: f; split: train"),
    ("cnceleb1", "id00000/live_broadcast-03-001.flac"): (
        "speaker: id00000; session: live_broadcast-03; language: zh; split: train; genre: live_broadcast"
    ),
    ("cnceleb1", "test/id00800-interview-02-001.flac"): (
        "speaker: id00800; session: interview-02; language: zh; split: test; genre: interview"
    ),
    ("cnceleb1", "enroll/id00801-enroll.flac"): ("speaker: id00801; language: zh; split: test"),
    ("cnceleb2", "id10001/singing-01-002.flac"): (
        "speaker: id10001; session: singing-01; language: zh; genre: singing"
    ),
    ("librispeech", "1034-121119-0001"): (
        "speaker: 1034; session: 121119; gender: m; language: en; split: train; subset: train-clean-100"
    ),
    ("librispeech", "367-130732-0000"): (
        "speaker: 367; session: 130732; gender: m; language: en; split: test; subset: test-other"
    ),
    ("vctk", "p225_001_mic1"): (
        "speaker: p225; gender: f; language: en; native_language: English; "
        "channel: mic1; age: 23; region: Southern England"
    ),
    ("vctk", "p280_002_mic1"): (
        "speaker: p280; gender: f; language: en; native_language: French; channel: mic1; age: 25"
    ),
    ("audiomnist", "9_01_1"): (
        "speaker: 01; session: 17-06-22-11-04-01; gender: m; language: en; "
        "native_language: German; digit: 9; age: 30; origin: Europe, Germany, Ulm; room: Kino"
    ),
    ("speech_commands", "bed/00176480_nohash_0.wav"): ("speaker: 00176480; language: en; split: train; word: bed"),
    ("speech_commands", "yes/0135f3f2_nohash_1.wav"): ("speaker: 0135f3f2; language: en; split: dev; word: yes"),
    ("speech_commands", "yes/0c40e715_nohash_1.wav"): ("speaker: 0c40e715; language: en; split: test; word: yes"),
}


def test_labels__are_checked_for_every_preparation() -> None:
    assert {name for name, _ in LABELS} == set(PREPARATIONS)


@pytest.mark.parametrize(("name", "utterance"), LABELS)
def test_labels__are_those_of_the_metadata(name: str, utterance: str, dummy: Dummy, tmp_path: Path) -> None:
    prepare_corpus(name, dummy(name), tmp_path / name)
    read = read_corpus(tmp_path / name, format="tsv")
    expected = dict(label.split(": ") for label in LABELS[name, utterance].split("; "))
    assert fields(read[utterance]) == expected


def speakers(corpus: Corpus, split: str) -> set[str]:
    return set(corpus.split(split).speakers)


def test_voxceleb1__dev_is_trained_on_and_the_o_trials_stay_in_test(dummy: Dummy, tmp_path: Path) -> None:
    prepared = prepare_corpus("voxceleb1", dummy("voxceleb1"), tmp_path / "out")
    assert speakers(prepared.corpus, "train") == {"id10001", "id10002"}
    tested = {u.utterance for u in prepared.corpus.split("test").utterances}
    named = {path.stem: set(read_trials(path).utterances) for path in prepared.trials}
    assert named["vox1_o_cleaned"] <= tested
    assert named["vox1_h_cleaned"] <= tested
    assert not named["vox1_e_cleaned"] <= tested


def test_voxceleb1__trials_keep_order_and_labels_of_the_official_list(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("voxceleb1")
    prepared = prepare_corpus("voxceleb1", folder, tmp_path / "out")
    for path, official in zip(prepared.trials, ("veri_test2", "list_test_all2", "list_test_hard2"), strict=True):
        assert path.read_text() == (folder / f"{official}.txt").read_text()


def test_voxceleb1__without_a_list_says_so_and_writes_the_others(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("voxceleb1")
    (folder / "list_test_hard2.txt").unlink()
    prepared = prepare_corpus("voxceleb1", folder, tmp_path / "out")
    assert [path.stem for path in prepared.trials] == ["vox1_o_cleaned", "vox1_e_cleaned"]
    assert any("list_test_hard2.txt" in note and "robots.ox.ac.uk" in note for note in prepared.notes)


def test_voxceleb1__in_dev_and_test_folders_is_the_same_corpus(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("voxceleb1")
    together = prepare_corpus("voxceleb1", folder, tmp_path / "together").corpus
    for division, ids in (("dev", ("id10001", "id10002")), ("test", ("id10270", "id10271"))):
        (folder / division / "wav").mkdir(parents=True)
        for speaker in ids:
            shutil.move(folder / "wav" / speaker, folder / division / "wav")
    (folder / "wav").rmdir()
    apart = prepare_corpus("voxceleb1", folder, tmp_path / "apart").corpus
    assert {u.utterance: fields(u) for u in apart.utterances} == {u.utterance: fields(u) for u in together.utterances}


def test_voxceleb2__lists_m4a_and_says_what_decodes_it(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("voxceleb2")
    for path in sorted((folder / "dev" / "wav").rglob("*.wav")):
        m4a = folder / "dev" / "aac" / path.relative_to(folder / "dev" / "wav").with_suffix(".m4a")
        m4a.parent.mkdir(parents=True, exist_ok=True)
        m4a.write_bytes(b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00isomiso2")
    shutil.rmtree(folder / "dev" / "wav")
    prepared = prepare_corpus("voxceleb2", folder, tmp_path / "out")
    utterance = prepared.corpus["id00012/1zcIwhmdeo4/00001.m4a"]
    assert utterance.path == "dev/aac/id00012/1zcIwhmdeo4/00001.m4a"
    assert any(note.startswith("8 recordings are m4a") and "curvox[codecs]" in note for note in prepared.notes)
    with pytest.raises(AudioError, match=r"truncated or damaged: FFmpeg: .*MP4 or M4A"):
        read_audio(prepared.corpus.path_of(utterance))


def test_voxceleb2__metadata_may_be_separated_by_tabs(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("voxceleb2")
    first = prepare_corpus("voxceleb2", folder, tmp_path / "first").corpus
    meta = folder / "vox2_meta.csv"
    meta.write_text(meta.read_text().replace(" ,", "\t"))
    assert prepare_corpus("voxceleb2", folder, tmp_path / "second").corpus.utterances == first.utterances


def models_of(prepared: Prepared) -> dict[str, tuple[str, ...]]:
    return dict(read_enrolments(prepared.enrolments[0], style="cnceleb").models)


def test_cnceleb1__offers_whole_and_separate_enrolments_for_the_same_trials(dummy: Dummy, tmp_path: Path) -> None:
    prepared = prepare_corpus("cnceleb1", dummy("cnceleb1"), tmp_path / "out")
    lists = {path.stem: read_trials(path) for path in prepared.trials}
    whole, models = lists["cnceleb1"], lists["cnceleb1_models"]
    assert whole.tests == models.tests
    assert [f"enroll/{model}.flac" for model in models.enrolments] == list(whole.enrolments)
    separate = ("id00800/singing-01-001.flac", "id00800/singing-01-002.flac")
    assert models_of(prepared)["id00800-enroll"] == separate


def test_cnceleb1__evaluated_speakers_are_not_trained_on(dummy: Dummy, tmp_path: Path) -> None:
    corpus = prepare_corpus("cnceleb1", dummy("cnceleb1"), tmp_path / "out").corpus
    assert speakers(corpus, "train") == {"id00000", "id00001"}
    assert speakers(corpus, "test") == {"id00800", "id00801"}


def test_librispeech__subsets_that_are_not_there_are_not_missed(dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy("librispeech")
    shutil.rmtree(folder / "train-clean-100")
    corpus = prepare_corpus("librispeech", folder, tmp_path / "out").corpus
    assert corpus.speakers == ("20", "367", "84")


def test_librispeech__says_how_many_listed_speakers_have_no_recording(dummy: Dummy, tmp_path: Path) -> None:
    prepared = prepare_corpus("librispeech", dummy("librispeech"), tmp_path / "out")
    assert "SPEAKERS.TXT: 1 of its 6 speakers have no recording here" in prepared.notes
