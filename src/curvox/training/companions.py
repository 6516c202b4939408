"""Processes that train together notice at once when one of them is gone, say why, and do not wait for it.

A process that waits for another one in a collective may wait for long: NCCL by its timeout. Processes that torchrun or
srun have started are watched by these; those that Lightning has started are watched here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import lightning.pytorch as pl

from curvox.training.faults import how_to_go_on, lost_another

_LOOK_EVERY_S = 0.05
_PATIENCE_S = 5.0
"""How long the end of a process may come after that of its connections."""


class _Companion:
    """A process that Lightning has started, in the place of its `Popen` in the launcher's list.

    Lightning looks there every few seconds, and kills all processes, its own first of all, when one has failed. This
    one hands the code out only after ``tell`` has had its turn.
    """

    def __init__(self, rank: int, process: subprocess.Popen[bytes], tell: Callable[[], None]):
        self.rank = rank
        self.process = process
        self.pid = process.pid
        self.returncode: int | None = None
        self._tell = tell

    def poll(self) -> int | None:
        code = self.process.poll()
        if code is not None:
            self._tell()
        self.returncode = code
        return code

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)


class CompanionWatch(pl.Callback):
    """The first process tells, once, why another one ended before its time; the others end when the first one is gone.

    The end of a process is noticed by its code or by its lost connection, in either order; both ways lead to `look`.
    """

    def __init__(self, run: Path):
        self.run = run
        self.cause: str | None = None
        """Why the training cannot go on, in words, from when it has been told; None where it is not known."""
        self._companions: list[_Companion] = []
        self._lock, self._over = threading.Lock(), threading.Event()

    @contextlib.contextmanager
    def watching(self, trainer: pl.Trainer) -> Iterator[None]:
        """Watch the processes that Lightning starts meanwhile, from their start on."""
        if trainer.strategy.launcher is not None:
            threading.Thread(target=self._watch, args=(trainer,), daemon=True).start()
        try:
            yield
        finally:
            self._over.set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size > 1 and trainer.local_rank > 0:
            threading.Thread(target=self._watch_parent, args=(os.getppid(),), daemon=True).start()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Wait for the process whose lost connection this is: the kernel closes its sockets before it reports its end.

        After any other exception the processes end because this one does, and nothing is said of them.
        """
        if lost_another(exception):
            due = time.monotonic() + _PATIENCE_S
            self._look(trainer)
            while self._companions and self.cause is None and time.monotonic() < due:
                time.sleep(_LOOK_EVERY_S)
                self._look(trainer)
        self._over.set()

    def _watch(self, trainer: pl.Trainer) -> None:
        while not self._over.wait(_LOOK_EVERY_S) and self.cause is None:
            self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        """Tell why a process that this one has started is gone, unless all is well, over, or told already."""
        with self._lock:
            processes = getattr(trainer.strategy.launcher, "procs", [])
            for place, process in enumerate(processes):
                if isinstance(process, subprocess.Popen):
                    rank = trainer.global_rank + place + 1
                    processes[place] = _Companion(rank, process, partial(self._look, trainer))
            self._companions = [process for process in processes if isinstance(process, _Companion)]
            if self.cause is None and not self._over.is_set() and (cause := _first_cause(self._companions)):
                self._tell(cause, "The others cannot go on without it")

    def _watch_parent(self, parent: int) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            if os.getppid() != parent:
                self._tell("the process that started this one is gone", "It ends too")
                time.sleep(1.0)  # for the error that the lost connection makes
                os._exit(1)

    def _tell(self, cause: str, consequence: str) -> None:
        self.cause = cause
        print(f"{cause}. {consequence}; {how_to_go_on(self.run / 'last')}", file=sys.stderr, flush=True)


def _first_cause(companions: list[_Companion]) -> str | None:
    """Return which process failed first, and how, in words; None where all live or have ended well.

    A killed one comes first: one that has lost another ends by a code of its own, or NCCL aborts it.
    """
    ends = [(companion.rank, code) for companion in companions if (code := companion.process.poll())]
    if not ends:
        return None
    rank, code = max(ends, key=lambda end: end[1] < 0 and end[1] != -signal.SIGABRT)
    if code > 0:
        return f"process {rank + 1} of this training ended with code {code}, as its own message tells"
    name = signal.Signals(-code).name
    return f"process {rank + 1} of this training was ended by {name}; where nobody sent it, the memory was full"
