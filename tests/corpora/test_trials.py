from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvox.corpora import Corpus, TrialList, read_trials, write_trials
from curvox.errors import CorpusError, InputError, OutputExistsError

GOOD = "1 ada-1 ada-2\n0 ada-1 bea-1\n0 cid-1\tdee-2\n"


def trial_file(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text)
    return path


def test_read_trials__keeps_order_and_labels(tmp_path: Path, voices: Corpus) -> None:
    trials = read_trials(trial_file(tmp_path, GOOD))
    assert trials.enrolments == ("ada-1", "ada-1", "cid-1")
    assert trials.tests == ("ada-2", "bea-1", "dee-2")
    assert trials.labels is not None
    assert trials.labels.tolist() == [True, False, False]
    assert (len(trials), trials.targets, trials.duplicates) == (3, 1, 0)
    trials.check_against(voices)


def test_read_trials__target_and_nontarget_are_labels(tmp_path: Path) -> None:
    trials = read_trials(trial_file(tmp_path, "target a b\nnontarget a c\n"))
    assert trials.labels is not None
    assert trials.labels.tolist() == [True, False]


def test_read_trials__labels_may_be_absent_when_the_caller_says_so(tmp_path: Path) -> None:
    trials = read_trials(trial_file(tmp_path, "a b\nc d\n"), labelled=False)
    assert trials.labels is None
    with pytest.raises(InputError, match="no labels"):
        _ = trials.targets


def test_read_trials__repeated_trials_are_kept_and_counted(tmp_path: Path) -> None:
    trials = read_trials(trial_file(tmp_path, "1 a b\n0 a c\n1 a b\n1 a b\n1 b a\n"))
    assert len(trials) == 5
    assert trials.duplicates == 2


@pytest.mark.parametrize(
    ("text", "labelled", "expected"),
    [
        ("1 a b\na c\n", True, "list.txt, line 2: .*the trial has no label"),
        ("a b\n1 a c\n", False, "list.txt, line 2: .*the trial has a label"),
        ("2 a b\n", True, 'list.txt, line 1: the label must be 1 or 0 .*got "2"'),
        ("Target a b\n", True, 'got "Target"'),
        ("1 a b c\n", True, "line 1: .*got 4 fields"),
        ("1 a b\n\n1 a c\n", True, "line 2: .*got 0 fields"),
        ("1 a b\n0 a b\n", True, 'line 2, label: "a" and "b" have another label in line 1'),
        ("", True, "is empty; expected lines of"),
    ],
)
def test_read_trials__each_fault_is_named_with_its_line(
    tmp_path: Path, text: str, labelled: bool, expected: str
) -> None:
    with pytest.raises(CorpusError, match=expected):
        read_trials(trial_file(tmp_path, text), labelled=labelled)


def test_read_trials__bad_bytes_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"1 a b\n1 \xff c\n")
    with pytest.raises(CorpusError, match=r"bad.txt, line 2: byte 3"):
        read_trials(tmp_path / "bad.txt")
    with pytest.raises(CorpusError, match=r"cannot read .*none.txt: No such file"):
        read_trials(tmp_path / "none.txt")


def test_check_against__names_unknown_utterances_with_the_nearest(tmp_path: Path, voices: Corpus) -> None:
    trials = read_trials(trial_file(tmp_path, "1 ada-1 ada-2\n0 ada-1 beaa-1\n0 beaa-1 cid-1\n"))
    with pytest.raises(CorpusError, match=r'line 2, test: .*"beaa-1" \(2 times in the list\): did you mean "bea-1"'):
        trials.check_against(voices)


def test_check_against__refuses_a_trial_with_itself(tmp_path: Path, voices: Corpus) -> None:
    trials = read_trials(trial_file(tmp_path, GOOD + "1 bea-1 bea-1\n"))
    with pytest.raises(CorpusError, match=r'line 4: the utterance "bea-1" is compared with itself'):
        trials.check_against(voices)


@pytest.mark.parametrize("line", ["0 ada-1 ada-2", "1 ada-1 bea-1"])
def test_check_against__refuses_labels_that_contradict_the_speakers(tmp_path: Path, voices: Corpus, line: str) -> None:
    with pytest.raises(CorpusError, match=r"line 1, label: label [01], but the corpus has the speakers"):
        read_trials(trial_file(tmp_path, line + "\n")).check_against(voices)
    read_trials(trial_file(tmp_path, line[2:] + "\n"), labelled=False).check_against(voices)


def test_indices__point_to_the_utterances() -> None:
    trials = TrialList(("b", "a", "c"), ("c", "b", "a"), None)
    enrolments, tests = trials.indices()
    assert trials.utterances == ("a", "b", "c")
    assert tuple(trials.utterances[i] for i in enrolments) == trials.enrolments
    assert tuple(trials.utterances[i] for i in tests) == trials.tests


def test_trial_list__refuses_parts_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="as many enrolments"):
        TrialList(("a",), ("b", "c"), None)
    with pytest.raises(InputError, match="at least one"):
        TrialList((), (), None)
    with pytest.raises(InputError, match="labels must be bool"):
        TrialList(("a",), ("b",), np.array([1]))


IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.tuples(IDS, IDS), st.booleans(), min_size=1, max_size=8), st.booleans())
def test_write_trials__reads_back_the_same(tmp_path: Path, pairs: dict, labelled: bool) -> None:
    path = tmp_path / "trials.txt"
    path.unlink(missing_ok=True)
    enrolments, tests = zip(*pairs, strict=True)
    labels = np.array(list(pairs.values())) if labelled else None
    write_trials(TrialList(enrolments, tests, labels), path)
    again = read_trials(path, labelled=labelled)
    assert (again.enrolments, again.tests) == (enrolments, tests)
    assert (again.labels is None) == (labels is None)
    assert labels is None or (again.labels == labels).all()


def test_write_trials__refuses_to_overwrite_and_white_space(tmp_path: Path) -> None:
    path = tmp_path / "trials.txt"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        write_trials(TrialList(("a",), ("b",), None), path)
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="no white space"):
        write_trials(TrialList(("a b",), ("c",), None), tmp_path / "other.txt")
    assert not (tmp_path / "other.txt").exists()
