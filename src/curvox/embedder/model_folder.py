"""Which folder a model lies in, the names of its files, and what tells one model from another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from curvox.embedder.embedder import DevResult
from curvox.errors import CheckpointError
from curvox.files import previous_folder, read_bytes, replace_text
from curvox.records import read_record, to_plain

WEIGHTS, CARD = "model.safetensors", "model.yaml"
CHECKPOINTS = ("averaged", "best", "last")

FORMAT = 1
_AGAIN = "copy the whole folder, or use the curvox that wrote it"


@dataclass(frozen=True)
class ModelDescription:
    """What ``model.yaml`` holds: how the model is built, how it was trained, and how it did on its dev trials."""

    format: Literal[1]
    features: dict[str, Any]
    encoder: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(kw_only=True)
    dev: DevResult | None = None


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
    description = read_description(folder)
    parts = {"features": description.features, "encoder": description.encoder, "space": description.space}
    try:
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        digest.update(read_bytes(folder / WEIGHTS))
    except (OSError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds no whole model, so it has no fingerprint: {error}; {_AGAIN}") from error
    return digest.hexdigest()


def write_description(folder: Path, description: ModelDescription) -> None:
    """Write ``model.yaml``."""
    text = yaml.safe_dump(to_plain(description), sort_keys=False, allow_unicode=True)
    replace_text(folder / CARD, text)


def read_description(folder: Path) -> ModelDescription:
    """Read ``model.yaml``.

    Raises:
        CheckpointError: it is missing, damaged, or not of this version.
    """
    what = "a model description of this version"
    return read_record(folder / CARD, ModelDescription, what=what, again=_AGAIN, optional=True)
