"""A training that is asked to end writes a checkpoint first: by a signal, as clusters send before the time is up."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch

from curvox.errors import TrainingInterruptedError
from curvox.training.launching import is_first_process
from curvox.training.module import SpeakerModule

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopOnSignal(pl.Callback):
    """Writes ``last`` and ends the run after the step in which SIGTERM or SIGUSR1 came to any of its processes.

    At the end of an epoch the dev EER is taken first, as in a run that goes on. Must come after `CheckpointKeeper`.

    Raises:
        TrainingInterruptedError: with the signal; further processes end without a word.
    """

    def __init__(self, run: Path):
        self.run = run
        self.asked = 0
        """Number of the signal that has come to this process; 0 for none."""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals instead of dying of them, also in processes that are forked meanwhile."""
        if threading.current_thread() is not threading.main_thread():  # which alone may listen
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self._listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = number

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has put a handler of its own before ours, which would end the run without a checkpoint.
        if threading.current_thread() is threading.main_thread():
            self._listen()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, SpeakerModule)
        if not pl_module.ends_step(batch_idx) or trainer.global_step % pl_module.steps_per_epoch == 0:
            return
        if number := self._asked_of_any(trainer):
            trainer.save_checkpoint(self.run / "last")
            self._stop(trainer, number)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        number = self._asked_of_any(trainer)
        if number and trainer.global_step < pl_module.total_steps:
            self._stop(trainer, number)

    def _asked_of_any(self, trainer: pl.Trainer) -> int:
        """The signal that has come to any of the processes, the same in all of them."""
        if trainer.world_size == 1:
            return self.asked
        asked = torch.tensor(self.asked, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(asked, reduce_op="max"))

    def _stop(self, trainer: pl.Trainer, number: int) -> None:
        if not is_first_process():
            raise SystemExit(0)
        name = signal.Signals(number).name
        raise TrainingInterruptedError(
            f"stopped by {name} after step {trainer.global_step} of {self.run}, which is in last/: continue it with "
            "--resume",
            number,
        )
