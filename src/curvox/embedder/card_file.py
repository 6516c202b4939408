"""The decision card on disk: ``decision.json`` in the model folder, and beside it what its back end learnt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from curvox.embedder.card.decision_card import DecisionCard
from curvox.embedder.model_folder import model_fingerprint
from curvox.errors import CheckpointError, OutputExistsError
from curvox.files import read_bytes, replace_bytes
from curvox.records import read_record, write_record

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
    card = read_record(path, DecisionCard, what="a decision card", again=_AGAIN)
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
        raise CheckpointError(f"{path} cannot be read: {error}; copy the whole folder, or {_AGAIN}") from error
    if digest_of(content) != card.back_end_state:
        raise CheckpointError(f"{path} does not belong to {DECISION} beside it; copy the whole folder, or {_AGAIN}")
    try:
        return load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); {_AGAIN}") from error


_AGAIN = "calibrate again (curvox calibrate --overwrite), or delete the card"


def _require_own(card: DecisionCard, folder: Path) -> None:
    if card.model != (own := model_fingerprint(folder)):
        raise CheckpointError(
            f"the decision card in {folder} belongs to another model (fingerprint {card.model[:12]}, this model has "
            f"{own[:12]}): its calibration and thresholds say nothing about this one; {_AGAIN}"
        )
