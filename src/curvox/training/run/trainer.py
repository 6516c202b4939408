"""Lightning's trainer as a run needs it: on a cluster or alone, stopped by signals, with faults told in words."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from curvox.errors import RecipeError, TrainingError, TrainingInterruptedError
from curvox.training.recipe.recipe import Recipe
from curvox.training.run.checkpoints import FolderCheckpointIO
from curvox.training.run.faults import FOLLOWER_CODE, CompanionWatch, ends_as_follower, fault_in_words, how_to_go_on
from curvox.training.step.guard import FAILURE, NotFiniteError, write_death
from curvox.training.step.module import SpeakerModule

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
"""Each is 0 in the first process of a training, where it is set at all; Lightning, torchrun and srun set some."""


def is_first_process() -> bool:
    """Tell whether this is the first process of a training, on any device or node; known before they have met."""
    return all(int(os.environ.get(name, "0")) == 0 for name in _RANKS)


def cluster_environments() -> list[ClusterEnvironment]:
    """Return what Lightning must be told of the cluster: under SLURM, that a requeue is not its affair."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""Sent by clusters before the time is up."""


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
        raise TrainingInterruptedError(
            f"stopped by {signal.Signals(number).name} after step {trainer.global_step} of {self.run}, which is in "
            "last/: continue it with --resume",
            number,
        )


def make_trainer(
    recipe: Recipe, folder: Path, checkpoints: FolderCheckpointIO, callbacks: Sequence[pl.Callback], log_every: int
) -> pl.Trainer:
    """Build Lightning's trainer; devices that are not there or do not fit the batch are refused by name."""
    training = recipe.training
    try:
        trainer = _build_trainer(recipe, folder, checkpoints, callbacks, log_every)
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise RecipeError(
            f"training.accelerator = {training.accelerator}, training.devices = {training.devices}, "
            f"training.nodes = {training.nodes}, training.precision = {training.precision} cannot be had on this "
            f"machine: {error}"
        ) from error
    if trainer.precision != training.precision:
        raise RecipeError(
            f"training.precision = {training.precision} cannot be had on this device, which would compute in "
            f"{trainer.precision}; ask for that"
        )
    _check_processes(recipe, trainer.world_size)
    return trainer


def _check_processes(recipe: Recipe, processes: int) -> None:
    """Refuse another number of processes than torchrun or srun has started, or than divides the batch."""
    for starter, environment, count in (
        ("torchrun", TorchElasticEnvironment, "WORLD_SIZE"),
        ("srun", SLURMEnvironment, "SLURM_NTASKS"),
    ):
        if environment.detect():
            if (started := int(os.environ[count])) != processes:
                raise RecipeError(
                    f"{starter} has started {started} processes, but training.nodes x training.devices = {processes}: "
                    "set training.nodes to the number of machines and training.devices to the processes on each"
                )
            break
    size, parts = recipe.data.batch_size, recipe.training.accumulate_batches
    if size % processes:
        raise RecipeError(f"data.batch_size must be a multiple of the {processes} processes, got {size}")
    if parts > 1 and (size % (processes * parts) or size < 2 * processes * parts):
        raise RecipeError(
            f"data.batch_size must give each of {parts} parts (training.accumulate_batches) in each of {processes} "
            f"processes the same number of crops, at least 2, got {size}"
        )


def _build_trainer(
    recipe: Recipe, folder: Path, checkpoints: FolderCheckpointIO, callbacks: Sequence[pl.Callback], log_every: int
) -> pl.Trainer:
    training = recipe.training
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Written out as soon as they are measured, for a look at a run that is under way.
    csv_log = CSVLogger(folder, name="logs", flush_logs_every_n_steps=log_every)
    return pl.Trainer(
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.nodes,
        accumulate_grad_batches=training.accumulate_batches,
        precision=training.precision,
        max_epochs=training.epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        gradient_clip_val=training.optimizer.clip_gradient_norm,
        # A queue without end: one that is full waits for ever when its thread has died of a full disk.
        logger=[csv_log, TensorBoardLogger(folder, name="tensorboard", version=csv_log.version, max_queue=0)],
        callbacks=list(callbacks),
        plugins=[checkpoints, *cluster_environments()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=log_every,
    )


# Lightning's advice that does not fit: the loaders only slice memory, and resuming mid-epoch is handled by
# PlannedBatches.
_NOISE = (
    ".*does not have many workers.*",
    ".*your dataloader is not resumable.*",
    ".*smaller than the logging interval.*",
    ".*Experiment logs directory.*",
    ".*LeafSpec.*",
    ".*isinstance.treespec.*",
)


def fit(trainer: pl.Trainer, module: SpeakerModule, run: Path, resume: bool, stopping: StopOnSignal) -> None:
    """Run the trainer, of which ``stopping`` is a callback; how a run dies is written down, and forgotten on a resume.

    An interrupt, or a fault from outside, becomes an error that says how to go on.
    """
    last = run / "last"
    on_interrupt = signal.getsignal(signal.SIGINT)
    companions = CompanionWatch(run)
    if trainer.is_global_zero:
        (run / FAILURE).unlink(missing_ok=True)
    trainer.callbacks.append(companions)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        with warnings.catch_warnings(), stopping.listening(), companions.watching(trainer):
            for message in _NOISE:
                warnings.filterwarnings("ignore", message=message)
            trainer.fit(module, ckpt_path=str(last) if resume else None)
    except NotFiniteError as error:
        write_death(run, error.death)
        raise
    except (SystemExit, KeyboardInterrupt) as stop:
        # The first is what Lightning makes of Ctrl-C, after it has switched further ones off; the second was faster.
        if not trainer.interrupted or (isinstance(stop, SystemExit) and stop.code == 0):
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        raise TrainingInterruptedError(
            f"interrupted in step {trainer.global_step} of {run}: {how_to_go_on(last)}"
        ) from stop
    except (OSError, RuntimeError) as error:
        if (fault := fault_in_words(error, trainer.world_size, companions.cause)) is None:
            raise
        said = f"stopped in step {trainer.global_step} of {run}: {fault}. {how_to_go_on(last)}"
        if ends_as_follower(trainer, error):
            print(said, file=sys.stderr, flush=True)
            raise SystemExit(FOLLOWER_CODE) from error
        raise TrainingError(said) from error
