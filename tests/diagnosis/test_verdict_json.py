"""A diagnosis as JSON: nothing is lost on the way there and back, and foreign trees are refused."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_diagnoses import everything, healthy, sick

from curvox.diagnosis import diagnosis_from_tree, diagnosis_tree
from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import SEVERITIES, Evidence, Finding, NotChecked
from curvox.diagnosis.verdict import Diagnosis
from curvox.errors import InputError

NAMES = st.sampled_from(sorted(CAUSES))
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
EVIDENCE = st.builds(Evidence, st.text(), NUMBERS, st.text(), unit=st.sampled_from(["", "%", "dB"]), vital=st.text())
FINDINGS = st.builds(
    Finding,
    NAMES | st.just("healthy"),
    st.sampled_from(SEVERITIES),
    st.lists(EVIDENCE, min_size=1, max_size=3).map(tuple),
    where=st.text(),
    because_of=NAMES | st.just(""),
)
DIAGNOSES = st.builds(
    Diagnosis,
    st.lists(FINDINGS, min_size=1, max_size=3).map(tuple),
    st.lists(NAMES, max_size=4).map(tuple),
    st.lists(st.builds(NotChecked, NAMES, st.text()), max_size=3).map(tuple),
    vitals=st.dictionaries(st.text(), NUMBERS, max_size=3),
)


def through_json(diagnosis: Diagnosis) -> Diagnosis:
    return diagnosis_from_tree(json.loads(json.dumps(diagnosis_tree(diagnosis), allow_nan=False)))


@given(DIAGNOSES)
def test_json__comes_back_as_it_went(diagnosis: Diagnosis) -> None:
    # NaN is not equal to itself; as text it is.
    assert repr(through_json(diagnosis)) == repr(diagnosis)


@pytest.mark.parametrize("diagnosis", [sick(), healthy(), everything()], ids=["sick", "healthy", "everything"])
def test_json__of_a_real_order_comes_back(diagnosis: Diagnosis) -> None:
    back = through_json(diagnosis)
    assert repr(back) == repr(diagnosis)
    assert back.first == diagnosis.first
    assert back.healthy == diagnosis.healthy


def test_tree__tells_a_reader_without_curvox_what_to_do() -> None:
    tree = diagnosis_tree(sick(), name="x")
    assert tree["first_cause"] == "label_blind"
    assert tree["name"] == "x"
    assert tree["healthy"] is False
    told = tree["findings"][0]["explained"]
    cause = CAUSES["label_blind"]
    assert told == {
        "title": cause.title,
        "mechanism": cause.mechanism,
        "remedy": cause.remedy,
        "recipe": cause.recipe,
        "page": cause.page,
    }
    assert diagnosis_tree(healthy())["findings"][0] == {
        "cause": "healthy",
        "severity": "healthy",
        "evidence": [
            {
                "measure": "causes looked for",
                "value": 3.0,
                "healthy": "none of them found",
                "unit": "",
                "vital": "",
            }
        ],
        "where": "",
        "because_of": "",
    }


def test_tree__has_words_for_numbers_that_are_none() -> None:
    tree = diagnosis_tree(sick())
    assert tree["vitals"]["gradient_norm"] == "Infinity"
    assert math.isinf(diagnosis_from_tree(tree).vitals["gradient_norm"])
    ramp = next(f for f in tree["findings"] if f["cause"] == "margin_ramp")
    assert ramp["evidence"][0]["value"] == "NaN"


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The tree of a diagnosis with one value replaced."""
    tree = json.loads(json.dumps(diagnosis_tree(sick())))
    part = tree
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return tree


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ([], "not a diagnosis"),
        ({"format": "something else"}, "not a diagnosis"),
        (changed(("version",), 99), r"version 99, this curvox reads version 1; .* --overwrite"),
        (changed(("findings",), []), "at least one finding"),
        (changed(("findings",), None), "not a whole diagnosis"),
        (changed(("findings", 0, "cause"), "moonshine"), "knows no cause 'moonshine'"),
        (changed(("findings", 1, "because_of"), "moonshine"), "knows no cause 'moonshine'"),
        (changed(("findings", 0, "severity"), "bad"), "'failure', 'warning', 'note' or 'healthy', got 'bad'"),
        (changed(("findings", 0, "evidence", 0, "value"), "many"), "expected a number.* got 'many'"),
        (changed(("vitals",), {"loss": True}), "expected a number.* got True"),
        (changed(("checked",), ["moonshine"]), "knows no cause"),
    ],
)
def test_tree__of_something_else_is_refused(tree: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        diagnosis_from_tree(tree)


@pytest.mark.parametrize("key", ["findings", "checked", "not_checked", "vitals"])
def test_tree__that_lacks_a_part_is_refused(key: str) -> None:
    tree = diagnosis_tree(sick())
    del tree[key]
    with pytest.raises(InputError, match=key):
        diagnosis_from_tree(tree)
