"""What stops a run whose numbers left the finite range: the batch, the values and the likeliest cause, named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from curvox.errors import CheckpointError, InputError, TrainingError
from curvox.geometry import widen
from curvox.losses import LossOutput
from curvox.training.death import Kind, died, recording_names
from curvox.training.sharded_state import full_tensors, gradient_norm

if TYPE_CHECKING:
    from curvox.training.module import SpeakerModule


def check_embeddings(module: SpeakerModule, batch: dict[str, Tensor], embeddings: Tensor, batch_idx: int) -> None:
    """Refuse embeddings with NaN or infinity."""
    finite = torch.isfinite(embeddings).all(dim=1)
    if bool(finite.all()):
        return
    kind: Kind = "embeddings"
    if not bool(torch.isfinite(batch["waveforms"]).all()):
        cause = "the waveforms themselves are not finite: check these recordings with curvox data check"
    elif name := _first_non_finite(module.embedder):
        kind = "weights"
        cause = (
            f"the weights were already destroyed (first: {name}): "
            "the learning rate is too high, or the step before overflowed"
        )
    elif module.recipe.training.precision != "32-true":
        precision = module.recipe.training.precision
        cause = f"the encoder overflowed in {precision}: try training.precision=32-true or bf16-mixed"
    else:
        cause = (
            "the activations overflowed: the learning rate is too high; "
            "lower it or set training.optimizer.clip_gradient_norm"
        )
    values = f"{int((~finite).sum())} of {len(embeddings)} embeddings are not finite"
    rows = (~finite).nonzero().flatten().tolist()
    raise died(module, batch, kind, _message(module, batch, batch_idx, values, cause, rows), rows)


def compute_loss(module: SpeakerModule, batch: dict[str, Tensor], embeddings: Tensor, batch_idx: int) -> LossOutput:
    """Compute the loss; what it refuses, such as embeddings whose squares overflow, is told with the batch."""
    try:
        return module.loss(embeddings, batch["speakers"])
    except InputError as error:
        too_large = not bool(torch.isfinite(widen(embeddings.detach()).square().sum()))
        cause = (
            "the learning rate is too high; lower it or set training.optimizer.clip_gradient_norm"
            if too_large
            else "the numbers are sound, so it is the batch that does not suit the loss: see data.batch_size and "
            "data.recordings_per_speaker"
        )
        message = _message(module, batch, batch_idx, f"the loss refuses: {error}", cause, rows=[])
        raise died(module, batch, "embeddings", message) if too_large else TrainingError(message) from error


def check_loss(
    module: SpeakerModule, batch: dict[str, Tensor], embeddings: Tensor, output: LossOutput, batch_idx: int
) -> None:
    """Refuse a loss that is NaN or infinite although the embeddings are finite."""
    if bool(torch.isfinite(output.value)):
        return
    kind: Kind = "loss"
    if name := _first_non_finite(module.loss):
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
    rows = (~torch.isfinite(output.per_item)).nonzero().flatten().tolist()
    raise died(module, batch, kind, _message(module, batch, batch_idx, values, cause, rows), rows)


def check_gradients(module: SpeakerModule, batch: dict[str, Tensor] | None) -> None:
    """Refuse a gradient of ``batch`` that is not finite, before it reaches the weights."""
    if bool(torch.isfinite(gradient_norm(module.parameters()))):
        return
    bad = [name for name, p in module.named_parameters() if p.grad is not None and not _finite(p.grad)]
    where = bad[0] if bad else "the sum of squares only: single gradients are huge"
    message = (
        f"epoch {module.current_epoch + 1}, step {module.global_step}: the loss is finite but its gradient is not "
        f"(in {len(bad)} parameters, first: {where}). Likeliest cause: the loss or a layer has an unbounded derivative "
        "at these values; set training.optimizer.clip_gradient_norm or lower the learning rate. "
        "No weight was changed by this step."
    )
    raise died(module, batch, "gradient", message)


def check_state(module: SpeakerModule, checkpoint: dict[str, Any]) -> None:
    """Refuse a training state that is not of this model."""
    weights, own = checkpoint["state_dict"], module.state_dict()
    if checkpoint["curvox"]["data"] != module.data.fingerprint:
        raise CheckpointError(
            "the recordings are not those this run was trained on, so it cannot be resumed exactly; "
            "restore the corpus, or train anew under another --name"
        )
    wrong = sorted(
        name for name in weights.keys() | own.keys()
        if name not in weights or name not in own or weights[name].shape != own[name].shape
    )  # fmt: skip
    if wrong:
        raise CheckpointError(
            f"the training state in last/ belongs to another model: {len(wrong)} tensors differ (first: {wrong[0]}); "
            "take recipe.yaml and last/ from one run"
        )


def _first_non_finite(module: nn.Module) -> str | None:
    return next((name for name, p in module.named_parameters() if not _finite(p)), None)


@torch.no_grad()
def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(full_tensors(values)).all())


def _message(
    module: SpeakerModule, batch: dict[str, Tensor], batch_idx: int, values: str, cause: str, rows: list[int]
) -> str:
    named = recording_names(module, batch, rows)
    shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
    rate = module.trainer.optimizers[0].param_groups[0]["lr"]
    return (
        f"epoch {module.current_epoch + 1}, batch {batch_idx}, step {module.global_step}: {values}. "
        f"Learning rate {rate:.3g}, margin scale {module.loss.margin_scale:.3g}. Recordings: {shown}. "
        f"Likeliest cause: {cause}. "
        "The last checkpoint is untouched."
    )
