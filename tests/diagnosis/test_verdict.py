"""What comes first in a diagnosis, how it reads in a terminal, and that nothing of it is lost in JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from made_up_diagnoses import NO_LOGS, everything, healthy, sick

from curvox.diagnosis import CAUSES, Cause, Diagnosis, Evidence, Finding, NotChecked
from curvox.diagnosis.findings import SEVERITIES, Checked, Severity
from curvox.diagnosis.verdict import (
    diagnosis_from_tree,
    diagnosis_of,
    diagnosis_tree,
    explained,
    headline,
    quantity,
    summary,
)
from curvox.errors import InputError
from curvox.losses import create_loss
from curvox.training import build_augmentation, build_encoder, recipe_from


def finding(cause: str, severity: Severity = "failure", *, measure: str = "a", because_of: str = "") -> Finding:
    return Finding(cause, severity, (Evidence(measure, 1.0, "0"),), because_of=because_of)


def diagnosed(*findings: Finding) -> Diagnosis:
    """Each of the findings by a check of its own."""
    return diagnosis_of(Checked((f.cause,), (f,)) for f in findings)


# --- the order ---


def test_failures__come_before_warnings() -> None:
    found = diagnosed(finding("dead_radius", "warning"), finding("collapse"))
    assert [f.cause for f in found.findings] == ["collapse", "dead_radius"]


@pytest.mark.parametrize("order", [1, -1])
def test_causes__come_before_what_they_explain(order: int) -> None:
    found = diagnosed(*(finding("collapse"), finding("label_blind"))[::order])
    assert [f.cause for f in found.findings] == ["label_blind", "collapse"]
    assert found.findings[1].because_of == "label_blind"


def test_milder_cause__does_not_explain_a_worse_finding() -> None:
    found = diagnosed(finding("collapse"), finding("label_blind", "warning"))
    assert (found.first.cause, found.first.because_of) == ("collapse", "")


def test_one_cause_found_twice__is_one_finding_with_all_evidence() -> None:
    (found,) = diagnosed(finding("collapse", "warning"), finding("collapse", measure="b")).findings
    assert found.severity == "failure"
    assert {e.measure for e in found.evidence} == {"a", "b"}


def test_healthy__is_said_where_nothing_or_only_notes_were_found() -> None:
    found = diagnosed(finding("margin_ramp", "note"))
    assert [f.cause for f in found.findings] == ["healthy", "margin_ramp"]
    assert found.healthy
    assert diagnosis_of([Checked(("collapse",))]).first.cause == "healthy"


def test_what_one_check_could_look_for__is_not_listed_as_missing() -> None:
    gap = Checked.impossible("no data", "collapse", "hubness")
    found = diagnosis_of([gap, Checked(("collapse",))])
    assert found.not_checked == (NotChecked("hubness", "no data"),)
    with pytest.raises(InputError, match="no data"):
        diagnosis_of([gap])


# --- the table ---


def test_table__is_closed_and_complete() -> None:
    for cause in CAUSES.values():
        assert set(cause.explains) <= set(CAUSES) - {cause.name}, cause.name
        assert cause.title
        assert cause.remedy
        assert cause.mechanism.count(". ") >= 1


LOSS_WITH = {"mining": "triplet", "space": "ham_softmax", "scale": "am_softmax", "margin": "am_softmax"}


@pytest.mark.parametrize("cause", [cause for cause in CAUSES.values() if cause.recipe], ids=lambda cause: cause.name)
def test_recipe_lines__are_lines_of_a_recipe(cause: Cause) -> None:
    line = yaml.safe_load(cause.recipe)
    loss = line.get("loss", {"name": "am_softmax"})
    loss = {"name": LOSS_WITH.get(next(iter(loss)), "am_softmax"), **loss}
    encoder = {"name": "ecapa_tdnn", **line.get("encoder", {})}
    recipe = recipe_from({"name": "x", **line, "loss": loss, "encoder": encoder})
    create_loss(recipe.loss, dim=8, speakers=10)
    build_augmentation(recipe.augmentation)
    build_encoder(recipe.encoder, 40)


# --- as text ---


def words(text: str) -> str:
    return " ".join(text.split())


def test_summary__begins_with_the_first_cause_and_is_what_print_shows() -> None:
    assert summary(sick()).splitlines()[0] == "first cause: The loss does not see the labels (label_blind), failure"
    assert str(sick()) == summary(sick())


def test_summary__has_every_number_beside_the_healthy_one() -> None:
    text = words(summary(sick()))
    for line in (
        "cosine of the gradients of both labels: 1; healthy: below 0.9",
        "share of the gradient that hangs on the label: 0.31 %; healthy: above 20 %",
        "effective rank 1.02, healthy above 8",
        "share of one direction 97 %, healthy below 50 %",
        "recordings of the largest speaker: 12,345; healthy: below 500",
        "where speakers a & b",
        "margin scale: NaN; healthy: rising",
    ):
        assert line in text


def test_summary__says_how_and_what_to_do_for_what_stands_for_itself() -> None:
    text = words(summary(sick()))
    for name in ("label_blind", "speaker_imbalance", "margin_ramp"):
        cause = CAUSES[name]
        assert all(part in text for part in (cause.mechanism, cause.remedy, cause.page))
    assert f"recipe {CAUSES['label_blind'].recipe}" in text
    # A consequence goes away with its cause: its own remedy would mislead.
    assert CAUSES["collapse"].remedy not in text


def test_summary__names_consequences_under_their_cause_and_nowhere_else() -> None:
    blocks = summary(sick()).split("\n\n")
    of = {name: [i for i, block in enumerate(blocks[:-1]) if f"({name}" in block] for name in CAUSES}
    assert of["label_blind"] == [0, 1]
    assert of["collapse"] == of["dimensional_collapse"] == [1]
    assert of["speaker_imbalance"] == [2]


def test_summary__counts_what_was_looked_for_and_groups_what_was_not_by_reason() -> None:
    text = summary(sick())
    assert "looked for 7 causes; not found: hubness, never_active" in text
    assert "not checked, 3:" in text
    assert f"  {NO_LOGS}: overfitting, learning_rate_too_high" in text.splitlines()
    assert "  needs at least 32 recordings, got 8: concentration" in text.splitlines()


def test_summary__of_a_healthy_run_says_what_was_checked() -> None:
    text = summary(healthy())
    assert text.splitlines()[0] == "healthy: none of the 3 causes looked for was found to do harm"
    assert "looked for 3 causes; not found: collapse, margin_ramp, label_blind" in text
    assert "remedy" not in text
    assert "note: The loss rises because the margin does (margin_ramp)" in summary(healthy(note=True))


@pytest.mark.parametrize("diagnosis", [sick(), healthy(), everything()], ids=["sick", "healthy", "everything"])
def test_summary__has_every_finding_once_in_its_width_but_for_recipes(diagnosis: Diagnosis) -> None:
    parts = explained(diagnosis)
    shown = [f.cause for part in parts for f in (part.finding, *part.consequences)]
    assert sorted(shown) == sorted(f.cause for f in diagnosis.findings)
    assert parts[0].finding.cause == diagnosis.first.cause
    recipes = {CAUSES[p.finding.cause].recipe for p in parts if p.finding.cause in CAUSES} - {""}
    for width in (60, 100):
        lines = set(summary(diagnosis, width=width).splitlines())
        whole = {f"  recipe      {recipe}" for recipe in recipes}
        assert whole <= lines
        assert max(map(len, lines - whole)) <= width


def test_explained__follows_a_chain_to_its_end() -> None:
    chain = (
        finding("label_blind"),
        finding("collapse", because_of="label_blind"),
        finding("hubness", because_of="collapse"),
    )
    (part,) = explained(Diagnosis(chain, ()))
    assert [f.cause for f in (part.finding, *part.consequences)] == ["label_blind", "collapse", "hubness"]


def test_explained__loses_no_ring_and_nothing_whose_cause_is_missing() -> None:
    of = {"collapse": "hubness", "hubness": "collapse", "overfitting": "not_there"}
    ring = tuple(finding(cause, because_of=because_of) for cause, because_of in of.items())
    assert [part.finding.cause for part in explained(Diagnosis(ring, ()))] == list(of)


def test_headline__is_one_line() -> None:
    for diagnosis in (sick(), healthy(), replace(sick(), findings=sick().findings[1:])):
        assert "\n" not in headline(diagnosis)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "%", "25 %"), (0.12345, "%", "12.3 %"), (1.0, "", "1"), (0.000012345, "", "1.23e-05"),
        (12345.6, "", "12,346"), (-3.14159, "dB", "-3.14 dB"), (math.nan, "", "NaN"), (math.inf, "%", "infinite %"),
        (-math.inf, "", "minus infinite"),
    ],
)  # fmt: skip
def test_quantity__has_three_digits_and_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


# --- as JSON ---

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


@given(DIAGNOSES)
@example(sick())
@example(healthy())
@example(everything())
def test_json__comes_back_as_it_went(diagnosis: Diagnosis) -> None:
    back = diagnosis_from_tree(json.loads(json.dumps(diagnosis_tree(diagnosis), allow_nan=False)))
    # NaN is not equal to itself; as text it is.
    assert repr(back) == repr(diagnosis)


def test_tree__tells_a_reader_without_curvox_what_to_do() -> None:
    tree = diagnosis_tree(sick(), name="x")
    assert (tree["first_cause"], tree["name"], tree["healthy"]) == ("label_blind", "x", False)
    cause = CAUSES["label_blind"]
    explained_as = ("title", "mechanism", "remedy", "recipe", "page")
    assert tree["findings"][0]["explained"] == {name: getattr(cause, name) for name in explained_as}
    looked = {"measure": "causes looked for", "value": 3.0, "healthy": "none of them found", "unit": "", "vital": ""}
    assert diagnosis_tree(healthy())["findings"][0] == {
        "cause": "healthy", "severity": "healthy", "evidence": [looked], "where": "", "because_of": "",
    }  # fmt: skip


def test_tree__has_words_for_numbers_that_are_none() -> None:
    tree = diagnosis_tree(sick())
    assert tree["vitals"]["gradient_norm"] == "Infinity"
    assert math.isinf(diagnosis_from_tree(tree).vitals["gradient_norm"])
    ramp = next(f for f in tree["findings"] if f["cause"] == "margin_ramp")
    assert ramp["evidence"][0]["value"] == "NaN"


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The tree of a diagnosis with one value replaced, or taken out where the value is ``...``."""
    tree = json.loads(json.dumps(diagnosis_tree(sick())))
    part = tree
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    if value is ...:
        del part[path[-1]]
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
        *((changed((key,), ...), key) for key in ("findings", "checked", "not_checked", "vitals")),
    ],
)
def test_tree__of_something_else_is_refused(tree: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        diagnosis_from_tree(tree)
