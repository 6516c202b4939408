"""The model folder: ``model.safetensors`` and ``model.yaml``. Nothing in it is ever executed or unpickled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from curvox.audio import FilterBank
from curvox.embedder.embedder import DevResult, Embedder
from curvox.embedder.folders import new_folder, settle_folder, tensors_from_file, tensors_to_file
from curvox.encoders import ENCODERS
from curvox.errors import CheckpointError, CurvoxError
from curvox.geometry import create_space

WEIGHTS, CARD = "model.safetensors", "model.yaml"
FORMAT = 1


class _Dev(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    eer: Annotated[float, Field(ge=0, le=1)]
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    targets: int
    nontargets: int
    epoch: int


class _Card(BaseModel):
    """What ``model.yaml`` may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal[1]
    features: dict[str, Any]
    encoder: dict[str, Any]
    space: dict[str, Any]
    training: dict[str, Any] = {}
    dev: _Dev | None = None


def save_embedder(model: Embedder, folder: str | Path) -> None:
    """Write a model folder that must not exist yet, all of it or nothing."""
    new_folder(Path(folder), lambda fresh: write_embedder(model, fresh))


def write_embedder(model: Embedder, folder: Path) -> None:
    """Write the two model files into an existing folder."""
    card = {
        "format": FORMAT,
        **model.description,
        "space": model.space.describe(),
        "dev": None if model.dev is None else asdict(model.dev),
    }
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
    (folder / CARD).write_text(text, encoding="utf-8")
    tensors_to_file(_state(model), folder / WEIGHTS)


def load_embedder(folder: str | Path, *, device: str = "cpu") -> Embedder:
    """Read a model folder, or a run folder, of which the best checkpoint is taken.

    Args:
        folder: a run (``runs/x``) or one of its checkpoints (``runs/x/best``).
        device: where the weights go, such as ``cpu`` or ``cuda``.

    Raises:
        CheckpointError: a file is missing, damaged or does not belong; the message names it.
    """
    folder = _model_folder(Path(folder))
    card = _read_card(folder / CARD)
    try:
        encoder_options = {k: v for k, v in card.encoder.items() if k != "name"}
        encoder = ENCODERS.load(str(card.encoder.get("name")))(**encoder_options)
        filter_bank = FilterBank(**card.features)
        space = create_space(card.space)
    except (CurvoxError, TypeError) as error:
        raise CheckpointError(f"{folder / CARD} does not describe a model of this version: {error}") from error
    description = {"features": card.features, "encoder": card.encoder, "training": card.training}
    dev = None if card.dev is None else DevResult(**card.dev.model_dump())
    model = Embedder(filter_bank, encoder, space, description, dev)
    _load_state(model, tensors_from_file(folder / WEIGHTS), folder / WEIGHTS)
    return model.to(device).eval()


def _state(model: Embedder) -> dict[str, Tensor]:
    return {f"{part}.{k}": v for part in ("encoder", "space") for k, v in getattr(model, part).state_dict().items()}


def _load_state(model: Embedder, tensors: dict[str, Tensor], path: Path) -> None:
    expected = _state(model)
    missing, foreign = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    wrong = [k for k in expected.keys() & tensors.keys() if expected[k].shape != tensors[k].shape]
    if missing or foreign or wrong:
        raise CheckpointError(
            f"{path} does not belong to {CARD} beside it: {len(missing)} tensors missing, {len(foreign)} foreign, "
            f"{len(wrong)} of another shape (first: {(missing + foreign + sorted(wrong))[0]}); "
            "take both files from one run"
        )
    model.load_state_dict(tensors, strict=False)


def _model_folder(folder: Path) -> Path:
    for candidate in (folder, folder / "best", folder / "last"):
        settle_folder(candidate)
        if (candidate / CARD).is_file():
            if not (candidate / WEIGHTS).is_file():
                raise CheckpointError(f"{candidate} has {CARD} but no {WEIGHTS}; copy the whole folder")
            return candidate
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; expected a run such as runs/x, or a checkpoint such as runs/x/best"
        )
    found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise CheckpointError(f"{folder} holds no model: expected {CARD} and {WEIGHTS} there or in best/, found {found}")


def _read_card(path: Path) -> _Card:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Card.model_validate(tree)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise CheckpointError(f"{path} is not a model description of this version: {where}: {first['msg']}") from error
