"""Which folder a model lies in, the names of its files, and what tells one model from another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

from curvox.errors import CheckpointError
from curvox.files import previous_folder

WEIGHTS, CARD = "model.safetensors", "model.yaml"
CHECKPOINTS = ("averaged", "best", "last")

_PARTS = ("features", "encoder", "space")


def model_folder(folder: str | Path) -> Path:
    """Return the folder of the model files: ``folder`` itself, or of a run ``averaged``, else ``best``, else ``last``.

    The mean of the last epochs is there only when the recipe asked for it, and then it is what the run was for.

    Raises:
        CheckpointError: there is no model.
    """
    folder = Path(folder).absolute()
    # A reader changes nothing: a folder whose exchange was cut short is read under its hidden name.
    wanted = (folder, *(folder / name for name in CHECKPOINTS))
    for candidate in (place if place.exists() else previous_folder(place) for place in wanted):
        if (candidate / CARD).is_file():
            if not (candidate / WEIGHTS).is_file():
                raise CheckpointError(f"{candidate} has {CARD} but no {WEIGHTS}; copy the whole folder")
            return candidate
        if candidate.name in CHECKPOINTS[:2] and candidate != folder and candidate.is_dir():
            raise CheckpointError(f"{candidate} has no {CARD}; copy the whole folder, or name {folder / 'last'}")
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; expected a run such as runs/x, or a checkpoint such as runs/x/best"
        )
    found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise CheckpointError(f"{folder} holds no model: expected {CARD} and {WEIGHTS} there or in best/, found {found}")


def model_fingerprint(folder: Path) -> str:
    """Return a digest (64 hexadecimal digits) of what decides a model's scores.

    These are its weights, its features, its encoder and its space. Who trained it, and how it did on its dev trials,
    may be written anew without another fingerprint.

    Raises:
        CheckpointError: a file cannot be read.
    """
    try:
        tree = yaml.safe_load((folder / CARD).read_text(encoding="utf-8"))
        parts = json.dumps({name: tree[name] for name in _PARTS}, sort_keys=True)
        digest = hashlib.sha256(parts.encode())
        digest.update((folder / WEIGHTS).read_bytes())
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder} holds no whole model, so it has no fingerprint: {error}") from error
    return digest.hexdigest()
