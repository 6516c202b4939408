"""Preparing a published corpus: what every one of the table keeps, on a dummy laid out as the real corpus is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from curvox.corpora import (
    PREPARATIONS,
    Corpus,
    LabelTree,
    check_corpus,
    prepare_corpus,
    read_corpus,
    read_enrolments,
    read_trials,
)
from curvox.errors import CorpusError, InputError, OutputExistsError, UnknownNameError
from curvox.testing.dummies import DUMMIES

Dummy = Callable[[str], Path]
EVERY = pytest.mark.parametrize("name", PREPARATIONS)
RECORDINGS = (".wav", ".flac", ".m4a")


def speakers(corpus: Corpus, split: str) -> set[str]:
    return set(corpus.split(split).speakers)


def test_tables__have_a_dummy_for_every_preparation() -> None:
    assert list(DUMMIES) == list(PREPARATIONS)


@EVERY
def test_prepared__reads_back_from_its_manifest_without_a_problem(name: str, dummy: Dummy, tmp_path: Path) -> None:
    prepared = prepare_corpus(name, dummy(name), tmp_path / "out")
    read = read_corpus(tmp_path / "out", audio_root=prepared.audio_root)
    assert read.utterances == prepared.corpus.utterances
    assert {u.corpus for u in read.utterances} == {name}
    report = check_corpus(tmp_path / "out", audio_root=prepared.audio_root)
    assert report.problems == ()


@EVERY
def test_prepared__holds_every_recording_or_says_how_many_it_left_out(name: str, dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy(name)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in RECORDINGS}
    prepared = prepare_corpus(name, folder, tmp_path / "out")
    taken = {u.path for u in prepared.corpus.utterances}
    assert taken <= there
    noted = [int(note.split(": ")[1].split()[0]) for note in prepared.notes if "left out" in note]
    assert len(there - taken) == sum(noted)


@EVERY
def test_prepared__speakers_hang_in_one_place_of_the_label_tree(name: str, dummy: Dummy, tmp_path: Path) -> None:
    corpus = prepare_corpus(name, dummy(name), tmp_path / "out").corpus
    tree = LabelTree.from_corpus(corpus)
    assert len({leaf[:3] for leaf in tree.leaves.values()}) == len(corpus.speakers)


@EVERY
def test_prepared__trials_fit_the_corpus_that_the_manifest_says(name: str, dummy: Dummy, tmp_path: Path) -> None:
    prepared = prepare_corpus(name, dummy(name), tmp_path / "out")
    corpus = read_corpus(tmp_path / "out", audio_root=prepared.audio_root)
    for path in prepared.trials:
        models = path.with_suffix(".map")
        enrolments = read_enrolments(models, style="cnceleb") if models in prepared.enrolments else None
        trials = read_trials(path)
        trials.check_against(corpus, enrolments)
        assert 0 < trials.targets < len(trials)
    assert bool(prepared.trials) == (name in ("voxceleb1", "cnceleb1"))


@EVERY
@pytest.mark.parametrize("output", [".", ".."])
def test_prepared__in_or_above_the_corpus_needs_no_audio_root(name: str, output: str, dummy: Dummy) -> None:
    folder = dummy(name)
    prepared = prepare_corpus(name, folder, folder / output)
    assert prepared.audio_root is None
    assert read_corpus(folder / output, format="tsv").utterances == prepared.corpus.utterances


@EVERY
def test_prepared__inside_the_corpus_needs_the_audio_root(name: str, dummy: Dummy) -> None:
    folder = dummy(name)
    prepared = prepare_corpus(name, folder, folder / "manifests")
    assert prepared.audio_root == folder
    assert check_corpus(folder / "manifests", audio_root=folder).ok


@EVERY
def test_prepare__twice_refuses_and_leaves_the_first(name: str, dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy(name)
    manifest = prepare_corpus(name, folder, tmp_path / "out").manifest
    text = manifest.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        prepare_corpus(name, folder, tmp_path / "out")
    assert manifest.read_bytes() == text


@EVERY
def test_prepare__names_the_folder_that_was_meant(name: str, dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy(name)
    inside = next(entry for entry in sorted(folder.iterdir()) if entry.is_dir())
    for wrong in (folder.parent, inside):
        with pytest.raises(CorpusError) as caught:
            prepare_corpus(name, wrong, tmp_path / "out")
        assert f"but {folder} is: name that one" in str(caught.value)


@EVERY
def test_prepare__of_an_empty_folder_lists_all_that_is_missing_and_the_layout(name: str, tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper" / "empty").mkdir(parents=True)
    preparation = PREPARATIONS.load(name)
    with pytest.raises(CorpusError) as caught:
        prepare_corpus(name, tmp_path / "deep" / "deeper" / "empty", tmp_path / "out")
    assert preparation.layout in str(caught.value)
    for need in preparation.needs:
        assert f"{' or '.join(need.paths)} ({need.origin})" in str(caught.value)
    assert not (tmp_path / "out").exists()


@EVERY
def test_prepare__refuses_an_empty_recording_and_writes_nothing(name: str, dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy(name)
    path = prepare_corpus(name, folder, tmp_path / "first").corpus.utterances[0].path
    (folder / path).write_bytes(b"")
    with pytest.raises(CorpusError, match="is empty"):
        prepare_corpus(name, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_prepare__refuses_an_unknown_corpus_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match='unknown corpus "voxceleb": did you mean "voxceleb2" or "voxceleb1"'):
        prepare_corpus("voxceleb", "nowhere", "out")


@pytest.mark.parametrize("name", ["voxceleb1", "voxceleb2", "cnceleb1", "cnceleb2", "vctk", "audiomnist"])
def test_dev_speakers__are_taken_from_those_to_train_on_alone(name: str, dummy: Dummy, tmp_path: Path) -> None:
    folder = dummy(name)
    plain = prepare_corpus(name, folder, tmp_path / "plain").corpus
    held = prepare_corpus(name, folder, tmp_path / "held", dev_speakers=1, seed=4)
    again = prepare_corpus(name, folder, tmp_path / "again", dev_speakers=1, seed=4)
    assert held.corpus.utterances == again.corpus.utterances
    trained_on = speakers(plain, "train") if plain.splits else set(plain.speakers)
    assert len(speakers(held.corpus, "dev")) == 1
    assert speakers(held.corpus, "dev") | speakers(held.corpus, "train") == trained_on
    for before, after in zip(plain.utterances, held.corpus.utterances, strict=True):
        assert after.split in (before.split, "train", "dev")
        assert (before.split == "test") == (after.split == "test")
    assert check_corpus(tmp_path / "held", audio_root=held.audio_root).ok


@pytest.mark.parametrize("name", ["librispeech", "speech_commands"])
def test_dev_speakers__of_a_corpus_that_has_some_are_refused(name: str, dummy: Dummy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match='has a split "dev" of its own; leave dev_speakers out'):
        prepare_corpus(name, dummy(name), tmp_path / "out", dev_speakers=1)
    assert not (tmp_path / "out").exists()


def test_dev_speakers__leave_some_to_train_on(dummy: Dummy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave none of 2 to train on"):
        prepare_corpus("voxceleb1", dummy("voxceleb1"), tmp_path / "out", dev_speakers=2)
    assert not (tmp_path / "out").exists()
