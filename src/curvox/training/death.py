"""How a run dies: what was not finite, in which operation it was born, written down beside the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from curvox.diagnosis import Death, Origin, find_origin
from curvox.errors import TrainingError
from curvox.geometry import widen
from curvox.records import read_record, write_record

if TYPE_CHECKING:
    from curvox.training.module import SpeakerModule

FAILURE = "failure.json"

Kind = Literal["embeddings", "loss", "gradient", "weights", "zeros"]


class NotFiniteError(TrainingError):
    """Numbers left the finite range, or embeddings became zero; ``death`` says which, when and where."""

    def __init__(self, message: str, death: Death):
        super().__init__(message)
        self.death = death


def died(
    module: SpeakerModule, batch: dict[str, Tensor] | None, kind: Kind, message: str, rows: Sequence[int] = ()
) -> NotFiniteError:
    """Return the error that ends the run, with the operation that was not finite first.

    The batch is computed again to find it.

    Args:
        module: what is trained.
        batch: of the step, None where it is not known.
        kind: what was not finite.
        message: what is said of it so far.
        rows: of the batch, with bad numbers; empty where they are not known.
    """
    if batch is None:
        return NotFiniteError(message, Death(kind, module.global_step, "", False, (), message))
    origin, said = _origin(module, batch)
    message = f"{message} {said}".rstrip()
    bad = rows or (() if origin is None else origin.rows)
    return NotFiniteError(
        message,
        Death(
            kind,
            module.global_step,
            "" if origin is None else str(origin),
            origin is not None and origin.backward,
            tuple(recording_names(module, batch, bad)),
            message,
        ),
    )


def died_of_zeros(module: SpeakerModule, points: np.ndarray, reason: str) -> NotFiniteError:
    """Return the error that ends a run whose dev embeddings ``points`` (N, D) cannot be scored."""
    rows = np.flatnonzero(~points.any(axis=1))
    names = tuple(module.data.dev.utterances[row] for row in rows)
    message = (
        f"epoch {module.current_epoch + 1}, step {module.global_step}: the dev trials cannot be scored: {reason}. "
        "The embeddings have collapsed into zero, so nothing tells speakers apart: look at the layer before them (a "
        "rectifier that is dead?), lower the learning rate, or ask curvox diagnose"
    )
    return NotFiniteError(message, Death("zeros", module.global_step, "", False, names, message))


def recording_names(module: SpeakerModule, batch: dict[str, Tensor], rows: Sequence[int]) -> list[str]:
    """The recordings in these rows of a batch, or all of them where there are no rows."""
    items = batch["items"].tolist()
    return [module.data.train.utterances[items[row]] for row in (rows or range(len(items)))]


def _origin(module: SpeakerModule, batch: dict[str, Tensor]) -> tuple[Origin | None, str]:
    """Where the numbers were lost, and the same in a sentence."""
    if module.trainer.world_size > 1:
        return None, ""  # the other processes do not compute the step again
    parts = nn.ModuleDict({"encoder": module.embedder.encoder, "loss": module.loss})
    try:
        origin = find_origin(_again(module, batch), parts, items=len(batch["items"]))
    except Exception as error:  # The numbers are lost already; what the search stumbles over must not hide that.
        return None, f"The operation they were lost in could not be looked for: {error!r}."
    if origin is None:
        return None, ""
    way = "on the way back in" if origin.backward else "in"
    return origin, f"Not finite first {way} {origin}."


def _again(module: SpeakerModule, batch: dict[str, Tensor]) -> Callable[[], Tensor]:
    """The forward pass of a step, with the same chance, less what would refuse its numbers."""

    def run() -> Tensor:
        with torch.enable_grad(), module.trainer.precision_plugin.forward_context():
            module.seed_chance(1)
            embeddings = module.embed_batch(batch)
            module.seed_chance(0)
            with torch.autocast(embeddings.device.type, enabled=False):
                return module.loss.compute(widen(embeddings), batch["speakers"].long()).value

    return run


def write_death(folder: Path, death: Death) -> None:
    """Write how a run died into its folder, as ``failure.json``."""
    if folder.is_dir():
        write_record(folder / FAILURE, death)


def read_death(folder: Path) -> Death | None:
    """Return how the run in ``folder`` died; None when it did not.

    Raises:
        CheckpointError: ``failure.json`` is damaged.
    """
    path = folder / FAILURE
    if not path.exists():
        return None
    return read_record(path, Death, what="an account of how a run died", again="remove it or resume the run")
