"""A handful of runs of the doctor's benchmark, made tiny: trained, observed and diagnosed as all of them are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sabotage import Corpora, case_of, run_case

ILL = (
    "label_blind/kl 0.1/voices/1",
    "not_finite/root/voices/1",
    "unused_parameters/a head/voices/1",
    "silent_recordings/zeros/voices/1",
)
WELL = ("healthy/aam, usual/voices/1",)


@pytest.fixture(scope="module")
def corpora(voices: Path) -> Corpora:
    return Corpora({"voices": {"path": str(voices)}})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that the recordings are decoded once."""
    return tmp_path_factory.mktemp("doctor")


@pytest.mark.parametrize("name", ILL)
def test_doctor__names_the_right_cause_first(name: str, corpora: Corpora, runs: Path) -> None:
    case = case_of(name)
    tiny = replace(case, changes=(*case.changes, "data.batch_size=12"), epochs=1, steps=6)
    outcome = run_case(tiny, corpora, runs)
    assert outcome.error == ""
    assert outcome.verdict == "first", outcome.findings


@pytest.mark.parametrize("name", WELL)
def test_doctor__finds_no_failure_in_a_healthy_run(name: str, corpora: Corpora, runs: Path) -> None:
    case = case_of(name)
    tiny = replace(case, changes=(*case.changes, "data.batch_size=12"), epochs=1, steps=6)
    outcome = run_case(tiny, corpora, runs)
    assert outcome.error == ""
    assert outcome.right, outcome.findings
