"""Everything that can be measured of a run, and a short run of a loss that was never trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from curvox.diagnosis import EmbeddedSet, RunObservation
from curvox.errors import CheckpointError, CurvoxError, require_positive
from curvox.losses import AbstractLoss
from curvox.training.data.loading import training_loader
from curvox.training.data.prepared import PreparedData, choose_recordings
from curvox.training.observing.observed import (
    ObservedModel,
    embed_recordings,
    observed_model,
    observed_step,
    recording_facts,
)
from curvox.training.recipe.reading import read_recipe, recipe_from
from curvox.training.recipe.recipe import Recipe
from curvox.training.run.logs import read_vitals
from curvox.training.run.train import train
from curvox.training.step.building import Build, Prepare, build_model, data_for, with_loss
from curvox.training.step.guard import NotFiniteError, read_death

Part = TypeVar("Part")


def observe_run(
    folder: str | Path,
    *,
    data: str | Path | None = None,
    build: Build = build_model,
    prepare: Prepare | None = None,
    recordings: int = 512,
    cache: str | Path | None = None,
    console: Console | None = None,
) -> RunObservation:
    """Measure what can be measured of a run, for `curvox.diagnosis.diagnose_run`.

    The run may be finished, under way or dead; its folder is only read. A part that cannot be had is None in the
    result, with the reason in ``missing``.

    Args:
        folder: of the run.
        data: corpus folder or manifest, where it is not where the recipe says.
        build: as in the training; see `train`.
        prepare: as in the training.
        recordings: how many of either split are embedded at most.
        cache: of decoded audio; default ``.cache`` beside the run folder, as in training.
        console: where progress goes.

    Raises:
        CheckpointError: ``folder`` is no run.
        RecipeError: its recipe.yaml is damaged.
    """
    run = Path(folder)
    recipe = _recipe(run, data)
    say = (console or Console(quiet=True)).print
    parts = _Parts()
    say("reading recordings")
    place = Path(cache or run.absolute().parent / ".cache")
    prepared = parts.get(lambda: data_for(recipe, build, prepare, cache=place), "recordings", "train", "dev", "step")
    model = parts.get(lambda: observed_model(run, recipe, build), "loss", "train", "dev", "step")
    say("embedding")
    train = dev = step = None
    if prepared is not None and model is not None:
        train, dev = parts.get(lambda: _embedded(recipe, prepared, model, recordings), "train", "dev") or (None, None)
        say("measuring a training step")
        step = parts.get(lambda: observed_step(recipe, prepared, model), "step")
    splits = recipe.data.train_split, recipe.data.dev_split
    say("measuring recordings")
    loss = None if model is None else model.loss
    if model is not None and loss is None:
        parts.missing["loss"] = model.why_no_loss
    return RunObservation(
        name=run.absolute().name,
        loss=loss,
        train=train,
        dev=dev,
        step=step,
        history=parts.get(lambda: read_vitals(run, recipe, _steps_per_epoch(recipe, prepared)), "history"),
        recordings=None if prepared is None else recording_facts(prepared, splits),
        death=parts.get(lambda: read_death(run), "death"),
        missing=parts.missing,
    )


@dataclass
class _Parts:
    """Takes parts of a run, and notes why one cannot be had."""

    missing: dict[str, str] = field(default_factory=dict)

    def get(self, take: Callable[[], Part], *names: str) -> Part | None:
        try:
            return take()
        except (CurvoxError, OSError) as error:
            for name in names:
                self.missing.setdefault(name, str(error))
            return None


def _recipe(run: Path, data: str | Path | None) -> Recipe:
    path = run / "recipe.yaml"
    if not path.is_file():
        found = f"got {run}, which holds no recipe.yaml" if run.is_dir() else f"got {run}, which is no folder"
        raise CheckpointError(f"expected the folder of a training run, such as runs/x, {found}")
    recipe = read_recipe(path)
    if data is None:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": str(data)})})


def _embedded(recipe: Recipe, data: PreparedData, model: ObservedModel, most: int) -> tuple[EmbeddedSet, EmbeddedSet]:
    """Both splits, whole recordings: crops as they are trained on are so short that labels seem wrong which are not."""
    splits = [(items, choose_recordings(items.speakers, most, recipe.seed)) for items in (data.train, data.dev)]
    train, dev = (embed_recordings(model.embedder, items, rows) for items, rows in splits)
    return train, dev


def _steps_per_epoch(recipe: Recipe, data: PreparedData | None) -> int | None:
    if data is None:
        return None
    return len(training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1))


WATCH_EVERY = 4


def probe_loss(
    make_loss: Callable[[int, int], AbstractLoss],
    recipe: Recipe,
    folder: str | Path,
    *,
    steps: int = 80,
    cache: str | Path | None = None,
    console: Console | None = None,
) -> RunObservation:
    """Train a loss for some steps and measure what became of it, for `curvox.diagnosis.diagnose_run`.

    A training that dies is measured too.

    Args:
        make_loss: from the embedding's dimension and the number of speakers to the loss.
        recipe: what to train it on and with, such as `small_recipe`; its ``loss`` is not looked at.
        folder: the run folder, which must not exist.
        steps: of the optimiser; the learning rate's way is as long.
        cache: of decoded audio; default ``.cache`` beside the run folder.
        console: where progress goes.

    Raises:
        OutputExistsError: the folder exists.
        RecipeError: the recipe does not go with the loss.
    """
    steps = int(require_positive(steps, "steps"))
    build = with_loss(make_loss)
    an_epoch = (recipe.data.crops_per_epoch or recipe.data.batch_size) // recipe.data.batch_size
    training = recipe.training.model_copy(update={"max_steps": steps, "epochs": math.ceil(steps / max(1, an_epoch))})
    recipe = recipe.model_copy(update={"training": training, "loss": {"name": "probed"}})
    try:
        train(recipe, folder, build=build, cache=cache, console=console, watch_every=WATCH_EVERY)
    except NotFiniteError as death:
        if console is not None:
            console.print(str(death), highlight=False, markup=False)
    return observe_run(folder, build=build, cache=cache, console=console)


def small_recipe(data: str, *, whole_batch: bool, seed: int = 1) -> Recipe:
    """Return a recipe that trains a small encoder on a part of a corpus; 80 steps take some ten seconds on two cores.

    Args:
        data: corpus folder or manifest, with the splits train and dev.
        whole_batch: the loss compares recordings with each other, so each batch holds 16 speakers twice.
        seed: of weights, recordings and batches.
    """
    return recipe_from(
        {
            "name": "probe",
            "seed": seed,
            "data": {
                "path": data,
                "crop_s": 1.0,
                "batch_size": 32,
                "crops_per_epoch": 512,
                "most_recordings": 320,
                **({"recordings_per_speaker": 2} if whole_batch else {"balance": "speaker"}),
            },
            "features": {"n_mels": 40},
            "encoder": {"name": "ecapa_tdnn", "channels": 32, "aggregation_channels": 64, "embedding_dim": 32},
            "loss": {"name": "probed"},
            "training": {"accelerator": "cpu", "schedule": {"warmup_epochs": 0.5, "final_learning_rate": 1.0e-4}},
        }
    )
