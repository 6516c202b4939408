"""The folder of an evaluation: whole or not at all, and read back as it was."""

import json
from dataclasses import replace

import numpy as np
import pytest

from curvox.corpora import TrialList
from curvox.errors import CheckpointError, InputError
from curvox.evaluating import EVALUATION_FILES, FinishedEvaluation, read_evaluation_folder, write_evaluation_folder
from curvox.evaluating.folders import read_speakers

TRIALS = TrialList(("a1", "a1", "b/1"), ("a2", "b/1", "a2"), np.array([True, False, False]), "test.txt")
SCORES = np.array([1 / 3, -1e-17, 5e300])
SPEAKERS = {"a1": "anna", "a2": "anna", "b/1": "bert the second"}


def finished_of(report, llrs=None):
    sides = [tuple(SPEAKERS[name] for name in side) for side in (TRIALS.enrolments, TRIALS.tests)]
    return FinishedEvaluation(report, TRIALS.enrolments, TRIALS.tests, SCORES, *sides, llrs=llrs)


def write(folder, report, llrs=None):
    write_evaluation_folder(folder, finished_of(report, llrs), page="<p>page</p>")


@pytest.fixture
def report(evaluation_report):
    """One that is quick to draw."""
    evaluation = replace(evaluation_report.evaluation, det=None, histogram=None, calibration=None, groups={})
    return replace(evaluation_report, evaluation=evaluation, breakdowns=())


@pytest.fixture
def plain(report):
    return replace(report, evaluation=replace(report.evaluation, llrs=False))


def test_folder__comes_back_bit_by_bit(tmp_path, plain):
    write(tmp_path / "new" / "test", plain)
    back = read_evaluation_folder(tmp_path / "new" / "test")
    assert back.report == plain
    assert (back.enrolments, back.tests) == (TRIALS.enrolments, TRIALS.tests)
    np.testing.assert_array_equal(back.scores, SCORES)
    assert back.enrolment_speakers == ("anna", "anna", "bert the second")
    assert back.test_speakers == ("anna", "bert the second", "anna")
    np.testing.assert_array_equal(back.labels, TRIALS.labels)
    assert {path.name for path in (tmp_path / "new" / "test").iterdir()} == EVALUATION_FILES - {"llrs.txt"}


def test_folder__of_llrs_gives_the_llrs(tmp_path, report):
    llrs = np.array([2.0, -3.0, 0.5])
    write(tmp_path / "test", report, llrs=llrs)
    back = read_evaluation_folder(tmp_path / "test")
    np.testing.assert_array_equal(back.judged, llrs)
    np.testing.assert_array_equal(back.scores, SCORES)
    assert {path.name for path in (tmp_path / "test").iterdir()} == EVALUATION_FILES
    (tmp_path / "test" / "llrs.txt").unlink()
    with pytest.raises(InputError, match=r"no llrs\.txt"):
        read_evaluation_folder(tmp_path / "test")


def test_folder__stays_as_it_was_when_writing_fails(tmp_path, plain, monkeypatch):
    write(tmp_path / "test", plain)
    before = {path.name: path.read_bytes() for path in (tmp_path / "test").iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("curvox.evaluating.folders.to_json", full)
    with pytest.raises(CheckpointError, match="No space"):
        write(tmp_path / "test", replace(plain, notes=("another",)))
    assert {path.name: path.read_bytes() for path in (tmp_path / "test").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["test"]


@pytest.mark.parametrize("name", ["scores.txt", "speakers.txt", "evaluation.json"])
def test_folder__without_a_file_says_how_to_make_it_again(name, tmp_path, plain):
    write(tmp_path / "test", plain)
    (tmp_path / "test" / name).unlink()
    with pytest.raises(InputError, match=rf"lacks {name}; make it \(again\) with curvox eval"):
        read_evaluation_folder(tmp_path / "test")


def test_folder__refuses_figures_of_another_version_and_missing_speakers(tmp_path, plain):
    write(tmp_path / "test", plain)
    path = tmp_path / "test" / "evaluation.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "new": 1}))
    with pytest.raises(InputError, match=r"evaluation\.json is not an evaluation"):
        read_evaluation_folder(tmp_path / "test")
    path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        read_evaluation_folder(tmp_path / "test")
    path.write_text(json.dumps(tree))
    (tmp_path / "test" / "speakers.txt").write_text("a1 anna\n")
    with pytest.raises(InputError, match="no speaker of"):
        read_evaluation_folder(tmp_path / "test")


def test_folder__without_a_page_is_read_all_the_same(tmp_path, plain):
    write_evaluation_folder(tmp_path / "test", finished_of(plain))
    assert not (tmp_path / "test" / "report.html").exists()
    assert read_evaluation_folder(tmp_path / "test").report == plain


def test_folder__refuses_a_model_named_as_an_utterance_of_somebody_else(tmp_path, plain):
    finished = replace(finished_of(plain), tests=("a2", "a1", "a2"))
    with pytest.raises(InputError, match='"a1" is a model and an utterance of two different speakers'):
        write_evaluation_folder(tmp_path / "test", finished)
    assert not (tmp_path / "test").exists()


def test_speakers__are_two_fields_and_one_each(tmp_path):
    path = tmp_path / "speakers.txt"
    for text, said in (("a\n", "line 1"), ("a x\na y\n", "another speaker"), ("", "line 1")):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_speakers(path)
    path.write_text("a x\na x\nb y z\n")
    assert read_speakers(path) == {"a": "x", "b": "y z"}
