"""The model folder: ``model.safetensors`` and ``model.yaml``, and beside them the decision card and its arrays.

Nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from
from safetensors.numpy import save
from torch import Tensor

from curvox.audio import FilterBank
from curvox.embedder.card.decision_card import DecisionCard, restore_scoring
from curvox.embedder.embedder import DevResult, Embedder
from curvox.encoders import ENCODERS
from curvox.errors import CheckpointError, CurvoxError, InputError, OutputExistsError
from curvox.files import (
    new_folder,
    previous_folder,
    read_bytes,
    replace_bytes,
    replace_text,
    tensors_from_file,
    tensors_to_file,
)
from curvox.geometry import create_space
from curvox.records import read_record, to_plain, write_record

WEIGHTS, CARD = "model.safetensors", "model.yaml"
CHECKPOINTS = ("averaged", "best", "last")

FORMAT = 1
_AGAIN = "copy the whole folder, or use the curvox that wrote it"
_CALIBRATE = "calibrate again (curvox calibrate --overwrite), or delete the card"


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


DECISION, STATE = "decision.json", "back_end.safetensors"

State = Mapping[str, NDArray[np.float64]]


def write_card(folder: Path, card: DecisionCard, state: State | None = None, *, overwrite: bool = False) -> Path:
    """Write the card of the model in ``folder``; returns the path of its file.

    Args:
        folder: a model folder.
        card: its card.
        state: the arrays that the back end of the card learnt, if it did; their digest stands in the card.
        overwrite: replace an earlier card.

    Raises:
        OutputExistsError: there is a card, and ``overwrite`` is not set.
        CheckpointError: the card is of another model or another state, or the disk is full.
    """
    path = require_new_card(folder, overwrite=overwrite)
    _require_own(card, folder)
    content = state_bytes(state or {})
    if card.back_end_state != digest_of(content):
        raise CheckpointError(f"the arrays for {folder / STATE} are not those of the back end of the card")
    if content is not None:
        replace_bytes(folder / STATE, content)
    write_record(path, card)
    if content is None:
        (folder / STATE).unlink(missing_ok=True)
    return path


def require_new_card(folder: Path, *, overwrite: bool) -> Path:
    """Return the path of the card of a model folder, or refuse one that is there unless it may be replaced."""
    path = folder / DECISION
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already; replace it with --overwrite (overwrite=True)")
    return path


def state_bytes(state: State) -> bytes | None:
    """Return a back end's arrays as the bytes of a safetensors file, None for no arrays."""
    return save({name: np.ascontiguousarray(values) for name, values in state.items()}) if state else None


def digest_of(content: bytes | None) -> str | None:
    """Return the SHA-256 of bytes, 64 hexadecimal digits; None of None."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def read_card(folder: str | Path) -> DecisionCard | None:
    """Read the card of the model in a model folder, None where there is none.

    Nothing in the file is executed, and no name in it is looked up outside of curvox's tables.

    Raises:
        CheckpointError: it is damaged, has unknown or missing keys or values of another type, is of another version or
            of another model; the message says what to do.
    """
    folder = Path(folder)
    path = folder / DECISION
    if not path.exists():
        return None
    card = read_record(path, DecisionCard, what="a decision card", again=_CALIBRATE)
    _require_own(card, folder)
    return card


def read_state(folder: str | Path, card: DecisionCard) -> dict[str, NDArray[np.float64]]:
    """Read the arrays of the card's back end, none for a back end that learnt nothing.

    Raises:
        CheckpointError: the file is missing, damaged or not the one of the card.
    """
    if card.back_end_state is None:
        return {}
    path = Path(folder) / STATE
    try:
        content = read_bytes(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}; copy the whole folder, or {_CALIBRATE}") from error
    if digest_of(content) != card.back_end_state:
        raise CheckpointError(f"{path} does not belong to {DECISION} beside it; copy the whole folder, or {_CALIBRATE}")
    try:
        return arrays_from(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); {_CALIBRATE}") from error


def _require_own(card: DecisionCard, folder: Path) -> None:
    if card.model != (own := model_fingerprint(folder)):
        raise CheckpointError(
            f"the decision card in {folder} belongs to another model (fingerprint {card.model[:12]}, this model has "
            f"{own[:12]}): its calibration and thresholds say nothing about this one; {_CALIBRATE}"
        )


def save_embedder(model: Embedder, folder: str | Path) -> None:
    """Write a model folder that must not exist yet, all of it or nothing."""
    new_folder(Path(folder), lambda fresh: write_embedder(model, fresh))


def write_embedder(model: Embedder, folder: Path) -> None:
    """Write the two model files into an existing folder."""
    description = ModelDescription(FORMAT, **model.description, space=model.space.describe(), dev=model.dev)
    write_description(folder, description)
    tensors_to_file(_state(model), folder / WEIGHTS)


def load(folder: str | Path, *, device: str = "cpu", with_card: bool = True) -> Embedder:
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
