"""Which process of a training was the first to fail is told once, whoever notices it first."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

from curvox.errors import CurvoxError, TrainingError
from curvox.training.run import faults
from curvox.training.run.faults import FOLLOWER_CODE, CompanionWatch, fault_in_words
from curvox.training.run.trainer import StopOnSignal, fit

LOST = RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4711")
CONSEQUENCE = "The others cannot go on without it; no checkpoint was written yet; --resume starts it again"


class Scripted(subprocess.Popen):  # pyright: ignore[reportMissingTypeArgument]
    """A process that answers each question whether it has ended with the next of its codes, in the end the last."""

    def __init__(self, *codes: int | None):
        self.pid = 0
        self.returncode = None
        self.codes = list(codes)

    def poll(self) -> int | None:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]

    def send_signal(self, sig: int) -> None:
        self.codes = [-sig]


class Stage:
    """A watch in the first process of a node, whose trainer has started ``processes``."""

    def __init__(self, run: Path, *processes: Scripted, global_rank: int = 0):
        self.watch = CompanionWatch(run)
        self.launcher = SimpleNamespace(procs=list(processes))
        strategy = SimpleNamespace(launcher=self.launcher)
        self.trainer: Any = SimpleNamespace(
            strategy=strategy, global_rank=global_rank, local_rank=0, world_size=1 + len(processes)
        )

    def fails_with(self, exception: BaseException) -> None:
        self.watch.on_exception(self.trainer, self.trainer, exception)

    def await_cause(self) -> None:
        due = time.monotonic() + 60
        while self.watch.cause is None:
            assert time.monotonic() < due, "nothing was told"
            time.sleep(0.001)

    def lightning_looks(self) -> None:
        _ChildProcessObserver(main_pid=0, child_processes=self.launcher.procs)._run()


ENDS = [
    (-signal.SIGKILL, "process 2 of this training was ended by SIGKILL; where nobody sent it, the memory was full"),
    (1, "process 2 of this training ended with code 1, as its own message tells"),
]


@pytest.mark.parametrize(("code", "cause"), ENDS)
@pytest.mark.parametrize("error", [LOST, dist.DistBackendError("NCCL error: remote process exited")])
def test_cause__is_told_when_the_connection_breaks_before_the_process_has_ended(
    code: int, cause: str, error: RuntimeError, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None, None, code))
    stage.fails_with(error)
    assert capsys.readouterr().err == f"{cause}. {CONSEQUENCE}\n"
    assert fault_in_words(error, 2, stage.watch.cause) == cause


@pytest.mark.parametrize(("code", "cause"), ENDS)
def test_cause__is_told_once_when_the_process_has_ended_before_its_connection_breaks(
    code: int, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None, code))
    with stage.watch.watching(stage.trainer):
        stage.await_cause()
    assert capsys.readouterr().err == f"{cause}. {CONSEQUENCE}\n"
    stage.fails_with(LOST)
    assert capsys.readouterr().err == ""
    assert fault_in_words(LOST, 2, stage.watch.cause) == cause


def test_cause__is_told_before_lightning_hears_of_the_end_and_kills_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None, None, -signal.SIGKILL), Scripted(None))
    said_before_it_killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: said_before_it_killed.append(capsys.readouterr().err))
    monkeypatch.setattr(faults, "_PATIENCE_S", 0.0)
    stage.watch._look(stage.trainer)
    stage.lightning_looks()
    assert said_before_it_killed == []
    stage.lightning_looks()
    assert said_before_it_killed == [f"{ENDS[0][1]}. {CONSEQUENCE}\n"]
    assert [process.returncode for process in stage.launcher.procs] == [-signal.SIGKILL, None]
    stage.fails_with(LOST)
    assert capsys.readouterr().err == ""
    assert stage.watch.cause == ENDS[0][1]


@pytest.mark.parametrize(
    "error",
    [OSError("Connection reset by peer"), RuntimeError("mat1 and mat2"), CurvoxError("no"), KeyboardInterrupt()],
)
def test_own_fault__is_not_laid_on_those_that_end_in_consequence_and_not_waited_for(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None, 1), Scripted(None, -signal.SIGABRT))
    stage.watch._look(stage.trainer)
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits"))
        stage.fails_with(error)
    stage.lightning_looks()
    assert capsys.readouterr().err == ""
    assert stage.watch.cause is None


def test_connection__that_breaks_to_another_machine_is_waited_for_no_longer_than_patience_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None))
    slept = []
    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    stage.fails_with(LOST)
    assert sum(slept) == pytest.approx(faults._PATIENCE_S, abs=2 * faults._LOOK_EVERY_S)
    assert stage.watch.cause is None
    assert "look for the kernel's in dmesg" in (fault_in_words(LOST, 3, stage.watch.cause) or "")
    slept.clear()
    Stage(tmp_path).fails_with(LOST)  # one that torchrun has started has none of its own
    assert slept == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("follower", [1, FOLLOWER_CODE, -signal.SIGABRT])
def test_cause__is_the_killed_process_and_no_follower_that_ended_by_then(
    follower: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, Scripted(None, follower), Scripted(None, -signal.SIGSEGV), Scripted(0), global_rank=4)
    stage.fails_with(LOST)
    assert capsys.readouterr().err.startswith("process 7 of this training was ended by SIGSEGV")


def test_cause__is_waited_for_when_followers_are_the_first_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "kill", lambda pid, number: pytest.fail("Lightning kills all"))
    stage = Stage(tmp_path, Scripted(None, FOLLOWER_CODE), Scripted(*[None] * 6, 1), Scripted(FOLLOWER_CODE))
    stage.watch._look(stage.trainer)
    stage.lightning_looks()
    assert [process.returncode for process in stage.launcher.procs] == [None] * 3
    stage.fails_with(LOST)
    assert capsys.readouterr().err.startswith("process 3 of this training ended with code 1")
    assert [process.poll() for process in stage.launcher.procs] == [FOLLOWER_CODE, 1, FOLLOWER_CODE]


def test_connection__that_only_followers_have_lost_too_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first cause is on another machine, where it is told."""
    stage = Stage(tmp_path, Scripted(FOLLOWER_CODE), Scripted(FOLLOWER_CODE))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits"))
    stage.fails_with(LOST)
    assert capsys.readouterr().err == ""
    assert [process.poll() for process in stage.launcher.procs] == [FOLLOWER_CODE, FOLLOWER_CODE]


@pytest.mark.parametrize(
    ("environment", "local_rank", "follows"),
    [(LightningEnvironment, 1, True), (LightningEnvironment, 0, False), (TorchElasticEnvironment, 1, False)],
)
def test_process__that_lost_another_ends_with_the_code_of_a_follower_where_the_first_one_sees_it(
    environment: type, local_rank: int, follows: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: Any, **options: Any) -> None:
        raise LOST

    strategy = SimpleNamespace(launcher=None, cluster_environment=object.__new__(environment))
    trainer: Any = SimpleNamespace(
        callbacks=[],
        strategy=strategy,
        local_rank=local_rank,
        is_global_zero=False,
        world_size=3,
        global_step=7,
        fit=fails,
    )
    said = f"stopped in step 7 of {tmp_path}: another of the 3 processes is gone"
    with pytest.raises(SystemExit if follows else TrainingError) as caught:
        fit(trainer, trainer, tmp_path, False, StopOnSignal(tmp_path))
    if follows:
        assert caught.value.args == (FOLLOWER_CODE,)
        assert capsys.readouterr().err.startswith(said)
    else:
        assert str(caught.value).startswith(said)


def test_cause__is_the_process_that_ended_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage(tmp_path, Scripted(None, None, None, 1), Scripted(None, None, 1), Scripted(None, None, None, -9))
    with stage.watch.watching(stage.trainer):
        stage.await_cause()
    stage.fails_with(LOST)
    assert capsys.readouterr().err.startswith("process 3 of this training ended with code 1")
    assert stage.watch.cause == "process 3 of this training ended with code 1, as its own message tells"


def test_processes__are_watched_as_soon_as_lightning_has_started_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path)
    with stage.watch.watching(stage.trainer):
        stage.launcher.procs = []  # as Lightning's launcher begins
        stage.launcher.procs.append(Scripted(0))
        stage.launcher.procs.append(Scripted(None, -signal.SIGKILL))
        stage.await_cause()
    assert capsys.readouterr().err.startswith("process 3 of this training was ended by SIGKILL")


def test_processes__that_end_after_the_training_are_not_spoken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    stage = Stage(tmp_path, Scripted(None, 0), Scripted(None, 1))
    with stage.watch.watching(stage.trainer):
        stage.watch._look(stage.trainer)
        stage.watch.on_train_end(stage.trainer, stage.trainer)
        stage.lightning_looks()
    assert capsys.readouterr().err == ""
    assert stage.watch.cause is None
