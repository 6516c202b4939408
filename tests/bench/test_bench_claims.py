"""The processes of a bench: who is at work on a cell, what a log says last, how all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_benches import plan_of

from curvox.bench import Children, run_cells
from curvox.bench.cells import cells_of
from curvox.bench.workers import CLAIM, CellTakenError, claimed, last_words
from curvox.errors import InputError, TrainingInterruptedError


def test_last_words__begin_with_the_last_error(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("error: old\none\n\nerror: new\n  more\n")
    assert last_words(log) == "error: new\n      more"
    log.write_text("\n".join("abcdefg"))
    assert last_words(log).split() == list("defg")
    assert last_words(log, begin=10).split() == list("fg")


def test_claimed__keeps_others_away(tmp_path: Path, tiny_tree: dict[str, Any], voices: Path) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    first, second = cells_of(plan.bench)
    others = pytest.raises(InputError, match="at work on am-seed_1")
    with claimed(plan, first), claimed(plan, second), others, claimed(plan, first):
        pass
    with claimed(plan, first):
        pass


def test_claimed__knows_the_claim_that_its_process_was_started_under(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    first, second = cells_of(plan.bench)
    with claimed(plan, first) as claim, claimed(plan, second):
        monkeypatch.setenv(CLAIM, str(claim[0]))
        with claimed(plan, first) as again:
            assert again == claim
        with pytest.raises(CellTakenError, match="at work on ham-seed_1"), claimed(plan, second):
            pass


def test_run_cells__leaves_a_cell_to_the_process_that_is_at_work_on_it(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    cell = cells_of(plan.bench)[0]
    with claimed(plan, cell):
        (outcome,) = run_cells(plan, [cell], [{}], told=lambda outcome, pace: None)
    assert outcome.taken
    assert outcome.record is None
    assert "another process is at work on am-seed_1" in outcome.reason


def test_claimed__outlives_the_process_whose_training_goes_on(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    cell, children = cells_of(plan.bench)[0], Children()
    with claimed(plan, cell) as claim:
        training = threading.Thread(
            target=children.run, args=(["sleep", "60"], plan.log(cell), dict(os.environ)), kwargs={"holds": claim}
        )
        training.start()
        while not (running := list(children.running)):
            time.sleep(0.01)
    with pytest.raises(InputError, match="at work on am-seed_1"), claimed(plan, cell):
        pass
    running[0].kill()
    training.join()
    with claimed(plan, cell):
        pass


def test_children__start_nothing_once_they_are_to_stop(tmp_path: Path) -> None:
    children = Children()
    with pytest.raises(TrainingInterruptedError, match="stopped by SIGTERM"), children.listening():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(TrainingInterruptedError):
        children.run([sys.executable, "-c", f"open({str(tmp_path / 'x')!r}, 'w')"], tmp_path / "log", os.environ)
    assert not (tmp_path / "x").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_children__end_also_when_the_signal_comes_while_they_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[Any]] = []
    start = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        started.append(start(*arguments, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    children = Children()
    try:
        with pytest.raises(TrainingInterruptedError, match="stopped by SIGINT"), children.listening():
            children.run(["sleep", "60"], tmp_path / "log", os.environ)
        assert started[0].returncode == -signal.SIGTERM
        assert not children.running
    finally:
        started[0].kill()


def test_children__end_gently_and_at_a_second_interrupt_at_once(tmp_path: Path) -> None:
    """One process ends on SIGTERM, the other does not listen; its ready word is what the signals wait for."""
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    children = Children()

    def press_twice() -> None:
        while not (log.exists() and b"ready" in log.read_bytes()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while not children.stopped_by:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press_twice)
    pressing.start()
    with pytest.raises(TrainingInterruptedError, match="SIGINT") as caught, children.listening():
        children.run([sys.executable, "-c", deaf], log, os.environ)
    pressing.join()
    assert caught.value.signal == signal.SIGINT
    assert not children.running
