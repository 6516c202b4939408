"""Preparing a published corpus: what is refused, and that all of it is told at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curvox.corpora import prepare_corpus
from curvox.errors import CorpusError
from curvox.testing.dummies import DUMMIES

Refuse = Callable[[str, Callable[[Path], object]], str]


@pytest.fixture
def refused(tmp_path: Path) -> Refuse:
    """Lay a dummy out, break it, and return the message of its refusal; nothing may have been written."""

    def refuse(name: str, spoil: Callable[[Path], object]) -> str:
        folder = DUMMIES.load(name)(tmp_path / name)
        spoil(folder)
        with pytest.raises(CorpusError) as caught:
            prepare_corpus(name, folder, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    return refuse


def replacing(file: str, old: str, new: str) -> Callable[[Path], object]:
    """A fault: in one file of the folder, one text in the place of another."""

    def spoil(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    return spoil


def renaming(old: str, new: str) -> Callable[[Path], object]:
    """A fault: a file or folder under another name."""
    return lambda folder: (folder / old).rename(folder / new)


NAMELESS = "expected a name"


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("voxceleb1", replacing("vox1_meta.csv", "Gender", "Sex"), "vox1_meta.csv, line 1: expected a header with"),
        (
            "voxceleb1",
            replacing("vox1_meta.csv", "\tm\tIndia", "\tx\tIndia"),
            "line 3: expected a gender (f, m, female or",
        ),
        ("voxceleb1", replacing("vox1_meta.csv", "\tIndia", ""), "line 3: expected 5 fields as in the header, got 4"),
        ("voxceleb1", replacing("vox1_meta.csv", "id10002", "id10001"), 'the speaker "id10001" has a line already'),
        ("voxceleb1", replacing("vox1_meta.csv", "dev", "train"), 'expected the sets dev and test, got "train"'),
        (
            "voxceleb1",
            renaming("wav/id10001/1zcIwhmdeo4/00001.wav", "wav/id10001/00001.wav"),
            "expected 3 levels below wav",
        ),
        ("voxceleb1", renaming("wav/id10001/1zcIwhmdeo4", "wav/id10001/a b"), "names of printable ASCII"),
        ("voxceleb2", replacing("vox2_meta.csv", "id00015", "id00016"), 'the speaker "id00015" of 4 recordings is not'),
        (
            "cnceleb1",
            replacing("dev/dev.lst", "id00001", "id00002"),
            'dev/dev.lst: the speaker "id00001" of 4 recordings',
        ),
        ("cnceleb1", renaming("eval/enroll/id00800-enroll.flac", "eval/enroll/id00800.flac"), NAMELESS),
        ("cnceleb1", renaming("data/id00000/singing-01-001.flac", "data/id00000/singing.flac"), NAMELESS),
        ("cnceleb1", replacing("eval/lists/trials.lst", " 1", " yes"), "the label must be 1 or 0"),
        ("cnceleb2", replacing("spk.lst", "id10001\n", ""), 'spk.lst: the speaker "id10001" of 4 recordings'),
        (
            "librispeech",
            replacing("SPEAKERS.TXT", "84   |", "85   |"),
            'the speaker "84" of 4 recordings is not listed',
        ),
        (
            "librispeech",
            replacing("SPEAKERS.TXT", "| M | test-other       ", "| M | test-clean       "),
            "in test-clean; move",
        ),
        ("librispeech", renaming("dev-clean/84/121123", "dev-clean/84/121124"), 'begins "84-121124-"; restore it'),
        ("librispeech", replacing("SPEAKERS.TXT", " | 8.02 ", ""), 'expected "ID | SEX | SUBSET | MINUTES | NAME"'),
        ("vctk", replacing("speaker-info.txt", "p280  25  F    French", "p280"), 'at least "ID AGE GENDER ACCENT"'),
        (
            "vctk",
            replacing("speaker-info.txt", "ID  AGE", "AGE  ID"),
            'expected the header "ID AGE GENDER ACCENTS REGION"',
        ),
        ("vctk", replacing("speaker-info.txt", "p234", "p235"), 'the speaker "p234" of 2 recordings is not listed'),
        ("audiomnist", replacing("data/audioMNIST_meta.txt", "accent", "tone"), 'the speaker "01" lacks accent'),
        ("audiomnist", replacing("data/audioMNIST_meta.txt", "{", "["), "must be JSON"),
        ("audiomnist", renaming("data/01/0_01_0.wav", "data/01/0_02_0.wav"), 'expected a name as "0_01_0.wav"'),
        ("speech_commands", renaming("bed/00176480_nohash_0.wav", "bed/hello.wav"), NAMELESS),
        (
            "speech_commands",
            renaming("bed/0135f3f2_nohash_0.wav", "bed/0135f3f2_nohash_7.wav"),
            "validation_list.txt, line 1: names",
        ),
    ],
)
def test_prepare__says_what_is_wrong_and_where(
    name: str, spoil: Callable[[Path], object], said: str, refused: Refuse
) -> None:
    assert said in refused(name, spoil)


def test_prepare__without_metadata_says_where_they_are_got(refused: Refuse) -> None:
    message = refused("voxceleb1", lambda folder: (folder / "vox1_meta.csv").unlink())
    assert "missing:\n  vox1_meta.csv (https://www.robots.ox.ac.uk/" in message


def test_prepare__tells_every_unknown_speaker_at_once(refused: Refuse) -> None:
    message = refused("voxceleb1", replacing("vox1_meta.csv", "id1000", "id2000"))
    assert "has 2 problems" in message
    assert 'the speaker "id10001"' in message
    assert 'the speaker "id10002"' in message


def test_prepare__tells_every_absent_recording_of_the_trials_at_once(refused: Refuse) -> None:
    message = refused("voxceleb1", lambda folder: shutil.rmtree(folder / "wav" / "id10271" / "7gWzIy6yIIk"))
    for file in ("veri_test2.txt", "list_test_all2.txt", "list_test_hard2.txt"):
        for recording in ("00001", "00002"):
            assert f'unknown utterance "id10271/7gWzIy6yIIk/{recording}.wav"' in message
        assert file in message
    assert "complete the corpus, or move the list elsewhere" in message


def test_prepare__shows_twenty_problems_and_counts_the_others(refused: Refuse) -> None:
    def spoil(folder: Path) -> None:
        for number in range(30):
            shutil.copy(folder / "bed" / "00176480_nohash_0.wav", folder / "bed" / f"stray{number:02}.wav")

    message = refused("speech_commands", spoil)
    assert message.count("\n  ") == 21
    assert message.endswith("and 10 more")


def test_prepare__refuses_a_recording_that_lies_there_in_two_formats(refused: Refuse) -> None:
    recording = "wav/id10001/1zcIwhmdeo4/00001"
    message = refused(
        "voxceleb1", lambda folder: shutil.copy(folder / f"{recording}.wav", folder / f"{recording}.flac")
    )
    assert "with another ending; keep one of them" in message


def test_prepare__refuses_a_false_label_of_a_trial(refused: Refuse) -> None:
    first = "1 id10270/1zcIwhmdeo4/00001.wav"
    message = refused("voxceleb1", replacing("veri_test2.txt", first, first.replace("1 ", "0 ", 1)))
    assert 'veri_test2.txt, line 1, label: label 0, but the corpus has the speakers "id10270" and "id10270"' in message


def test_prepare__refuses_links_that_leave_the_folder(refused: Refuse, tmp_path: Path) -> None:
    def spoil(folder: Path) -> None:
        shutil.move(folder / "bed", tmp_path / "elsewhere")
        (folder / "bed").symlink_to(tmp_path / "elsewhere")

    assert "a link to a folder is not followed" in refused("speech_commands", spoil)


def test_prepare__refuses_metadata_that_are_no_mapping(refused: Refuse) -> None:
    spoil = lambda folder: (folder / "data" / "audioMNIST_meta.txt").write_text(json.dumps(["01"]))  # noqa: E731
    assert "must map speakers to labels, got list" in refused("audiomnist", spoil)


def test_prepare__of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.zip").write_bytes(b"PK")
    with pytest.raises(CorpusError, match="which is no folder"):
        prepare_corpus("vctk", tmp_path / "corpus.zip", tmp_path / "out")
