"""Lightning's trainer as a run needs it: devices checked, logs opened, an interrupt told in words."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from curvox.errors import RecipeError, TrainingInterruptedError
from curvox.training.checkpoints import FolderCheckpointIO
from curvox.training.module import SpeakerModule
from curvox.training.recipe import Recipe


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
            f"training.precision = {training.precision} cannot be had on this machine: {error}"
        ) from error
    if trainer.precision != training.precision:
        raise RecipeError(
            f"training.precision = {training.precision} cannot be had on this device, which would compute in "
            f"{trainer.precision}; ask for that"
        )
    if recipe.data.batch_size % trainer.world_size:
        raise RecipeError(
            f"data.batch_size must be a multiple of the {trainer.world_size} processes, got {recipe.data.batch_size}"
        )
    return trainer


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
        precision=training.precision,
        max_epochs=training.epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        gradient_clip_val=training.optimizer.clip_gradient_norm,
        logger=[csv_log, TensorBoardLogger(folder, name="tensorboard", version=csv_log.version)],
        callbacks=list(callbacks),
        plugins=[checkpoints],
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


def fit(trainer: pl.Trainer, module: SpeakerModule, last: Path, resume: bool) -> None:
    """Run the trainer; an interrupt becomes an error that says how to go on."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            for message in _NOISE:
                warnings.filterwarnings("ignore", message=message)
            trainer.fit(module, ckpt_path=str(last) if resume else None)
    except SystemExit as stop:  # what Lightning makes of Ctrl-C, after it has switched further ones off
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        kept = (
            "continue it with --resume" if last.exists() else "no checkpoint was written yet; --resume starts it again"
        )
        raise TrainingInterruptedError(f"interrupted in step {trainer.global_step} of {last.parent}: {kept}") from stop
