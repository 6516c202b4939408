"""The model folder: ``model.safetensors`` and ``model.yaml``. Nothing in it is ever executed or unpickled."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from curvox.audio import FilterBank
from curvox.embedder.card.calibrated_scoring import restore_scoring
from curvox.embedder.card_file import read_card, read_state
from curvox.embedder.embedder import Embedder
from curvox.embedder.model_folder import (
    CARD,
    FORMAT,
    WEIGHTS,
    ModelDescription,
    model_folder,
    read_description,
    write_description,
)
from curvox.encoders import ENCODERS
from curvox.errors import CheckpointError, CurvoxError, InputError
from curvox.files import new_folder, tensors_from_file, tensors_to_file
from curvox.geometry import create_space


def save_embedder(model: Embedder, folder: str | Path) -> None:
    """Write a model folder that must not exist yet, all of it or nothing."""
    new_folder(Path(folder), lambda fresh: write_embedder(model, fresh))


def write_embedder(model: Embedder, folder: Path) -> None:
    """Write the two model files into an existing folder."""
    description = ModelDescription(FORMAT, **model.description, space=model.space.describe(), dev=model.dev)
    write_description(folder, description)
    tensors_to_file(_state(model), folder / WEIGHTS)


def load_embedder(folder: str | Path, *, device: str = "cpu", with_card: bool = True) -> Embedder:
    """Read a model folder, or a run folder, of which ``averaged`` is taken, else ``best``, else ``last``.

    Args:
        folder: a run (``runs/x``) or one of its checkpoints (``runs/x/best``).
        device: where the weights go, such as ``cpu`` or ``cuda``.
        with_card: whether to read the decision card, if there is one; without it `Embedder.verify` decides nothing.

    Raises:
        CheckpointError: a file is missing, damaged or does not belong; the message names it.
    """
    folder = model_folder(folder)
    card = read_description(folder)
    try:
        model = _build(card, tensors_from_file(folder / WEIGHTS), folder / WEIGHTS)
    except CheckpointError:
        raise
    except (CurvoxError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{folder / CARD} does not describe a model of this version: {error}") from error
    decision_card = read_card(folder) if with_card else None
    if decision_card is not None:
        model.calibrated = restore_scoring(decision_card, read_state(folder, decision_card), model.space)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise InputError(f'the device "{device}" cannot be used: {str(error).splitlines()[0]}; use cpu') from error


def _build(card: ModelDescription, tensors: dict[str, Tensor], path: Path) -> Embedder:
    name = card.encoder.get("name")
    if not isinstance(name, str):
        raise InputError("encoder has no name")
    options = {k: v for k, v in card.encoder.items() if k != "name"}
    filter_bank, space = FilterBank(**card.features), create_space(card.space)
    description = {"features": card.features, "encoder": card.encoder, "training": card.training}
    # First without memory: a description may claim any size, the tensors beside it must agree before any is taken.
    with torch.device("meta"):
        sketch = ENCODERS.load(name)(**options)
    _compare(_state(Embedder(filter_bank, sketch, space, {})), tensors, path)
    model = Embedder(filter_bank, ENCODERS.load(name)(**options), space, description, card.dev)
    model.load_state_dict(tensors, strict=False)
    return model


def _state(model: Embedder) -> dict[str, Tensor]:
    return {f"{part}.{k}": v for part in ("encoder", "space") for k, v in getattr(model, part).state_dict().items()}


def _compare(expected: dict[str, Tensor], tensors: dict[str, Tensor], path: Path) -> None:
    missing, foreign = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    both = expected.keys() & tensors.keys()
    wrong = [k for k in both if (expected[k].shape, expected[k].dtype) != (tensors[k].shape, tensors[k].dtype)]
    if missing or foreign or wrong:
        raise CheckpointError(
            f"{path} does not belong to {CARD} beside it: {len(missing)} tensors missing, {len(foreign)} foreign, "
            f"{len(wrong)} of another shape or type (first: {(missing + foreign + sorted(wrong))[0]}); "
            "take both files from one run"
        )
