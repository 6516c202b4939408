"""A loss that was never trained, tried on a small encoder: what comes of it shows in a minute."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from curvox.diagnosis import RunObservation
from curvox.errors import require_positive
from curvox.losses import AbstractLoss
from curvox.training.building import with_loss
from curvox.training.guard import NotFiniteError
from curvox.training.observe import observe_run
from curvox.training.recipe import Recipe
from curvox.training.recipe_file import recipe_from
from curvox.training.run import train

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
