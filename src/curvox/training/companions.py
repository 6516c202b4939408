"""Processes that train together notice at once when one of them is gone, say so, and do not wait for it.

A process that waits for another one in a collective may wait for long: NCCL by its timeout. Processes that torchrun or
srun have started are watched by these; those that Lightning has started are watched here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import lightning.pytorch as pl

from curvox.training.faults import how_to_go_on

_LOOK_EVERY_S = 1.0


class CompanionWatch(pl.Callback):
    """The first process tells when another one ends before its time; the others end when the first one is gone."""

    def __init__(self, run: Path):
        self.run = run
        self._over = threading.Event()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._over.clear()
        launcher = trainer.strategy.launcher
        for rank, process in enumerate(getattr(launcher, "procs", []), start=1):
            self._start(self._await_end, rank, process)
        if trainer.world_size > 1 and trainer.local_rank > 0:
            self._start(self._watch_parent, os.getppid())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._over.set()

    def _start(self, task: object, *arguments: object) -> None:
        assert callable(task)
        threading.Thread(target=task, args=arguments, daemon=True).start()

    def _await_end(self, rank: int, process: subprocess.Popen) -> None:
        try:  # without taking the code away, for which Lightning looks too
            end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return
        if end is None or self._over.is_set() or end.si_status == 0:
            return
        if end.si_code == os.CLD_EXITED:
            how = f"ended with code {end.si_status}, as its own message tells"
        else:
            how = f"was ended by {signal.Signals(end.si_status).name}; where nobody sent it, the memory was full"
        self._say(f"process {rank + 1} of this training {how}. The others cannot go on without it")

    def _watch_parent(self, parent: int) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            if os.getppid() != parent:
                self._say("the process that started this one is gone. It ends too")
                time.sleep(_LOOK_EVERY_S)
                os._exit(1)

    def _say(self, what: str) -> None:
        print(f"{what}; {how_to_go_on(self.run / 'last')}", file=sys.stderr, flush=True)
