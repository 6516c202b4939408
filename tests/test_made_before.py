"""What an earlier curvox has written is read, and says what it said then; see made_before/README.md."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import curvox

ENROLMENT, TEST = "voices/audio/test0/0.flac", "voices/audio/test0/1.flac"
SCORE, LLR = 1.611719489337963, 1.2077485264093974
# Other processors and decoders give other last digits, and 60 steps of training enlarge them.
NEAR, AFTER_TRAINING = 1e-4, 1e-2


@pytest.fixture
def made(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, which is the working folder."""
    folder = Path(shutil.copytree(repository / "tests" / "made_before", tmp_path / "made"))
    monkeypatch.chdir(folder)
    return folder


def command(patch: pytest.MonkeyPatch, words: str) -> None:
    """Run ``curvox WORDS`` in this process."""
    from curvox.cli import main

    patch.setattr(sys, "argv", ["curvox", *words.split()])
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    assert not status, words


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_run__embeds_as_before(made: Path) -> None:
    before = [-0.08841846, -0.14529818, 0.15277186, 0.10114092, 0.15836075, -0.04356135]
    np.testing.assert_allclose(curvox.load(made / "run").embed(ENROLMENT), before, atol=NEAR)


def test_decision_card__decides_as_before(made: Path) -> None:
    """By its calibration, and by AS-norm with the cohort that lies beside it."""
    answer = curvox.load(made / "run").verify(ENROLMENT, TEST)
    assert (answer.score, answer.llr) == (pytest.approx(SCORE, rel=NEAR), pytest.approx(LLR, rel=NEAR))
    assert answer.same is True


def test_decision_card__identifies_as_before(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "gallery").mkdir()
    shutil.copyfile(ENROLMENT, made / "gallery" / "test0.flac")
    command(monkeypatch, f"identify run {TEST} --gallery gallery --json -")
    found = json.loads(capsys.readouterr().out)
    assert [candidate["speaker"] for candidate in found["candidates"]] == ["test0"]
    assert found["candidates"][0]["llr"] == pytest.approx(LLR, rel=NEAR)
    assert found["threshold"]["llr"] == pytest.approx(np.log(0.99 / 0.01) + np.log(100 / 99))


def test_run__is_diagnosed_from_its_logs_as_before(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "diagnose run --data voices -o found")
    found = read(made / "found" / "diagnosis.json")
    assert found["first_cause"] == "healthy"
    assert {"overfitting", "learning_rate_too_high", "vanishing_gradient"} <= set(found["checked"])
    assert found["vitals"]["loss"] == 7.124847888946533
    assert found["vitals"]["effective_rank"] == 1.6878408280186188


def test_dead_run__is_diagnosed_as_before(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "diagnose dead --data voices -o found")
    found = read(made / "found" / "diagnosis.json")
    assert found["first_cause"] == "not_finite"
    assert [each["value"] for each in found["findings"][0]["evidence"]] == [1.0, 4.0]


def test_unfinished_run__goes_on_from_shards_to_the_same_end(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "train unfinished.yaml --runs . --resume")
    logs = sorted((made / "unfinished" / "logs").glob("*/metrics.csv"))[-1]
    with logs.open(encoding="utf-8", newline="") as file:
        losses = [float(row["train/loss_epoch"]) for row in csv.DictReader(file) if row["train/loss_epoch"]]
    assert read(made / "unfinished" / "run.json")["steps"] == 60
    assert losses[-1] == pytest.approx(7.36041259765625, rel=AFTER_TRAINING)
    weights = load_file(made / "unfinished" / "last" / "model.safetensors").values()
    norm = float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in weights)))
    assert norm == pytest.approx(134.20844289519235, rel=AFTER_TRAINING)


def test_bench__makes_the_same_leaderboard_of_its_records(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(made / "board" / "leaderboard.json")
    (made / "board" / "leaderboard.json").unlink()
    command(monkeypatch, "bench bench.yaml --data voices --runs . --page-only")
    found = read(made / "board" / "leaderboard.json")
    assert [row["setting"] for row in found["rows"]] == [row["setting"] for row in before["rows"]]
    for row, row_before in zip(found["rows"], before["rows"], strict=True):
        for key in ("eer", "eers", "interval", "min_dcf", "dev_eer", "vitals", "best_epochs"):
            assert row[key] == row_before[key], key


def test_bench__counts_its_cells_as_done(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, "bench bench.yaml --data voices --runs . --list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:] for line in lines if "seed_1" in line] == [["am-seed_1", "done"], ["ham-seed_1", "done"]]


def test_evaluations__are_compared_as_before(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "compare evaluations/plain evaluations/as_norm --resamples 20 --output both")
    systems = read(made / "both" / "comparison.json")["systems"]
    figures = [{each["key"]: each["value"] for each in system["figures"]} for system in systems]
    assert [each["eer"] for each in figures] == [0.15384615384615385, 0.25]
    assert figures[0]["min_dcf:0.01"] == 0.5
    for name, system in zip(("plain", "as_norm"), systems, strict=True):
        assert read(made / "evaluations" / name / "evaluation.json")["eer"]["value"] == system["figures"][0]["value"]
