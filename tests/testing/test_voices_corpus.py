"""The synthetic corpus: its files, its tree, its trials, and that it is a function of its seed."""

import csv
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from curvox.corpora import LabelTree, read_corpus
from curvox.corpora import read_trials as read_trial_list
from curvox.errors import CurvoxError, InputError, OutputExistsError
from curvox.testing import espeak
from curvox.testing.voices import ACCENTS, synthesise_corpus

COLUMNS = [
    "utterance",
    "path",
    "corpus",
    "speaker",
    "session",
    "gender",
    "language",
    "native_language",
    "nationality",
    "channel",
    "sampling_rate_hz",
    "duration_s",
    "split",
]
SIZES: dict[str, Any] = {
    "train_speakers": 6,
    "dev_speakers": 4,
    "test_speakers": 4,
    "sessions": 2,
    "utterances_per_session": 2,
}
FEWEST: dict[str, Any] = SIZES | {"train_speakers": 1, "dev_speakers": 2, "test_speakers": 2}
THREE: dict[str, Any] = FEWEST | {"train_speakers": 3}


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_trials(folder: Path, split: str) -> list[tuple[str, str, str]]:
    lines = (folder / "trials" / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    return [(label, enrolment, test) for label, enrolment, test in (line.split(" ") for line in lines)]


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_corpus(tmp_path_factory.mktemp("tiny") / "voices", **SIZES, workers=1)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough test speakers for every gender and accent group to hold two."""
    folder = tmp_path_factory.mktemp("wide") / "voices"
    return synthesise_corpus(
        folder,
        seed=3,
        train_speakers=1,
        dev_speakers=2,
        test_speakers=16,
        sessions=2,
        utterances_per_session=4,
        seconds=(0.5, 0.6),
        workers=1,
    )


def test_synthesise_corpus__writes_the_manifest_it_promises(tiny: Path) -> None:
    header, *_ = (tiny / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    rows = read_rows(tiny)
    assert header.split("\t") == COLUMNS
    assert len({row["utterance"] for row in rows}) == len(rows) == 14 * 2 * 2
    assert {row["path"] for row in rows} == {str(path.relative_to(tiny)) for path in tiny.rglob("*.flac")}
    assert Counter(row["split"] for row in rows) == {"train": 24, "dev": 16, "test": 16}


def test_synthesise_corpus__recordings_are_loud_unclipped_and_as_long_as_declared(tiny: Path) -> None:
    for row in read_rows(tiny):
        samples, rate = soundfile.read(tiny / row["path"], dtype="float32")
        assert samples.ndim == 1
        assert rate == int(row["sampling_rate_hz"]) == 16000
        assert samples.size / rate == pytest.approx(float(row["duration_s"]), abs=5e-4)
        assert 2.0 <= samples.size / rate <= 3.0
        assert 0.01 < np.abs(samples).max() < 0.95
        for quarter in np.array_split(samples, 4):
            assert np.sqrt(np.mean(quarter**2)) > 0.001


def test_synthesise_corpus__speakers_stay_in_one_place_of_the_tree(wide: Path) -> None:
    places: dict[str, set[tuple[str, str, str]]] = {}
    for row in read_rows(wide):
        places.setdefault(row["speaker"], set()).add((row["split"], row["gender"], row["native_language"]))
    assert all(len(of_speaker) == 1 for of_speaker in places.values())
    cells = Counter(place for of_speaker in places.values() for place in of_speaker if place[0] == "test")
    assert cells == {("test", gender, accent.native_language): 2 for gender in "fm" for accent in ACCENTS}


def test_synthesise_corpus__is_read_by_the_corpora_room(tiny: Path) -> None:
    read = read_corpus(tiny)
    tree = LabelTree.from_corpus(read)
    assert [utterance.utterance for utterance in read.utterances] == [row["utterance"] for row in read_rows(tiny)]
    assert tree["voices-0003-2-01"] == ("m", "english-scottish", "voices-0003", "2")
    for split in ("dev", "test"):
        trials = read_trial_list(tiny / "trials" / f"{split}.txt")
        trials.check_against(read)
        assert trials.targets == 16


def test_synthesise_corpus__no_two_utterances_sound_the_same(wide: Path) -> None:
    hashes = [value for name, value in content(wide).items() if name.endswith(".flac")]
    assert len(set(hashes)) == len(hashes) == 19 * 8


@pytest.mark.parametrize("split", ["dev", "test"])
def test_trials__are_of_their_split_and_targets_cross_sessions(tiny: Path, split: str) -> None:
    rows = {row["utterance"]: row for row in read_rows(tiny)}
    trials = read_trials(tiny, split)
    assert len({frozenset(pair) for _, *pair in trials}) == len(trials)
    for label, enrolment, test in trials:
        assert rows[enrolment]["split"] == rows[test]["split"] == split
        assert label == str(int(rows[enrolment]["speaker"] == rows[test]["speaker"]))
        assert label == "0" or rows[enrolment]["session"] != rows[test]["session"]
    # 4 speakers with 2 sessions of 2 utterances: 2 x 2 pairs across the sessions of each
    assert sum(label == "1" for label, *_ in trials) == 16


def test_trials__non_targets_are_mostly_near_in_the_tree(wide: Path) -> None:
    rows = {row["utterance"]: row for row in read_rows(wide)}
    kinds = Counter()
    for label, enrolment, test in read_trials(wide, "test"):
        same = [rows[enrolment][column] == rows[test][column] for column in ("gender", "native_language")]
        kinds[(label, same[0], same[0] and same[1])] += 1
    targets, non_targets = 16 * 4 * 4, 4000
    assert kinds[("1", True, True)] == targets
    # of the 45 % wanted with one gender and accent, only 8 groups x 8 x 8 pairs exist
    assert kinds[("0", True, True)] == 8 * 8 * 8
    assert kinds[("0", True, False)] == 0.40 * non_targets
    assert kinds[("0", False, False)] == 0.15 * non_targets


def test_synthesise_corpus__does_not_depend_on_the_number_of_workers(tiny: Path, tmp_path: Path) -> None:
    again = synthesise_corpus(tmp_path / "voices", **SIZES, workers=2)
    assert content(again) == content(tiny)


def test_synthesise_corpus__depends_on_the_seed(tiny: Path, tmp_path: Path) -> None:
    other = synthesise_corpus(tmp_path / "voices", **FEWEST, seed=1, workers=1)
    first = "audio/voices-0000/1-01.flac"
    assert content(other)[first] != content(tiny)[first]


def test_synthesise_corpus__a_speaker_does_not_depend_on_the_others(tiny: Path, tmp_path: Path) -> None:
    smaller = content(synthesise_corpus(tmp_path / "voices", **THREE, workers=1))
    whole = content(tiny)
    speakers = tuple(f"audio/voices-{number:04d}/" for number in range(3))
    shared = [name for name in smaller if name.startswith(speakers)]
    assert len(shared) == 12
    assert {name: smaller[name] for name in shared} == {name: whole[name] for name in shared}


def test_synthesise_corpus__reports_progress_up_to_the_total(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    synthesise_corpus(
        tmp_path / "voices", **FEWEST, workers=1, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(4, 20), (8, 20), (12, 20), (16, 20), (20, 20)]


def test_synthesise_corpus__takes_an_empty_folder_and_refuses_others(tmp_path: Path) -> None:
    kept = tmp_path / "notes.txt"
    kept.write_text("mine")
    with pytest.raises(OutputExistsError, match="exists already"):
        synthesise_corpus(tmp_path, **SIZES)
    with pytest.raises(OutputExistsError, match="exists already"):
        synthesise_corpus(kept, **SIZES)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert kept.read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (synthesise_corpus(empty, **FEWEST, workers=1) / "manifest.tsv").is_file()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_synthesise_corpus__an_error_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    def interrupt(done: int, total: int) -> None:
        raise failure

    with pytest.raises(failure):
        synthesise_corpus(tmp_path / "voices", **SIZES, workers=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_synthesise_corpus__an_error_in_a_worker_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "prepare_espeak", lambda folder, dictionaries: None)
    with pytest.raises(CurvoxError, match="22050 Hz, got 0"):
        synthesise_corpus(tmp_path / "voices", **SIZES, workers=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train_speakers": 0}, "train_speakers must be at least 1"),
        ({"dev_speakers": 1}, "dev_speakers must be at least 2"),
        ({"test_speakers": 1}, "test_speakers must be at least 2"),
        ({"sessions": 1}, "cross sessions"),
        ({"utterances_per_session": 0}, "utterances_per_session"),
        ({"seconds": (3.0, 2.0)}, "shortest, longest"),
        ({"seconds": (0.1, 2.0)}, "shortest, longest"),
        ({"seconds": (float("nan"), 2.0)}, "shortest, longest"),
        ({"workers": 0}, "workers"),
        ({"seed": -1}, "seed"),
    ],
)
def test_synthesise_corpus__refuses_counts_that_make_no_corpus(
    tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        synthesise_corpus(tmp_path / "voices", **(SIZES | wrong))
    assert list(tmp_path.iterdir()) == []
