"""What happens around the steps: checkpoints kept, weights averaged, progress shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed as dist
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
from torch import Tensor

from curvox.embedder import DevResult, Embedder, write_embedder
from curvox.files import replace_folder
from curvox.training.run.checkpoints import write_checkpoint
from curvox.training.run.faults import check_logs
from curvox.training.step.module import SpeakerModule
from curvox.training.step.processes import full_tensors, process_count


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


AVERAGED = "averaged"


@dataclass(frozen=True)
class WeightSum:
    """Weights of some epochs (numbered from 1), added up in float64; of whole numbers, such as a count, the last."""

    epochs: tuple[int, ...]
    sums: Mapping[str, Tensor]

    def mean(self, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean over the epochs, each tensor with the type that it has in ``like``."""
        counts = {name: len(self.epochs) if tensor.is_floating_point() else 1 for name, tensor in self.sums.items()}
        return {name: (tensor / counts[name]).to(like[name].dtype) for name, tensor in self.sums.items()}


def add_weights(before: WeightSum | None, weights: Mapping[str, Tensor], epoch: int) -> WeightSum:
    """Return ``before`` with the weights of one more epoch, all of them: those of batch normalisation too."""
    wide = {n: t.detach().cpu().to(torch.float64 if t.is_floating_point() else t.dtype) for n, t in weights.items()}
    if before is None:
        return WeightSum((epoch,), {name: tensor.clone() for name, tensor in wide.items()})
    sums = {name: before.sums[name] + t if t.is_floating_point() else t.clone() for name, t in wide.items()}
    return WeightSum((*before.epochs, epoch), sums)


class WeightAverager(pl.Callback):
    """Adds up the weights after each of the last ``epochs`` epochs, and leaves their mean in ``averaged/`` of the run.

    Must come before what writes ``last``, which holds the sum so far: there is one copy, however many epochs, and a
    resumed run goes on with it. ``averaged`` is there before the last ``last`` is. ``averaged`` of the module tells how
    the mean did on the dev trials. Averaging is usual in speaker verification; for why it helps see Izmailov et al.
    2018, "Averaging weights leads to wider optima and better generalization", arXiv:1803.05407.
    """

    def __init__(self, run: Path, epochs: int):
        self.run = run
        self.epochs = epochs
        self.sum: WeightSum | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        steps, total = pl_module.steps_per_epoch, pl_module.total_steps
        epoch = trainer.current_epoch + 1
        if epoch <= -(-total // steps) - self.epochs:
            return
        weights = full_tensors(pl_module.state_dict())  # in all processes, though only the first keeps the sum
        self.sum = add_weights(self.sum, weights, epoch) if trainer.is_global_zero else None
        if trainer.global_step >= total:
            self._finish(trainer, pl_module, None if self.sum is None else self.sum.mean(weights))

    def _finish(self, trainer: pl.Trainer, module: SpeakerModule, mean: dict[str, Tensor] | None) -> None:
        own = {name: tensor.detach().clone() for name, tensor in module.embedder.state_dict().items()}
        _take_over(module.embedder, mean)
        result = module.averaged = module.measure_dev()
        module.log("dev/eer_averaged", result.eer, sync_dist=False)
        if self.sum is not None and mean is not None:
            model = _described(module.embedder, result, self.sum.epochs)
            # With the class centres, so that another training can start from here.
            state = {
                "state_dict": mean,
                "curvox": {"speakers": list(module.data.class_names), "labels": module.data.class_labels},
                "pytorch-lightning_version": version("lightning"),
            }
            write_checkpoint(self.run / AVERAGED, model, state)
        module.embedder.load_state_dict(own)
        self.sum = None

    def state_dict(self) -> dict[str, Any]:
        return {
            "epochs": [] if self.sum is None else list(self.sum.epochs),
            "sums": {} if self.sum is None else dict(self.sum.sums),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        epochs = tuple(state_dict["epochs"])
        self.sum = WeightSum(epochs, state_dict["sums"]) if epochs else None


def _take_over(embedder: Embedder, mean: Mapping[str, Tensor] | None) -> None:
    """Give the embedder of every process its weights in ``mean``, which the first process has."""
    with torch.no_grad():
        for name, tensor in embedder.state_dict().items():
            if mean is not None:
                tensor.copy_(mean[f"embedder.{name}"])
            if process_count() > 1:
                dist.broadcast(tensor, 0)


def _described(model: Embedder, result: DevResult, epochs: tuple[int, ...]) -> Embedder:
    training = {**model.description.get("training", {}), "averaged_epochs": list(epochs)}
    return Embedder(model.filter_bank, model.encoder, model.space, {**model.description, "training": training}, result)


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
        total = pl_module.total_steps
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
