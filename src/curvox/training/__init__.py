"""Training: orchestration only; no formula lives here."""

from curvox.training.history import EpochRecord, read_history
from curvox.training.recipe import Recipe, dump_recipe, override, read_recipe, recipe_from
from curvox.training.run import RunResult, build_model, train

__all__ = [
    "EpochRecord",
    "Recipe",
    "RunResult",
    "build_model",
    "dump_recipe",
    "override",
    "read_history",
    "read_recipe",
    "recipe_from",
    "train",
]
