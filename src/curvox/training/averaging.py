"""The mean of the weights of the last epochs, as a model of its own.

Averaging checkpoints is common practice in speaker verification; why it helps is the subject of Izmailov et al. 2018,
"Averaging weights leads to wider optima and better generalization", arXiv:1803.05407.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from torch import Tensor

from curvox.embedder import DevResult, Embedder, write_embedder
from curvox.files import replace_folder
from curvox.training.module import SpeakerModule, total_steps
from curvox.training.processes import process_count
from curvox.training.sharded_state import full_tensors
from curvox.training.state_tree import write_state

AVERAGED = "averaged"


@dataclass(frozen=True)
class WeightSum:
    """Weights of some epochs (numbered from 1) added up in float64; what is no fraction, such as a count, is that of
    the last."""

    epochs: tuple[int, ...]
    sums: Mapping[str, Tensor]

    def mean(self, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean over the epochs, each tensor with the type that it has in ``like``."""
        counts = {name: len(self.epochs) if tensor.is_floating_point() else 1 for name, tensor in self.sums.items()}
        return {name: (tensor / counts[name]).to(like[name].dtype) for name, tensor in self.sums.items()}


def add_weights(before: WeightSum | None, weights: Mapping[str, Tensor], epoch: int) -> WeightSum:
    """Return ``before`` with the weights of one more epoch, all of them: those of batch normalisation too."""
    wide = {n: t.detach().cpu().double() if t.is_floating_point() else t.detach().cpu() for n, t in weights.items()}
    if before is None:
        return WeightSum((epoch,), {name: tensor.clone() for name, tensor in wide.items()})
    sums = {name: before.sums[name] + t if t.is_floating_point() else t.clone() for name, t in wide.items()}
    return WeightSum((*before.epochs, epoch), sums)


class WeightAverager(pl.Callback):
    """Adds up the weights after each of the last ``epochs`` epochs, and leaves their mean in ``averaged/`` of the run.

    Must come before what writes ``last``, which holds the sum so far: there is one copy, however many epochs, and a
    resumed run goes on with it. ``averaged`` is there before the last ``last`` is. How the mean did on the
    dev trials is ``averaged`` of the module.
    """

    def __init__(self, run: Path, epochs: int):
        self.run = run
        self.epochs = epochs
        self.sum: WeightSum | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SpeakerModule)
        steps, total = pl_module.steps_per_epoch, total_steps(pl_module.recipe, pl_module.steps_per_epoch)
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
            replace_folder(self.run / AVERAGED, lambda folder: _write(folder, model, state))
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


def _write(folder: Path, model: Embedder, state: dict[str, Any]) -> None:
    write_embedder(model, folder)
    write_state(state, folder)
