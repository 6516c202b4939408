"""The doctor beside a run: vital signs every few steps, and a finding as soon as it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from rich.console import Console
from torch import Tensor

from curvox.diagnosis import CAUSES, Finding, measured
from curvox.errors import TrainingError
from curvox.training.module import SpeakerModule
from curvox.training.vital_signs import embedding_signs, gradient_signs, item_signs, kept_weights, update_ratio

if TYPE_CHECKING:
    from curvox.diagnosis import LiveWatch

PREFIX = "vital/"
"""What the names of the vital signs begin with in the logs."""


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
            **embedding_signs(module.loss.space, step.embeddings, step.batch["speakers"]),
        }
        if step.embeddings.grad is not None:
            self._signs |= item_signs(step.embeddings.grad)
        self._before = kept_weights(module.embedder.encoder.parameters())

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
    cause = CAUSES[finding.cause]
    numbers = "; ".join(f"{e.measure} {measured(e)} (healthy: {e.healthy})" for e in finding.evidence[:3])
    recipe = f" In the recipe: {cause.recipe}" if cause.recipe else ""
    return f"step {step + 1}, {finding.severity}: {cause.title}: {numbers}\n  {cause.remedy}{recipe}"
