"""Lightning's trainer as a run needs it: devices checked, logs opened, an interrupt told in words."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from curvox.errors import RecipeError, TrainingError, TrainingInterruptedError
from curvox.training.checkpoints import FolderCheckpointIO
from curvox.training.companions import FOLLOWER_CODE, CompanionWatch, ends_as_follower
from curvox.training.faults import fault_in_words, how_to_go_on
from curvox.training.launching import check_started_processes, cluster_environments
from curvox.training.module import SpeakerModule
from curvox.training.recipe import Recipe
from curvox.training.stopping import StopOnSignal


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
    check_started_processes(trainer.world_size)
    _check_parts(recipe, trainer.world_size)
    return trainer


def _check_parts(recipe: Recipe, processes: int) -> None:
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
    # Written out as soon as they are measured, for whoever looks at a run that is under way.
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


def fit(trainer: pl.Trainer, module: SpeakerModule, last: Path, resume: bool, stopping: StopOnSignal) -> None:
    """Run the trainer, of which ``stopping`` is a callback.

    An interrupt, or a fault from outside, becomes an error that says how to go on.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    companions = CompanionWatch(last.parent)
    trainer.callbacks.append(companions)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        with warnings.catch_warnings(), stopping.listening(), companions.watching(trainer):
            for message in _NOISE:
                warnings.filterwarnings("ignore", message=message)
            trainer.fit(module, ckpt_path=str(last) if resume else None)
    except (SystemExit, KeyboardInterrupt) as stop:
        # The first is what Lightning makes of Ctrl-C, after it has switched further ones off; the second was faster.
        if not trainer.interrupted or (isinstance(stop, SystemExit) and stop.code == 0):
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        raise TrainingInterruptedError(
            f"interrupted in step {trainer.global_step} of {last.parent}: {how_to_go_on(last)}"
        ) from stop
    except (OSError, RuntimeError) as error:
        if (fault := fault_in_words(error, trainer.world_size, companions.cause)) is None:
            raise
        said = f"stopped in step {trainer.global_step} of {last.parent}: {fault}. {how_to_go_on(last)}"
        if ends_as_follower(trainer, error):
            print(said, file=sys.stderr, flush=True)
            raise SystemExit(FOLLOWER_CODE) from error
        raise TrainingError(said) from error
