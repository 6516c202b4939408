"""The doctor beside a run: vital signs every few steps, and a finding as soon as it is sure."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from rich.console import Console
from torch import Tensor, nn

from curvox.diagnosis import (
    alignment,
    effective_rank,
    radius_quantiles,
    same_and_different_distances,
    uniformity,
)
from curvox.errors import TrainingError
from curvox.geometry import AbstractSpace, widen
from curvox.training.run.logs import PREFIX
from curvox.training.step.module import SpeakerModule
from curvox.training.step.processes import gradient_norm

if TYPE_CHECKING:
    from curvox.diagnosis import Finding, LiveWatch

MOST_RECORDINGS = 1024
"""Pairs are counted among the first recordings of a batch; batches of whole speakers have them side by side."""
ACTIVE_ABOVE = 0.01
"""A recording is active when its gradient is longer than this share of the batch's mean."""


@torch.no_grad()
def embedding_signs(space: AbstractSpace, raw: Tensor, speakers: Tensor) -> dict[str, float]:
    """Signs of a batch of raw embeddings (B, D) of ``speakers`` (B,) that are compared in ``space``.

    What a batch cannot show is left out: alignment and the distance of one speaker need somebody who comes twice, radii
    need a ball. Computed on the CPU.
    """
    raw, speakers = widen(raw.detach())[:MOST_RECORDINGS].cpu(), speakers[:MOST_RECORDINGS].cpu()
    space = space if _on_cpu(space) else copy.deepcopy(space).cpu()
    points = space.project(raw)
    same, different = same_and_different_distances(space, points, speakers)
    signs = {
        "effective_rank": effective_rank(points),
        "alignment": alignment(raw, speakers),
        "uniformity": uniformity(raw),
        "same_distance": same.mean().item(),
        "different_distance": different.mean().item(),
    }
    if space.ball is not None:
        radii = radius_quantiles(space, raw)
        signs |= dict(zip(("radius_low", "radius_mid", "radius_high"), radii, strict=True))
    return {name: value for name, value in signs.items() if not math.isnan(value)}


@torch.no_grad()
def item_signs(gradient: Tensor) -> dict[str, float]:
    """How the gradient (B, D) by the raw embeddings is shared out: the share of recordings whose row is longer than
    `ACTIVE_ABOVE` times the mean, and the share of the longest row in the sum of their lengths."""
    norms = torch.linalg.vector_norm(gradient.detach().double(), dim=1)
    total = norms.sum()
    if not total > 0:
        return {"active_share": 0.0}
    active = (norms > ACTIVE_ABOVE * norms.mean()).double().mean()
    return {"active_share": float(active), "top_item_share": float(norms.max() / total)}


@torch.no_grad()
def gradient_signs(encoder: nn.Module, loss: nn.Module) -> dict[str, float]:
    """Norm of the gradient of encoder and loss together, and the share that the encoder's first weights have in the
    norm of its own: norm over norm, so that the share of equal layers falls with the root of their number."""
    every = {id(p): p for p in (*encoder.parameters(), *loss.parameters())}
    signs = {"gradient_norm": float(gradient_norm(every.values()))}
    first = next((p for p in encoder.parameters() if p.requires_grad and p.ndim > 1), None)
    whole = float(gradient_norm(encoder.parameters()))
    if first is not None and whole > 0:
        signs["first_layer_share"] = 0.0 if first.grad is None else float(gradient_norm([first])) / whole
    return signs


@torch.no_grad()
def update_ratio(before: list[Tensor], parameters: Iterable[nn.Parameter]) -> float:
    """Norm of the change of weights since ``before`` over the norm before it."""
    change = nn.utils.get_total_norm([new - old for new, old in zip(parameters, before, strict=True)])
    return float(change) / max(float(nn.utils.get_total_norm(before)), 1e-30)


def _on_cpu(module: nn.Module) -> bool:
    return all(tensor.device.type == "cpu" for tensor in (*module.parameters(), *module.buffers()))


class VitalWatch(pl.Callback):
    """Measures the vital signs in the first step and in every ``every_steps``-th, logs them as ``vital/NAME`` and says
    what they mean.

    It looks at what the step computes anyway, draws no random numbers and changes nothing, so a run is the same with
    and without it. With several processes each measures what it has of a batch, and the first one speaks.

    Args:
        console: where findings are printed, each once.
        every_steps: from one look to the next.
        stop_on_failure: end the run by `TrainingError` at the first finding of severity "failure".
    """

    def __init__(self, console: Console, *, every_steps: int = 10, stop_on_failure: bool = False):
        self.console = console
        self.every_steps = every_steps
        self.stop_on_failure = stop_on_failure
        self.findings: list[Finding] = []
        self._signs: dict[str, float] = {}
        self._before: list[Tensor] = []
        self._doctor: LiveWatch | None = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, SpeakerModule)
        step = trainer.global_step
        due = step == 0 or (step + 1) % self.every_steps == 0
        pl_module.watched = due
        self._signs, self._before = {}, []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        assert isinstance(pl_module, SpeakerModule)
        if not pl_module.watched or pl_module.last_step is None:
            return
        module, step = pl_module, pl_module.last_step
        self._signs = {
            "loss": float(step.value),
            "learning_rate": optimizer.param_groups[0]["lr"],
            "margin_scale": module.loss.margin_scale,
            **gradient_signs(module.embedder.encoder, module.loss),
            **embedding_signs(module.loss.space, step.embeddings, step.under_way.batch["speakers"]),
        }
        if step.embeddings.grad is not None:
            self._signs |= item_signs(step.embeddings.grad)
        self._before = [p.detach().clone() for p in module.embedder.encoder.parameters()]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, SpeakerModule)
        if not self._signs:
            return
        if self._before:
            self._signs["update_ratio"] = update_ratio(self._before, pl_module.embedder.encoder.parameters())
        # Lightning counts the steps of a log from 0, and writes what a step logged under the same number.
        step = trainer.global_step - 1
        for logger in trainer.loggers:
            named = {PREFIX + name: value for name, value in self._signs.items()}
            logger.log_metrics({**named, "epoch": trainer.current_epoch}, step=step)
        if trainer.is_global_zero:
            self._consult(step)

    def _consult(self, step: int) -> None:
        if self._doctor is None:
            from curvox.diagnosis import LiveWatch

            self._doctor = LiveWatch()
        for finding in self._doctor.feed(step, self._signs):
            self.findings.append(finding)
            self.console.print(in_words(finding, step), highlight=False, markup=False)
            if self.stop_on_failure and finding.severity == "failure":
                raise TrainingError(
                    f"stopped in step {step + 1}, as training.stop_on_failure asks. {in_words(finding, step)} "
                    "The last checkpoint is untouched."
                )


def in_words(finding: Finding, step: int) -> str:
    """Return a finding of a running training in two lines: what is so and by which numbers, and what to do."""
    from curvox.diagnosis import CAUSES, measured

    cause = CAUSES[finding.cause]
    numbers = "; ".join(f"{e.measure} {measured(e)} (healthy: {e.healthy})" for e in finding.evidence[:3])
    recipe = f" In the recipe: {cause.recipe}" if cause.recipe else ""
    return f"step {step + 1}, {finding.severity}: {cause.title}: {numbers}\n  {cause.remedy}{recipe}"
