"""A handful of runs of the doctor's benchmark, made tiny: trained, observed and diagnosed as all of them are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sabotage import Corpora, case_of, run_case

RUNS = (
    "label_blind/kl 0.1/voices/1",
    "not_finite/root/voices/1",
    "unused_parameters/a head/voices/1",
    "silent_recordings/zeros/voices/1",
    "healthy/aam, usual/voices/1",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that the recordings are decoded once."""
    return tmp_path_factory.mktemp("doctor")


@pytest.mark.parametrize("name", RUNS)
def test_doctor__names_the_right_cause_first_and_no_failure_in_a_healthy_run(
    name: str, voices: Path, runs: Path
) -> None:
    case = case_of(name)
    tiny = replace(case, changes=(*case.changes, "data.batch_size=12"), epochs=1, steps=6)
    outcome = run_case(tiny, Corpora({"voices": {"path": str(voices)}}), runs)
    assert outcome.error == ""
    assert outcome.right if name.startswith("healthy") else outcome.verdict == "first", outcome.findings
