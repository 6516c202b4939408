"""What a run folder says beside its model: its corpus, its training speakers, its names for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curvox.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from curvox.corpora import Corpus


def run_folder(folder: Path) -> Path:
    """Return the run that ``folder`` is, or is a checkpoint of."""
    whole = folder.absolute()
    return (
        folder if (folder / "recipe.yaml").is_file() or not (whole.parent / "recipe.yaml").is_file() else whole.parent
    )


def corpus_of(folder: Path, data: Path | None) -> Corpus:
    """Read the corpus given, or the one the run was trained on."""
    from curvox.corpora import read_corpus
    from curvox.training import read_recipe

    recipe_path = run_folder(folder) / "recipe.yaml"
    if not recipe_path.is_file():
        if data is None:
            raise InputError(
                f"{folder} is a bare model without a run's recipe; name the corpus of the trials with --data"
            )
        return read_corpus(data, check_files=False)
    recipe = read_recipe(recipe_path).data
    if data is None:
        _refuse_shards(recipe.path)
    path = data or Path(recipe.path or "")
    if not path.exists():
        raise InputError(f"the corpus of this run, {path}, is not here; name its folder with --data")
    # Files are not checked here: scoring names those that a trial needs and cannot use.
    if data is not None:
        return read_corpus(data, check_files=False)
    return read_corpus(path, format=recipe.format, audio_root=recipe.audio_root, check_files=False)


def _refuse_shards(path: str | None) -> None:
    from curvox.audio import is_shard_folder

    if path is not None and is_shard_folder(path):
        raise InputError(
            f"this run was trained on the shards {path}, whose recordings are no files of their own; name the folder "
            "of the corpus with --data"
        )


def training_corpus(folder: Path, data: Path | None) -> Corpus:
    """Return the recordings a run was trained on, for a cohort.

    They are read where the recipe has them, and in ``data``, which may well be a corpus of other speakers, only when
    that is gone.

    Raises:
        InputError: a bare model, which names no training split, or no corpus in either place.
    """
    from curvox.audio import is_shard_folder
    from curvox.training import open_corpus, read_recipe

    recipe_path = run_folder(folder) / "recipe.yaml"
    if not recipe_path.is_file():
        raise InputError(f"{folder} is a bare model without a run's recipe, so its training speakers are not known")
    recipe = read_recipe(recipe_path)
    # Files are not checked here: embedding names those that it needs and cannot use.
    changes: dict[str, Any] = {"allowed_bad_share": 0.5}
    own = recipe.data.path
    if data is None:
        _refuse_shards(own)
    if own is None or is_shard_folder(own) or not Path(own).exists():
        if data is None:
            raise InputError(f"the corpus of this run, {own}, is not here; name its folder with --data")
        changes |= {"path": str(data), "format": None, "audio_root": None}
    return open_corpus(recipe.data.model_copy(update=changes), recipe.seed).split(recipe.data.train_split)


def training_speakers(folder: Path) -> frozenset[str] | None:
    """Return the names of the speakers the run was trained on, None where nothing says them."""
    from curvox.training import read_training_state

    try:
        return frozenset(training_corpus(folder, None).speakers)
    except (InputError, CheckpointError):
        pass
    try:
        return frozenset(read_training_state(run_folder(folder) / "last")["curvox"]["speakers"])
    except CheckpointError:
        return None


def title_of(loss: str) -> str:
    """Return a loss's name as papers print it: ``ham_softmax`` is HAM-Softmax."""
    from curvox.losses import LOSSES

    return re.sub(r"(?<=.)Softmax$", "-Softmax", LOSSES[loss].attribute) if loss in LOSSES else ""
