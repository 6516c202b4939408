"""A training run from recipe to folder."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console

from curvox.embedder import DevResult, Embedder, replace_text, settle_folder
from curvox.errors import OutputExistsError, RecipeError, TrainingInterruptedError
from curvox.losses import AbstractLoss, create_loss
from curvox.losses.sharding import has_centres
from curvox.training.callbacks import CheckpointKeeper, ProgressDisplay
from curvox.training.checkpoints import FolderCheckpointIO
from curvox.training.data import PreparedData, prepare_data, training_loader
from curvox.training.memory import keep_freed_memory
from curvox.training.module import SpeakerModule
from curvox.training.optimizers import check_optimizer
from curvox.training.options import Augmentation, build_augmentation, build_encoder, build_filter_bank
from curvox.training.processes import compares_items
from curvox.training.recipe import Recipe, dump_recipe, read_recipe
from curvox.training.start import Start, apply_start, read_start

Progress = Callable[[int, int], None]

# How many there are is known only after decoding; enough for whatever a loss asks of their number.
_SKETCH_SPEAKERS = 1000


@dataclass(frozen=True)
class RunResult:
    """What a run left: its folder, the best dev result, steps taken in all, seconds of this call, unreadable
    recordings."""

    folder: Path
    best: DevResult | None
    steps: int
    seconds: float
    parameters: int
    speakers: int
    speech_s: float
    unreadable: tuple[str, ...]


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    resume: bool = False,
    cache: str | Path | None = None,
    console: Console | None = None,
    decoding_progress: Progress | None = None,
) -> RunResult:
    """Train as ``recipe`` says and leave a run folder: recipe.yaml, best/, last/, logs/, run.json.

    Args:
        recipe: what to do; ``recipe.data.path`` must be set.
        folder: the run folder; must not exist unless ``resume``.
        resume: continue from ``last`` with the same recipe; the result equals that of an uninterrupted run. Another
            accelerator, another number of devices or of workers is allowed.
        cache: where decoded audio is kept between runs; default ``.cache`` beside the run folder.
        console: where progress goes.
        decoding_progress: called with (recordings done, of how many) while audio is decoded.

    Raises:
        OutputExistsError: the folder exists and ``resume`` is false.
        RecipeError: settings contradict each other, the machine or the run that training starts from.
        TrainingError: numbers left the finite range; the last checkpoint is untouched.
    """
    folder, console = Path(folder), console or Console(stderr=True)
    _check_run(recipe, folder, resume)
    # Built once for nothing but the checks of its options: decoding takes minutes, a misspelt key must not wait for it.
    sketch, sketch_loss = build_model(recipe, speakers=_SKETCH_SPEAKERS)
    _check_model(recipe, sketch, sketch_loss)
    last = folder / "last"
    settle_folder(last)
    resumes = resume and last.exists()
    start = None
    if recipe.training.start_from is not None and not resumes:
        start = read_start(recipe.training.start_from, sketch)
    augmentation = build_augmentation(recipe.augmentation)
    checkpoints = FolderCheckpointIO()
    trainer = _trainer(recipe, folder, checkpoints, console)
    keep_freed_memory()
    cache = Path(cache or folder.parent / ".cache")
    data = prepare_data(recipe.data, seed=recipe.seed, cache=cache, progress=decoding_progress)
    _report_unreadable(data, console)
    module = _build_module(recipe, data, trainer, augmentation, start)
    checkpoints.model = module.embedder
    if trainer.is_global_zero and not resume:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "recipe.yaml", dump_recipe(recipe))
    started = time.monotonic()
    if resume and not resumes:
        console.print(f"{folder} has no checkpoint yet: starting from the beginning", highlight=False)
    _fit(trainer, module, last, resumes)
    result = _result(folder, module, trainer, data, module.seconds_before + time.monotonic() - started)
    if trainer.is_global_zero:
        _record(result)
    return result


def _record(result: RunResult) -> None:
    text = json.dumps({**asdict(result), "folder": result.folder.name, "torch": torch.__version__}, indent=1)
    replace_text(result.folder / "run.json", text)


def _build_module(
    recipe: Recipe, data: PreparedData, trainer: pl.Trainer, augmentation: Augmentation, start: Start | None
) -> SpeakerModule:
    loader = training_loader(
        data, recipe.data, seed=recipe.seed, rank=trainer.global_rank, processes=trainer.world_size
    )
    pl.seed_everything(recipe.seed, workers=True, verbose=False)
    embedder, loss = build_model(recipe, len(data.train.speaker_names))
    module = SpeakerModule(embedder, loss, recipe, data, loader, augmentation)
    if start is not None:
        apply_start(start, module)
    return module


def build_model(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
    """Build embedder and loss of a recipe for ``speakers`` classes; they share the space."""
    filter_bank = build_filter_bank(recipe.features, recipe.data.sampling_rate_hz)
    encoder = build_encoder(recipe.encoder, filter_bank.n_mels)
    loss = create_loss(recipe.loss, dim=encoder.embedding_dim, speakers=speakers)
    description = {
        "features": {"sampling_rate_hz": recipe.data.sampling_rate_hz, **recipe.features},
        "encoder": {"n_mels": filter_bank.n_mels, **recipe.encoder},
        "training": {"recipe": recipe.name, "loss": recipe.loss, "speakers": speakers},
    }
    return Embedder(filter_bank, encoder, loss.space, description), loss


def is_first_process() -> bool:
    """False in the further processes that a training on several devices starts."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def _check_model(recipe: Recipe, embedder: Embedder, loss: AbstractLoss) -> None:
    """Refuse settings of data and optimiser that do not go with the front end or the loss."""
    samples = round(recipe.data.crop_s * recipe.data.sampling_rate_hz)
    if embedder.filter_bank.frames(samples) < 1:
        raise RecipeError(f"data.crop_s = {recipe.data.crop_s} is shorter than a frame of features; take at least 0.1")
    if compares_items(loss) and recipe.data.recordings_per_speaker is None:
        raise RecipeError(
            f'the loss "{recipe.loss["name"]}" compares recordings of one speaker with each other, so every batch must '
            "hold some: set data.recordings_per_speaker to 2 or more"
        )
    if recipe.training.shard_classes and not has_centres(loss):
        raise RecipeError(
            f'the loss "{recipe.loss["name"]}" has no class centres to spread over processes; '
            "leave training.shard_classes out"
        )
    check_optimizer(recipe.training.optimizer, loss)


def _check_run(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Refuse a run folder that is taken, or one to resume that was made by another recipe."""
    if not is_first_process():
        return  # the first one has opened the run already
    stored = folder / "recipe.yaml"
    if not resume:
        if folder.exists() and any(folder.iterdir()):
            raise OutputExistsError(f"{folder} exists already: continue it with --resume, or give another --name")
    elif not stored.is_file():
        raise RecipeError(f"{folder} holds no recipe.yaml, so there is no run to resume; train without --resume")
    elif (old := _what_is_trained(read_recipe(stored))) != (new := _what_is_trained(recipe)):
        changed = ", ".join(key for key in new if new[key] != old[key])
        raise RecipeError(
            f"{folder} was trained with another recipe (changed: {changed}); resume with its own recipe.yaml, "
            "or give another --name"
        )


def _what_is_trained(recipe: Recipe) -> dict[str, Any]:
    """The recipe less what says where it runs, which may change on a resume."""
    return recipe.model_dump(exclude={"data": {"workers"}, "training": {"accelerator", "devices", "shard_classes"}})


def _trainer(recipe: Recipe, folder: Path, checkpoints: FolderCheckpointIO, console: Console) -> pl.Trainer:
    """Build Lightning's trainer; devices that are not there or do not fit the batch are refused by name."""
    training = recipe.training
    try:
        trainer = _build_trainer(recipe, folder, checkpoints, console)
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


def _build_trainer(recipe: Recipe, folder: Path, checkpoints: FolderCheckpointIO, console: Console) -> pl.Trainer:
    training = recipe.training
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    csv_log = CSVLogger(folder, name="logs")
    return pl.Trainer(
        accelerator=training.accelerator,
        devices=training.devices,
        precision=training.precision,
        max_epochs=training.epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        gradient_clip_val=training.optimizer.clip_gradient_norm,
        logger=[csv_log, TensorBoardLogger(folder, name="tensorboard", version=csv_log.version)],
        callbacks=[CheckpointKeeper(folder, training.checkpoint_every_steps), ProgressDisplay(console)],
        plugins=[checkpoints],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
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


def _fit(trainer: pl.Trainer, module: SpeakerModule, last: Path, resume: bool) -> None:
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


def _result(folder: Path, module: SpeakerModule, trainer: pl.Trainer, data: PreparedData, seconds: float) -> RunResult:
    return RunResult(
        folder=folder,
        best=module.best,
        steps=trainer.global_step,
        seconds=round(seconds, 1),
        parameters=sum(p.numel() for p in module.embedder.parameters()),
        speakers=len(data.train.speaker_names),
        speech_s=round(data.train.duration_s, 1),
        unreadable=data.unreadable,
    )


def _report_unreadable(data: PreparedData, console: Console) -> None:
    if data.dropped_trials:
        console.print(f"{data.dropped_trials} dev trials are left out with them", highlight=False)
    if data.unreadable:
        console.print(f"{len(data.unreadable)} recordings could not be read and are left out:")
        for line in data.unreadable:
            console.print(f"  {line}", highlight=False, markup=False)
