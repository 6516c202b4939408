"""Which finding comes first: the worst, and of those the one that explains the others."""

from __future__ import annotations

import pytest
import yaml

from curvox.diagnosis import CAUSES, Cause, Evidence, Finding, NotChecked
from curvox.diagnosis.findings import Checked, Severity
from curvox.diagnosis.verdict import diagnosis_of
from curvox.errors import InputError
from curvox.losses import create_loss
from curvox.training import build_augmentation, build_encoder, recipe_from

_BOTH: tuple[tuple[Severity, str], ...] = (("warning", "a"), ("failure", "b"))


def _finding(cause: str, severity: Severity = "failure", measure: str = "a measure") -> Finding:
    return Finding(cause, severity, (Evidence(measure, 1.0, "0"),))


def test_failures__come_before_warnings() -> None:
    found = diagnosis_of(
        [Checked(("dead_radius", "collapse"), (_finding("dead_radius", "warning"), _finding("collapse")))]
    )
    assert [f.cause for f in found.findings] == ["collapse", "dead_radius"]


@pytest.mark.parametrize("order", [1, -1])
def test_causes__come_before_what_they_explain(order: int) -> None:
    findings = (_finding("collapse"), _finding("label_blind"))[::order]
    found = diagnosis_of([Checked(("collapse", "label_blind"), findings)])
    assert [f.cause for f in found.findings] == ["label_blind", "collapse"]
    assert found.findings[1].because_of == "label_blind"


def test_milder_cause__does_not_explain_a_worse_finding() -> None:
    found = diagnosis_of(
        [
            Checked(
                (),
                (_finding("collapse"), _finding("label_blind", "warning")),
            ),
            Checked(("collapse",)),
        ]
    )
    assert found.first.cause == "collapse"
    assert found.first.because_of == ""


def test_one_cause_found_twice__is_one_finding_with_all_evidence() -> None:
    twice = [Checked(("collapse",), (_finding("collapse", s, m),)) for s, m in _BOTH]
    (finding,) = diagnosis_of(twice).findings
    assert finding.severity == "failure"
    assert {e.measure for e in finding.evidence} == {"a", "b"}


def test_healthy__is_said_where_nothing_or_only_notes_were_found() -> None:
    found = diagnosis_of([Checked(("margin_ramp",), (_finding("margin_ramp", "note"),))])
    assert [f.cause for f in found.findings] == ["healthy", "margin_ramp"]
    assert found.healthy
    assert diagnosis_of([Checked(("collapse",))]).first.cause == "healthy"


def test_what_one_check_could_look_for__is_not_listed_as_missing() -> None:
    gap = Checked.impossible("no data", "collapse", "hubness")
    found = diagnosis_of([gap, Checked(("collapse",))])
    assert found.not_checked == (NotChecked("hubness", "no data"),)


def test_nothing_checked__is_refused_with_the_reasons() -> None:
    with pytest.raises(InputError, match="no data"):
        diagnosis_of([Checked.impossible("no data", "collapse")])


def test_table__is_closed_and_complete() -> None:
    for cause in CAUSES.values():
        assert set(cause.explains) <= set(CAUSES), cause.name
        assert cause.name not in cause.explains
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
