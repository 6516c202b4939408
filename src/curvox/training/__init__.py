"""Training: orchestration only; no formula lives here."""

from curvox.training.averaging import AVERAGED
from curvox.training.building import Build, Prepare, build_model, sketch_model, with_loss
from curvox.training.checkpoints import read_training_state
from curvox.training.data import open_corpus
from curvox.training.history import EpochRecord, read_history
from curvox.training.observe import observe_run
from curvox.training.observed_model import observed_model
from curvox.training.options import build_augmentation
from curvox.training.prepared import PreparedData, Recordings
from curvox.training.probe import probe_loss, small_recipe
from curvox.training.recipe import Recipe, Section, dump_recipe, override, read_recipe, recipe_from
from curvox.training.recipe_file import laid_over, load_tree, read_tree
from curvox.training.run import RunFacts, RunResult, read_facts, train, what_is_trained
from curvox.training.vital_log import read_vitals

__all__ = [
    "AVERAGED",
    "Build",
    "EpochRecord",
    "Prepare",
    "PreparedData",
    "Recipe",
    "Recordings",
    "RunFacts",
    "RunResult",
    "Section",
    "build_augmentation",
    "build_model",
    "dump_recipe",
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
