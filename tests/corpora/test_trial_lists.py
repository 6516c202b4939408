"""Trial lists and enrolment maps: what they refuse, and how they fit a corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvox.corpora import (
    ENROLMENT_STYLES,
    Corpus,
    EnrolmentMap,
    TrialList,
    plan_trials,
    read_enrolments,
    read_trials,
    write_enrolments,
    write_trials,
)
from curvox.errors import CorpusError, InputError, OutputExistsError

IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)

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


FILES = {
    "kaldi": "ann x y\nbob z\n",
    "cnceleb": "ann x y\nbob z\n",
    "nist": "modelid\tsegmentid\tside\nann\tx\ta\nann\ty\ta\nbob\tz\ta\n",
}
STYLES = sorted(ENROLMENT_STYLES)
MODELS = EnrolmentMap({"ada": ("ada-1",), "two": ("bea-1", "bea-2")}, "models.txt")


def saved(folder: Path, text: str) -> Path:
    path = folder / "models.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("style", STYLES)
def test_read_enrolments__every_style_says_the_same(tmp_path: Path, style: str) -> None:
    enrolments = read_enrolments(saved(tmp_path, FILES[style]), style=style)
    assert dict(enrolments.models) == {"ann": ("x", "y"), "bob": ("z",)}
    assert (len(enrolments), "ann" in enrolments, "x" in enrolments, enrolments["bob"]) == (2, True, False, ("z",))
    write_enrolments(enrolments, tmp_path / "again.txt", style=style)
    assert (tmp_path / "again.txt").read_text() == FILES[style]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(STYLES),
    st.dictionaries(IDS, st.lists(IDS, min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=5),
)
def test_write_enrolments__reads_back_the_same(tmp_path: Path, style: str, models: dict) -> None:
    path = tmp_path / "models.txt"
    path.unlink(missing_ok=True)
    write_enrolments(EnrolmentMap(models), path, style=style)
    assert list(read_enrolments(path, style=style).models.items()) == list(models.items())


def test_read_enrolments__lines_of_a_nist_model_need_not_follow_each_other(tmp_path: Path) -> None:
    text = "modelid\tsegment\tside\nann\tx\ta\nbob\tz\ta\nann\ty\ta\n"
    assert read_enrolments(saved(tmp_path, text), style="nist").models == {"ann": ("x", "y"), "bob": ("z",)}


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        ("kaldi", "ann x\nbob\n", 'line 2: expected "model utterance …", got "bob"'),
        ("kaldi", "ann x\n\n", 'line 2: expected "model utterance …", got ""'),
        ("kaldi", "ann x\nbob z\nann y\n", 'line 3: the model "ann" has a line already, line 1'),
        ("cnceleb", "ann x y x\n", 'line 1: the utterance "x" comes twice in the model "ann"'),
        ("kaldi", FILES["nist"], 'line 1: this is the header of style="nist"'),
        ("kaldi", "", "is empty"),
        ("nist", FILES["kaldi"], 'line 1: expected the header "modelid segmentid side" .*got "ann x y"'),
        ("nist", FILES["nist"] + "bob\tz\ta\n", 'line 5: the utterance "z" comes twice in the model "bob"'),
        ("nist", FILES["nist"] + "bob\tz z\ta\n", 'line 5: an id is not empty and holds no white space, got "bob"'),
        ("nist", FILES["nist"] + "bob\tx\tb\n", 'line 5: the segment "x" has the sides "a" and "b"'),
        ("nist", FILES["nist"] + "bob\n", "line 5: expected 3 fields separated by tabs, got 1"),
        ("nist", "modelid\tsegmentid\tside\n", "has a header and no model"),
    ],
)
def test_read_enrolments__faults_are_named_with_their_line(
    tmp_path: Path, style: str, text: str, expected: str
) -> None:
    with pytest.raises(CorpusError, match=expected):
        read_enrolments(saved(tmp_path, text), style=style)


@pytest.mark.parametrize("models", [{}, {"ann": ()}, {"ann": ("x", "x")}])
def test_enrolment_map__a_model_has_different_utterances(models: dict) -> None:
    with pytest.raises(InputError, match="model"):
        EnrolmentMap(models)


def test_write_enrolments__refuses_white_space(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'an id in an enrolment map .*got "x y"'):
        write_enrolments(EnrolmentMap({"ann": ("x y",)}), tmp_path / "new.txt", style="kaldi")


def test_check_against__takes_models_of_the_map(voices: Corpus) -> None:
    trials = TrialList(("ada", "two"), ("ada-2", "cid-1"), np.array([True, False]))
    trials.check_against(voices, MODELS)
    with pytest.raises(CorpusError, match='unknown utterance "ada"'):
        trials.check_against(voices)


@pytest.mark.parametrize(
    ("model", "test", "label", "expected"),
    [
        ("too", "cid-1", False, r'mine, line 8, enrolment: unknown model "too": did you mean "two"'),
        ("two", "cid-9", False, r'mine, line 8, test: unknown utterance "cid-9": did you mean "cid-2" or "cid-1"'),
        ("two", "bea-2", True, r'mine, line 8: the model "two" holds the test utterance "bea-2"'),
        ("two", "cid-1", True, r'mine, line 8, label: label 1, but .* "bea" and "cid"'),
        ("ada", "ada-2", False, r'mine, line 8, label: label 0, but .* "ada" and "ada"'),
    ],
)
def test_check_against__refuses_trials_that_do_not_fit_the_models(
    voices: Corpus, model: str, test: str, label: bool, expected: str
) -> None:
    trials = TrialList(("ada", model), ("cid-2", test), np.array([False, label]), "mine", first_line=7)
    with pytest.raises(CorpusError, match=expected):
        trials.check_against(voices, MODELS)


def test_check_against__refuses_models_that_do_not_fit_the_corpus(voices: Corpus) -> None:
    models = EnrolmentMap({"lost": ("bea-3",), "mixed": ("ada-1", "bea-1"), "unused": ("nobody",)}, "models.txt")
    trials = TrialList(("lost", "mixed"), ("cid-1", "cid-1"), np.array([False, False]))
    with pytest.raises(CorpusError) as caught:
        trials.check_against(voices, models)
    text = str(caught.value)
    assert 'models.txt: the model "lost" holds the unknown utterance "bea-3": did you mean "bea-2"' in text
    assert (
        'models.txt: the model "mixed" holds utterances of the speakers "ada", "bea"; a model has one speaker' in text
    )
    assert "unused" not in text


def test_check_against__one_unknown_id_on_both_sides_is_one_problem(voices: Corpus) -> None:
    trials = TrialList(("ada-1", "xy"), ("xy", "ada-2"), None)
    with pytest.raises(CorpusError, match=r'has 1 problem:\n.*line 1, test: unknown utterance "xy" \(2 times'):
        trials.check_against(voices)


def test_plan_trials__rows_point_to_the_utterances_of_the_models(voices: Corpus) -> None:
    trials = TrialList(("two", "ada", "two"), ("ada-2", "cid-1", "bea-9"), None)
    plan = plan_trials(trials, MODELS)
    assert plan.models == ("ada", "two")
    assert plan.utterances == ("ada-1", "ada-2", "bea-1", "bea-2", "bea-9", "cid-1")
    for model, rows in zip(plan.models, plan.rows, strict=True):
        assert tuple(plan.utterances[i] for i in rows) == MODELS[model]
    assert tuple(plan.models[i] for i in plan.enrolment_index) == trials.enrolments
    assert tuple(plan.utterances[i] for i in plan.test_index) == trials.tests
    with pytest.raises(InputError, match=r'unknown model "too" in models.txt: did you mean "two"'):
        plan_trials(replace(trials, enrolments=("too", "ada", "two")), MODELS)


def test_plan_trials__without_a_map_each_utterance_is_a_model_of_one() -> None:
    trials = TrialList(("b", "a"), ("c", "b"), None)
    plan = plan_trials(trials)
    assert plan.utterances == trials.utterances
    assert [plan.utterances[int(rows[0])] for rows in plan.rows] == list(plan.models) == ["a", "b"]
    enrolments, tests = trials.indices()
    assert [plan.rows[i].tolist() for i in plan.enrolment_index] == [[i] for i in enrolments]
    assert plan.test_index.tolist() == tests.tolist()
