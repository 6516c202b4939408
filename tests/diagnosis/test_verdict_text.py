"""A diagnosis as text: every number on it, nothing wider than a terminal, consequences under their cause."""

from dataclasses import replace

import pytest
from made_up_diagnoses import NO_LOGS, everything, healthy, sick

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import Evidence, Finding
from curvox.diagnosis.verdict import Diagnosis, explained, headline, quantity, summary


def words(text: str) -> str:
    return " ".join(text.split())


def test_summary__begins_with_the_first_cause_and_its_severity() -> None:
    assert summary(sick()).splitlines()[0] == "first cause: The loss does not see the labels (label_blind), failure"


def test_summary__is_what_print_shows() -> None:
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
        for part in (cause.mechanism, cause.remedy, cause.page):
            assert part in text
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


@pytest.mark.parametrize("width", [60, 100])
def test_summary__is_no_wider_than_asked(width: int) -> None:
    for diagnosis in (sick(), healthy(), everything()):
        lines = [line for line in summary(diagnosis, width=width).splitlines() if not line.startswith("  recipe")]
        assert max(map(len, lines)) <= width


def test_summary__keeps_a_recipe_line_whole() -> None:
    text = summary(everything(), width=60)
    shown = [part.finding.cause for part in explained(everything())]
    for cause in shown:
        assert not CAUSES[cause].recipe or f"  recipe      {CAUSES[cause].recipe}" in text.splitlines()


def test_explained__has_every_finding_once() -> None:
    for diagnosis in (sick(), healthy(), everything()):
        parts = explained(diagnosis)
        shown = [f.cause for part in parts for f in (part.finding, *part.consequences)]
        assert sorted(shown) == sorted(f.cause for f in diagnosis.findings)
        assert parts[0].finding.cause == diagnosis.first.cause


def finding(cause: str, because_of: str = "") -> Finding:
    return Finding(cause, "failure", (Evidence("a number", 1.0, "less"),), because_of=because_of)


def test_explained__follows_a_chain_to_its_end() -> None:
    chain = (finding("label_blind"), finding("collapse", "label_blind"), finding("hubness", "collapse"))
    parts = explained(Diagnosis(chain, ()))
    assert [part.finding.cause for part in parts] == ["label_blind"]
    assert [f.cause for f in parts[0].consequences] == ["collapse", "hubness"]


def test_explained__loses_no_ring_and_nothing_whose_cause_is_missing() -> None:
    ring = (finding("collapse", "hubness"), finding("hubness", "collapse"), finding("overfitting", "not_there"))
    parts = explained(Diagnosis(ring, ()))
    assert [part.finding.cause for part in parts] == ["collapse", "hubness", "overfitting"]


def test_headline__is_one_line() -> None:
    for diagnosis in (sick(), healthy(), replace(sick(), findings=sick().findings[1:])):
        assert "\n" not in headline(diagnosis)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "%", "25 %"),
        (0.12345, "%", "12.3 %"),
        (1.0, "", "1"),
        (0.000012345, "", "1.23e-05"),
        (12345.6, "", "12,346"),
        (-3.14159, "dB", "-3.14 dB"),
        (float("nan"), "", "NaN"),
        (float("inf"), "%", "infinite %"),
        (-float("inf"), "", "minus infinite"),
    ],
)
def test_quantity__has_three_digits_and_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
