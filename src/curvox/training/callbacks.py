"""What happens around the steps: checkpoints kept, progress shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from curvox.embedder import write_embedder
from curvox.files import replace_folder
from curvox.training.faults import check_logs
from curvox.training.module import SpeakerModule, total_steps


class CheckpointKeeper(pl.Callback):
    """Keeps ``best`` (lowest dev EER) and ``last`` (everything needed to resume) in the run folder."""

    def __init__(self, run: Path, every_steps: int | None):
        self.run = run
        self.every_steps = every_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, SpeakerModule)
        step = trainer.global_step
        if not pl_module.ends_step(batch_idx):
            return
        check_logs(trainer)
        # The end of an epoch is saved after its validation, which a checkpoint before it would make a resume skip.
        if self.every_steps and step % self.every_steps == 0 and step % pl_module.steps_per_epoch:
            trainer.save_checkpoint(self.run / "last")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        result = pl_module.latest
        pl_module.embedder.dev = result
        if result is not None and (pl_module.best is None or result.eer < pl_module.best.eer):
            pl_module.best = result
            if trainer.is_global_zero:
                replace_folder(self.run / "best", lambda folder: write_embedder(pl_module.embedder, folder))
        trainer.save_checkpoint(self.run / "last")


class ProgressDisplay(pl.Callback):
    """One bar over the whole run with the time left, and one line an epoch."""

    def __init__(self, console: Console):
        self.console = console
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        if not trainer.is_global_zero:
            return
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        total = total_steps(pl_module.recipe, pl_module.steps_per_epoch)
        self.task = self.bar.add_task(pl_module.recipe.name, total=total, completed=trainer.global_step)
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        result = pl_module.latest
        if self.bar is None or result is None:
            return
        loss = float(trainer.callback_metrics.get("train/loss_epoch", float("nan")))
        best = " (best)" if result == pl_module.best else ""
        self.console.print(
            f"epoch {trainer.current_epoch + 1:3d}/{pl_module.recipe.training.epochs}  loss {loss:7.3f}  "
            f"dev EER {100 * result.eer:6.2f} %{best}",
            highlight=False,
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
