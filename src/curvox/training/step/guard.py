"""What stops a run whose numbers left the finite range: the batch, the values, the likeliest cause, all named.

How the run died, with the operation that was not finite first, stays in its folder as ``failure.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from curvox.diagnosis import Death
from curvox.embedder import Embedder
from curvox.errors import InputError, TrainingError
from curvox.geometry import widen
from curvox.losses import AbstractLoss, LossOutput
from curvox.records import read_record, write_record
from curvox.training.step.processes import full_tensors, gradient_norm

if TYPE_CHECKING:
    from curvox.diagnosis import Origin

FAILURE = "failure.json"

Kind = Literal["embeddings", "loss", "gradient", "weights", "zeros"]


class NotFiniteError(TrainingError):
    """Numbers left the finite range, or embeddings became zero; ``death`` says which, when and where."""

    def __init__(self, message: str, death: Death):
        super().__init__(message)
        self.death = death


@dataclass(frozen=True)
class StepUnderWay:
    """What the guard must know of a training step.

    Attributes:
        recordings: names that the batch's "items" count through.
        epoch: from 1.
        recompute: computes the loss again with the same chance, but without the checks; None where other processes,
            which will not compute theirs again, take part in the step.
    """

    embedder: Embedder
    loss: AbstractLoss
    batch: Mapping[str, Tensor]
    recordings: tuple[str, ...]
    epoch: int
    batch_idx: int
    step: int
    learning_rate: float
    precision: str
    recompute: Callable[[], Tensor] | None

    def names(self, rows: Sequence[int]) -> list[str]:
        """Return the recordings in these rows of the batch, or all of them where there are no rows."""
        items = self.batch["items"].tolist()
        return [self.recordings[items[row]] for row in (rows or range(len(items)))]

    def message(self, values: str, cause: str, rows: Sequence[int] = ()) -> str:
        """Say what was found in which step, and why."""
        named = self.names(rows)
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        return (
            f"epoch {self.epoch}, batch {self.batch_idx}, step {self.step}: {values}. "
            f"Learning rate {self.learning_rate:.3g}, margin scale {self.loss.margin_scale:.3g}. Recordings: {shown}. "
            f"Likeliest cause: {cause}. "
            "The last checkpoint is untouched."
        )


def check_embeddings(step: StepUnderWay, embeddings: Tensor) -> None:
    """Refuse embeddings (B, D) with NaN or infinity."""
    finite = torch.isfinite(embeddings).all(dim=1)
    if bool(finite.all()):
        return
    kind: Kind = "embeddings"
    if not bool(torch.isfinite(step.batch["waveforms"]).all()):
        cause = "the waveforms themselves are not finite: check these recordings with curvox data check"
    elif name := _first_non_finite(step.embedder):
        kind = "weights"
        cause = (
            f"the weights were already destroyed (first: {name}): "
            "the learning rate is too high, or the step before overflowed"
        )
    elif step.precision != "32-true":
        cause = f"the encoder overflowed in {step.precision}: try training.precision=32-true or bf16-mixed"
    else:
        cause = (
            "the activations overflowed: the learning rate is too high; "
            "lower it or set training.optimizer.clip_gradient_norm"
        )
    rows = _rows(~finite)
    raise _died(
        step, kind, step.message(f"{len(rows)} of {len(embeddings)} embeddings are not finite", cause, rows), rows
    )


def compute_loss(step: StepUnderWay, embeddings: Tensor) -> LossOutput:
    """Compute the loss; what it refuses, such as embeddings whose squares overflow, is told with the batch."""
    try:
        return step.loss(embeddings, step.batch["speakers"])
    except InputError as error:
        too_large = not bool(torch.isfinite(widen(embeddings.detach()).square().sum()))
        cause = (
            "the learning rate is too high; lower it or set training.optimizer.clip_gradient_norm"
            if too_large
            else "the numbers are sound, so it is the batch that does not suit the loss: see data.batch_size and "
            "data.recordings_per_speaker"
        )
        message = step.message(f"the loss refuses: {error}", cause)
        raise _died(step, "embeddings", message) if too_large else TrainingError(message) from error


def check_loss(step: StepUnderWay, embeddings: Tensor, output: LossOutput) -> None:
    """Refuse a loss that is NaN or infinite although the embeddings are finite."""
    if bool(torch.isfinite(output.value)):
        return
    kind: Kind = "loss"
    if name := _first_non_finite(step.loss):
        kind = "weights"
        cause = (
            f"the loss's own parameters are not finite (first: {name}): "
            "lower training.optimizer.centre_learning_rate_factor"
        )
    else:
        cause = (
            "the loss overflowed on finite input: lower its scale, and report the numbers above as a defect of the loss"
        )
    parts = ", ".join(f"{key} {float(value):.4g}" for key, value in output.parts.items())
    largest = float(embeddings.detach().norm(dim=1).max())
    values = f"loss {output.value.item()}, embedding norms up to {largest:.4g}, {parts or 'no parts'}"
    rows = _rows(~torch.isfinite(output.per_item))
    raise _died(step, kind, step.message(values, cause, rows), rows)


def check_gradients(step: StepUnderWay, parameters: Mapping[str, nn.Parameter]) -> None:
    """Refuse a gradient that is not finite before it reaches the weights."""
    if bool(torch.isfinite(gradient_norm(parameters.values()))):
        return
    bad = [name for name, p in parameters.items() if p.grad is not None and not _finite(p.grad)]
    where = bad[0] if bad else "the sum of squares only: single gradients are huge"
    message = (
        f"epoch {step.epoch}, step {step.step}: the loss is finite but its gradient is not "
        f"(in {len(bad)} parameters, first: {where}). Likeliest cause: the loss or a layer has an unbounded derivative "
        "at these values; set training.optimizer.clip_gradient_norm or lower the learning rate. "
        "No weight was changed by this step."
    )
    raise _died(step, "gradient", message)


def died_of_zeros(names: Iterable[str], reason: str, *, epoch: int, step: int) -> NotFiniteError:
    """Return the error that ends a run whose dev trials cannot be scored, with the recordings embedded in zero."""
    message = (
        f"epoch {epoch}, step {step}: the dev trials cannot be scored: {reason}. "
        "The embeddings have collapsed into zero, so nothing tells speakers apart: look at the layer before them (a "
        "rectifier that is dead?), lower the learning rate, or ask curvox diagnose"
    )
    return NotFiniteError(message, Death("zeros", step, "", False, tuple(names), message))


def _died(step: StepUnderWay, kind: Kind, message: str, rows: Sequence[int] = ()) -> NotFiniteError:
    """Return the error that ends the run; the step is computed again to find the first operation that was not finite.

    ``rows`` are those of the batch with bad numbers, empty where they are not known.
    """
    origin, said = _origin(step)
    message = f"{message} {said}".rstrip()
    names = tuple(step.names(rows or (() if origin is None else origin.rows)))
    if origin is None:
        return NotFiniteError(message, Death(kind, step.step, "", False, names, message))
    return NotFiniteError(message, Death(kind, step.step, str(origin), origin.backward, names, message))


def _origin(step: StepUnderWay) -> tuple[Origin | None, str]:
    """Return where the numbers were lost, and the same in a sentence."""
    from curvox.diagnosis import find_origin  # which only a run that dies needs

    if step.recompute is None:
        return None, ""
    parts = nn.ModuleDict({"encoder": step.embedder.encoder, "loss": step.loss})
    try:
        origin = find_origin(step.recompute, parts, items=len(step.batch["items"]))
    except Exception as error:  # The numbers are lost already; what the search stumbles over must not hide that.
        return None, f"The operation they were lost in could not be looked for: {error!r}."
    if origin is None:
        return None, ""
    way = "on the way back in" if origin.backward else "in"
    return origin, f"Not finite first {way} {origin}."


def _first_non_finite(module: nn.Module) -> str | None:
    return next((name for name, p in module.named_parameters() if not _finite(p)), None)


@torch.no_grad()
def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(full_tensors(values)).all())


def _rows(chosen: Tensor) -> list[int]:
    return chosen.nonzero().flatten().tolist()


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
