"""Training: orchestration only; no formula lives here.

A recipe says what to do (``recipe``), a corpus becomes batches (``data``), a batch a step (``step``), steps a run in a
folder (``run``), and a run is looked into afterwards (``observing``). Names are imported when they are asked for, so
that reading a recipe needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curvox.training.data.augmenting import build_augmentation
    from curvox.training.data.crops import BAD_FILES
    from curvox.training.data.flac_corpus import convert_to_flac
    from curvox.training.data.loading import open_corpus
    from curvox.training.data.prepared import PreparedData, Recordings
    from curvox.training.observing.observe import observe_run, probe_loss, small_recipe
    from curvox.training.observing.observed import observed_model
    from curvox.training.recipe.reading import (
        dump_recipe,
        laid_over,
        load_tree,
        override,
        read_recipe,
        read_tree,
        recipe_from,
    )
    from curvox.training.recipe.recipe import Recipe, Section, TrainingRecipe
    from curvox.training.run.callbacks import AVERAGED
    from curvox.training.run.checkpoints import read_training_state
    from curvox.training.run.logs import EpochRecord, read_history, read_vitals
    from curvox.training.run.train import RunFacts, RunResult, read_facts, train, what_is_trained
    from curvox.training.run.trainer import is_first_process
    from curvox.training.step.building import Build, Prepare, build_encoder, build_model, sketch_model, with_loss
    from curvox.training.step.processes import compares_items

_PACKAGE = "curvox.training"
_NAMES = {
    "recipe.recipe": ("Recipe", "Section", "TrainingRecipe"),
    "recipe.reading": ("dump_recipe", "laid_over", "load_tree", "override", "read_recipe", "read_tree", "recipe_from"),
    "data.augmenting": ("build_augmentation",),
    "data.crops": ("BAD_FILES",),
    "data.flac_corpus": ("convert_to_flac",),
    "data.loading": ("open_corpus",),
    "data.prepared": ("PreparedData", "Recordings"),
    "step.building": ("Build", "Prepare", "build_encoder", "build_model", "sketch_model", "with_loss"),
    "step.processes": ("compares_items",),
    "run.callbacks": ("AVERAGED",),
    "run.checkpoints": ("read_training_state",),
    "run.logs": ("EpochRecord", "read_history", "read_vitals"),
    "run.train": ("RunFacts", "RunResult", "read_facts", "train", "what_is_trained"),
    "run.trainer": ("is_first_process",),
    "observing.observe": ("observe_run", "probe_loss", "small_recipe"),
    "observing.observed": ("observed_model",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "AVERAGED",
    "BAD_FILES",
    "Build",
    "EpochRecord",
    "Prepare",
    "PreparedData",
    "Recipe",
    "Recordings",
    "RunFacts",
    "RunResult",
    "Section",
    "TrainingRecipe",
    "build_augmentation",
    "build_encoder",
    "build_model",
    "compares_items",
    "convert_to_flac",
    "dump_recipe",
    "is_first_process",
    "laid_over",
    "load_tree",
    "observe_run",
    "observed_model",
    "open_corpus",
    "override",
    "probe_loss",
    "read_facts",
    "read_history",
    "read_recipe",
    "read_training_state",
    "read_tree",
    "read_vitals",
    "recipe_from",
    "sketch_model",
    "small_recipe",
    "train",
    "what_is_trained",
    "with_loss",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{_PACKAGE}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
