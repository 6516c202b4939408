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
    write_enrolments,
)
from curvox.errors import CorpusError, InputError

FILES = {
    "kaldi": "ann x y\nbob z\n",
    "cnceleb": "ann x y\nbob z\n",
    "nist": "modelid\tsegmentid\tside\nann\tx\ta\nann\ty\ta\nbob\tz\ta\n",
}
STYLES = sorted(ENROLMENT_STYLES)
IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)
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
