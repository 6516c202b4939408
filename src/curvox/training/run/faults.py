"""What ends a training from outside, in words: the disk, the memory, a worker or another process that is gone.

A process that waits for another one in a collective may wait for long: NCCL by its timeout. torchrun and srun watch the
processes that they have started; those that Lightning has started are watched here.
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
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.loggers import TensorBoardLogger

from curvox.errors import CurvoxError
from curvox.files import remedy


def how_to_go_on(last: Path) -> str:
    """Return what to do with a run that was cut short, by whether it has a checkpoint ``last``."""
    if last.exists():
        return f"{last} is whole: continue it with --resume"
    return "no checkpoint was written yet; --resume starts it again"


def lost_another(error: BaseException) -> bool:
    """Whether ``error`` is what a process gets whose connection to another one broke."""
    said = str(error)
    return isinstance(error, RuntimeError) and (
        isinstance(error, dist.DistError) or "gloo" in said or "onnection" in said
    )


def fault_in_words(error: BaseException, world_size: int, cause: str | None = None) -> str | None:
    """Return what happened and what helps, or None where ``error`` is no such fault.

    ``cause`` is why another process is gone, where that is known.
    """
    if isinstance(error, CurvoxError):
        return None
    said = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"a file could not be read or written: {said}; {remedy(error)}"
    if not isinstance(error, RuntimeError):
        return None
    if "DataLoader worker" in said:
        return (
            f"a process that loads data is gone: {said.rstrip('. ')}. Killed: the machine ran out of memory, lower "
            "data.workers or data.batch_size; bus error: a disk that recordings are mapped from went away, or /dev/shm "
            "is full"
        )
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
        return (
            f"out of memory: {said[:200]}; lower data.batch_size, or compute it in parts by training.accumulate_batches"
        )
    if world_size > 1 and lost_another(error):
        return cause or (
            f"another of the {world_size} processes is gone ({said[:160]}); where it left no message, look for the "
            "kernel's in dmesg: it may have run out of memory"
        )
    return None


def check_logs(trainer: pl.Trainer) -> None:
    """Refuse to go on when the thread that writes TensorBoard's file has died, which it does without a word.

    Raises:
        OSError: it has.
    """
    for logger in trainer.loggers:
        if not trainer.is_global_zero or not isinstance(logger, TensorBoardLogger):
            continue
        writer = getattr(logger.experiment.file_writer, "event_writer", None)
        thread = getattr(writer, "_worker", None)
        if thread is not None and not thread.is_alive():
            raise OSError(f"{logger.log_dir}: nothing more can be written there, the disk may be full")


_LOOK_EVERY_S = 0.05
_PATIENCE_S = 30.0
"""How long the end of a process may come after that of its connections: Python ends slowly on a busy machine."""
FOLLOWER_CODE = 75
"""With which a process ends that Lightning has started and that has lost another one, so that it is not blamed."""


class _Companion:
    """A process that Lightning has started, in the place of its `Popen` in the launcher's list.

    Lightning looks there every few seconds, and kills all processes, its own among them, when one has failed. This one
    hands the code out when ``settle`` finds that the cause has been told, or when patience has come to its end.
    """

    def __init__(self, process: subprocess.Popen[bytes], settle: Callable[[], bool]):
        self.process = process
        self.pid = process.pid
        self.returncode: int | None = None
        self._settle = settle
        self._until: float | None = None

    def poll(self) -> int | None:
        code = self.process.poll()
        if code is not None and self._until is None:
            self._until = time.monotonic() + _PATIENCE_S
        if code == 0 or (self._until is not None and (self._settle() or time.monotonic() >= self._until)):
            self.returncode = code
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)


class CompanionWatch(pl.Callback):
    """The first process tells, once, why another one ended before its time; the others end when the first one is gone.

    The end of a process is noticed by its code or by its lost connection, in either order; both lead to the same look.
    """

    def __init__(self, run: Path):
        self.run = run
        self.cause: str | None = None
        """Why the training cannot go on, in words, from when it has been told; None where it is not known."""
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
            while not self._look(trainer) and time.monotonic() < due:
                time.sleep(_LOOK_EVERY_S)
        self._over.set()

    def _watch(self, trainer: pl.Trainer) -> None:
        while not self._over.wait(_LOOK_EVERY_S) and self.cause is None:
            self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> bool:
        """Tell why a process that this one has started is gone, unless all is well, over, or told already.

        Return whether nothing more is to be learnt: it was told, it is over, or none is left.
        """
        with self._lock:
            processes = getattr(trainer.strategy.launcher, "procs", [])
            for place, process in enumerate(processes):
                if isinstance(process, subprocess.Popen):
                    processes[place] = _Companion(process, partial(self._look, trainer))
            codes = {
                trainer.global_rank + place: companion.process.poll()
                for place, companion in enumerate(processes, start=1)
                if isinstance(companion, _Companion)
            }
            if self.cause is None and not self._over.is_set() and (cause := _first_cause(codes)):
                self._tell(cause, "The others cannot go on without it")
            return self.cause is not None or self._over.is_set() or None not in codes.values()

    def _watch_parent(self, parent: int) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            if os.getppid() != parent:
                self._tell("the process that started this one is gone", "It ends too")
                time.sleep(1.0)  # for the error that the lost connection makes
                os._exit(1)

    def _tell(self, cause: str, consequence: str) -> None:
        print(f"{cause}. {consequence}; {how_to_go_on(self.run / 'last')}", file=sys.stderr, flush=True)
        self.cause = cause  # only now: whoever finds a cause may end this process, and takes it for told


def ends_as_follower(trainer: pl.Trainer, error: BaseException) -> bool:
    """Whether this process, which Lightning has started, ends because another one has."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return isinstance(environment, LightningEnvironment) and trainer.local_rank > 0 and lost_another(error)


def _first_cause(codes: dict[int, int | None]) -> str | None:
    """Return which process failed first, and how, in words, from what each rank ended with; None where none did."""
    ends = [(rank, code) for rank, code in codes.items() if code and code != FOLLOWER_CODE]
    if not ends:
        return None
    rank, code = min(ends, key=lambda end: _order_of_blame(end[1]))
    if code > 0:
        return f"process {rank + 1} of this training ended with code {code}, as its own message tells"
    name = signal.Signals(-code).name
    return f"process {rank + 1} of this training was ended by {name}; where nobody sent it, the memory was full"


def _order_of_blame(code: int) -> int:
    """Rank the ends of processes that are noticed together: NCCL aborts those that have lost another."""
    return 2 if code == -signal.SIGABRT else int(code > 0)
