"""A training run from recipe to folder."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from rich.console import Console

from curvox.embedder import DevResult
from curvox.errors import OutputExistsError, RecipeError
from curvox.files import replace_text, settle_folder
from curvox.records import read_record, to_json, to_plain
from curvox.training.data.augmenting import Augmenter, build_augmentation
from curvox.training.data.crops import BAD_FILES, BadFiles
from curvox.training.data.loading import PreparedData, training_loader
from curvox.training.recipe.reading import dump_recipe, read_recipe
from curvox.training.recipe.recipe import Recipe
from curvox.training.run.callbacks import CheckpointKeeper, ProgressDisplay, WeightAverager
from curvox.training.run.checkpoints import FolderCheckpointIO, Start, apply_start, read_start
from curvox.training.run.trainer import StopOnSignal, fit, is_first_process, make_trainer
from curvox.training.run.watch import VitalWatch
from curvox.training.step.building import Build, Prepare, build_model, data_for, first_model, sketch_model
from curvox.training.step.module import SpeakerModule

# Keeping freed memory for the next training step.

RESULT = "run.json"
_SHOWN = 20


@dataclass(frozen=True)
class RunFacts:
    """Seconds of a finished run, steps of its optimiser, and numbers its encoder has learnt."""

    seconds: float
    steps: int
    parameters: int


@dataclass(frozen=True)
class RunResult:
    """What a run left: its folder, the best dev result, that of the mean of the last epochs if the recipe asks for
    one, steps taken in all, seconds of this call, unreadable recordings."""

    folder: Path
    best: DevResult | None
    averaged: DevResult | None
    steps: int
    seconds: float
    parameters: int
    speakers: int
    speech_s: float
    unreadable: tuple[str, ...]


def train(
    recipe: Recipe | str | Path,
    folder: str | Path,
    *,
    data: str | Path | None = None,
    resume: bool = False,
    cache: str | Path | None = None,
    console: Console | None = None,
    decoding_progress: Callable[[int, int], None] | None = None,
    build: Build = build_model,
    prepare: Prepare | None = None,
    watch_every: int = 10,
) -> RunResult:
    """Train as ``recipe`` says and leave a run folder: recipe.yaml, best/, last/, logs/, run.json; averaged/ if asked.

    Args:
        recipe: what to do, or the path of a YAML recipe.
        folder: the run folder; must not exist unless ``resume``.
        data: the corpus, a path or the URL of shards; ``recipe.data.path`` if None.
        resume: continue from ``last`` with the same recipe; the result equals that of an uninterrupted run. Another
            accelerator, another number of devices or of workers is allowed.
        cache: where decoded audio is kept between runs; default ``.cache`` beside the run folder.
        console: where progress goes.
        decoding_progress: called with (recordings done, of how many) while audio is decoded: that of the corpus, then
            what augmentation adds to it.
        build: makes embedder and loss in the place of the recipe's ``encoder`` and ``loss``, such as
            ``with_loss(MyLoss)``; called twice, the first time for nothing but the checks. `load` reads the
            checkpoints as long as the encoder is the recipe's. A resume, and `observe_run`, need the same ``build``.
        prepare: changes the decoded data before it is trained on, such as to fewer recordings or other labels.
        watch_every: steps from one log entry, and from one look at the vital signs, to the next.

    Raises:
        OutputExistsError: the folder exists and ``resume`` is false.
        RecipeError: settings contradict each other, the machine or the run that training starts from.
        TrainingError: numbers left the finite range, as ``failure.json`` tells; or ``training.stop_on_failure`` is set
            and the doctor is sure that the embeddings will be useless; or a disk, the memory, a worker or another
            process failed. The last checkpoint is untouched.
        TrainingInterruptedError: a signal came; on SIGTERM and SIGUSR1 ``last`` is that of the step it came in.
    """
    folder, console = Path(folder), console or Console(stderr=True)
    recipe = _with_data(recipe if isinstance(recipe, Recipe) else read_recipe(recipe), data)
    _check_run(recipe, folder, resume)
    sketch = sketch_model(recipe, build)
    last = folder / "last"
    settle_folder(last)
    resumes = resume and last.exists()
    start = None
    if recipe.training.start_from is not None and not resumes:
        start = read_start(recipe.training.start_from, sketch)
    augmentation = build_augmentation(recipe.augmentation, recipe.data.sampling_rate_hz)
    checkpoints = FolderCheckpointIO()
    stopping = StopOnSignal(folder)
    callbacks = [*_callbacks(recipe, folder, console, watch_every), stopping]
    trainer = make_trainer(recipe, folder, checkpoints, callbacks, watch_every)
    keep_freed_memory()
    cache = Path(cache or folder.parent / ".cache")
    prepared = data_for(recipe, build, prepare, cache=cache, progress=decoding_progress)
    _report_unreadable(prepared, console)
    augmenter = augmentation.open(
        sampling_rate_hz=recipe.data.sampling_rate_hz, seed=recipe.seed, cache=cache, progress=decoding_progress
    )
    module = _build_module(recipe, prepared, trainer, augmenter, start, build, folder)
    checkpoints.model = module.embedder
    if trainer.is_global_zero and not resume:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "recipe.yaml", dump_recipe(recipe))
    bad_files = BadFiles(folder / BAD_FILES, prepared.recordings, recipe.data.allowed_bad_share)
    for bad in prepared.unreadable if trainer.is_global_zero else ():
        bad_files.add(bad)
    started = time.monotonic()
    if resume and not resumes:
        console.print(f"{folder} has no checkpoint yet: starting from the beginning", highlight=False)
    fit(trainer, module, folder, resumes, stopping)
    result = _result(folder, module, module.seconds_before + time.monotonic() - started, bad_files)
    if trainer.is_global_zero:
        tree = {**to_plain(result), "folder": folder.name, "torch": torch.__version__}
        replace_text(folder / RESULT, to_json(tree))
    return result


def _callbacks(recipe: Recipe, folder: Path, console: Console, watch_every: int) -> list[pl.Callback]:
    average_last = recipe.training.average_last
    return [
        # What the averager has added up is part of the checkpoint that the keeper writes.
        *([] if average_last is None else [WeightAverager(folder, average_last)]),
        CheckpointKeeper(folder, recipe.training.checkpoint_every_steps),
        ProgressDisplay(console),
        VitalWatch(console, every_steps=watch_every, stop_on_failure=recipe.training.stop_on_failure),
    ]


def read_facts(run: Path) -> RunFacts:
    """Read what the result of a finished run says of its length and its model.

    Raises:
        CheckpointError: there is none, for the run has not finished, or it is damaged.
    """
    again = "train the run to its end"
    return read_record(run / RESULT, RunFacts, what="the result of a finished training", again=again, others=True)


def _build_module(
    recipe: Recipe,
    data: PreparedData,
    trainer: pl.Trainer,
    augmenter: Augmenter,
    start: Start | None,
    build: Build,
    folder: Path,
) -> SpeakerModule:
    loader = training_loader(
        data,
        recipe.data,
        seed=recipe.seed,
        rank=trainer.global_rank,
        processes=trainer.world_size,
        parts=recipe.training.accumulate_batches,
        bad_files=folder / BAD_FILES,
    )
    embedder, loss = first_model(recipe, len(data.class_names), build, data.class_labels)
    module = SpeakerModule(embedder, loss, recipe, data, loader, augmenter)
    if start is not None:
        apply_start(start, module)
    return module


def _with_data(recipe: Recipe, data: str | Path | None) -> Recipe:
    if data is None:
        return recipe
    place = str(data) if "://" in str(data) else str(Path(data).resolve())
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": place})})


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
    elif (old := what_is_trained(read_recipe(stored))) != (new := what_is_trained(recipe)):
        changed = ", ".join(key for key in new if new[key] != old[key])
        raise RecipeError(
            f"{folder} was trained with another recipe (changed: {changed}); resume with its own recipe.yaml, "
            "or give another --name"
        )


def what_is_trained(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe without what a resume may change: where it runs, and when it gives up."""
    where = {"accelerator", "devices", "nodes", "shard_classes", "accumulate_batches", "compile", "stop_on_failure"}
    return recipe.model_dump(exclude={"data": {"workers", "cache_gb", "allowed_bad_share"}, "training": where})


def _result(folder: Path, module: SpeakerModule, seconds: float, bad_files: BadFiles) -> RunResult:
    data = module.data
    return RunResult(
        folder=folder,
        best=module.best,
        averaged=module.averaged,
        steps=module.global_step,
        seconds=round(seconds, 1),
        parameters=sum(p.numel() for p in module.embedder.parameters()),
        speakers=len(data.train.speaker_names),
        speech_s=round(data.train.duration_s, 1),
        unreadable=tuple(f"{bad.path}: {bad.reason}" for bad in bad_files.read()),
    )


def _report_unreadable(data: PreparedData, console: Console) -> None:
    if data.dropped_trials:
        console.print(f"{data.dropped_trials} dev trials are left out with them", highlight=False)
    if data.unreadable:
        console.print(f"{len(data.unreadable)} recordings could not be read and are left out:")
        for bad in data.unreadable[:_SHOWN]:
            console.print(f"  {bad.path}: {bad.reason}", highlight=False, markup=False)
        if len(data.unreadable) > _SHOWN:
            console.print(f"  and {len(data.unreadable) - _SHOWN} more, see {BAD_FILES} of the run", highlight=False)


def keep_freed_memory() -> bool:
    """Tell glibc to keep large freed blocks instead of returning them to the kernel; return whether it took effect.

    Every step allocates and frees the same activations. By default each block above 32 MB is mapped and faulted in
    again, page by page, each time; ``benchmarks/train_step.py --memory glibc`` shows what that costs. Elsewhere than on
    glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    trim_threshold, mmap_threshold = -1, -3  # of malloc.h
    return bool(mallopt(mmap_threshold, 1 << 30)) and bool(mallopt(trim_threshold, (1 << 31) - 1))
