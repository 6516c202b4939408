"""The Lightning module: one training step, the dev EER after every epoch. No formula lives here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from curvox.audio import change_speeds
from curvox.embedder import DevResult, Embedder, batches_by_length
from curvox.errors import CheckpointError, InputError
from curvox.geometry import widen
from curvox.losses import AbstractLoss, LossOutput, shard_centres, sharded_parameters
from curvox.metrics import equal_error_rate
from curvox.scoring import score_pairs
from curvox.training.data.augmenting import Augmenter
from curvox.training.data.loading import CropLoader, PlannedBatches, PreparedData
from curvox.training.recipe.recipe import Recipe
from curvox.training.step.building import build_optimizer, learning_rate_factor, margin_scale
from curvox.training.step.guard import (
    StepUnderWay,
    check_embeddings,
    check_gradients,
    check_loss,
    compute_loss,
    died_of_zeros,
)
from curvox.training.step.processes import (
    compares_items,
    full_tensors,
    gather,
    gather_embeddings,
    gradient_norm,
    mesh_of_processes,
    shard_weights,
)

DEV_BATCH_S = 40.0


@dataclass(frozen=True)
class StepRecord:
    """A step whose loss is known: its raw embeddings (B, D), those of all processes where the loss compares recordings,
    and the value that the loss returned."""

    under_way: StepUnderWay
    embeddings: Tensor
    value: Tensor


class SpeakerModule(pl.LightningModule):
    """Trains ``embedder`` and ``loss`` on ``data`` as ``recipe`` says.

    ``best`` holds the best dev result so far, ``averaged`` that of the mean of the last epochs; the checkpoint carries
    both, the position in the epoch and the names of the speakers. All chance in a step is a function of the seed and
    the step. ``last_step`` is what the loss was given last; where ``watched`` is set, its embeddings keep their
    gradient.
    """

    def __init__(
        self,
        embedder: Embedder,
        loss: AbstractLoss,
        recipe: Recipe,
        data: PreparedData,
        loader: CropLoader,
        augmenter: Augmenter,
    ):
        super().__init__()
        self.embedder = embedder
        self.loss = loss
        self.whole_batch = compares_items(loss)
        self.recipe = recipe
        self.data = data
        self.loader = loader
        self.augmenter = augmenter
        self.best: DevResult | None = None
        self.latest: DevResult | None = None
        self.averaged: DevResult | None = None
        self.watched = False
        # A function beside the encoder, not a wrapper around it, so that the names in a checkpoint stay.
        # It is compiled for the shapes it gets, which in training are always the same.
        self._compiled = torch.compile(embedder.encoder.forward, dynamic=False) if recipe.training.compile else None
        self.last_step: StepRecord | None = None
        self.seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def batches(self) -> PlannedBatches:
        """The training batches."""
        return self.loader.planned

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return self.batches.batches

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.recipe.training.total_steps(self.steps_per_epoch)

    def ends_step(self, batch_idx: int) -> bool:
        """Whether the optimiser's step comes after this batch of the loader, which may be a part of the step's."""
        return (batch_idx + 1) % self.batches.parts == 0

    def configure_model(self) -> None:
        # The processes have met, and neither weights of a checkpoint nor an optimiser are there yet.
        if not self.recipe.training.shard_classes or self.trainer.world_size == 1:
            return
        shard_centres(self.loss, mesh_of_processes(self.trainer.strategy.root_device.type))
        # Data-parallel training must not take the mean of what differs between the processes.
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, sharded_parameters(self))
        self.whole_batch = True

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        warmup = self.recipe.training.margin_warmup
        self.loss.set_margin_scale(margin_scale(self.global_step, warmup=warmup, steps_per_epoch=self.steps_per_epoch))
        self.last_step = None
        part = batch_idx % self.batches.parts
        self.seed_chance(1 + self.global_rank + part * self.trainer.world_size)
        batch = self.augmenter.with_copies(batch)
        embeddings = self.embed_batch(batch)
        # Before the loss, which would refuse these embeddings too but knows less about the cause.
        check_embeddings(self._under_way(batch, batch_idx), embeddings)
        if self.whole_batch:
            embeddings = gather_embeddings(embeddings)
            batch = {**batch, "speakers": gather(batch["speakers"]), "items": gather(batch["items"])}
        if self.watched and embeddings.requires_grad:
            embeddings.retain_grad()
        self.seed_chance(0)  # alike in all processes, so that a loss that draws pairs draws the same
        under_way = self._under_way(batch, batch_idx)
        output = compute_loss(under_way, embeddings)
        check_loss(under_way, embeddings, output)
        kept = embeddings if self.watched else embeddings.detach()
        self.last_step = StepRecord(under_way, kept, output.value.detach())
        self._log_step(output, under_way.learning_rate, len(embeddings))
        return output.value

    def _under_way(self, batch: dict[str, Tensor], batch_idx: int) -> StepUnderWay:
        return StepUnderWay(
            self.embedder,
            self.loss,
            batch,
            recordings=self.data.train.utterances,
            epoch=self.current_epoch + 1,
            batch_idx=batch_idx,
            step=self.global_step,
            learning_rate=self.trainer.optimizers[0].param_groups[0]["lr"],
            precision=self.recipe.training.precision,
            recompute=partial(self._recompute, batch) if self.trainer.world_size == 1 else None,
        )

    def _recompute(self, batch: dict[str, Tensor]) -> Tensor:
        with torch.enable_grad(), self.trainer.precision_plugin.forward_context():
            self.seed_chance(1)
            embeddings = self.embed_batch(batch)
            self.seed_chance(0)
            with torch.autocast(embeddings.device.type, enabled=False):
                return self.loss.compute(widen(embeddings), batch["speakers"].long()).value

    def seed_chance(self, stream: int) -> None:
        """Make what is drawn next a function of seed and step, so that it does not depend on what was drawn before."""
        sequence = np.random.SeedSequence([self.recipe.seed, self.global_step, stream])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # A gradient scaler expects an overflow now and then and skips that step itself; at its lowest it has given up.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is None or scaler.get_scale() < 1.0:
            assert self.last_step is not None
            check_gradients(self.last_step.under_way, dict(self.named_parameters()))

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # Lightning knows nothing of the rows that other processes hold.
        if gradient_clip_val is not None:
            norm = gradient_norm(self.parameters())
            torch.nn.utils.clip_grads_with_norm_(self.parameters(), gradient_clip_val, norm, foreach=False)

    def embed_batch(self, batch: dict[str, Tensor]) -> Tensor:
        """Return raw embeddings (B, D) of a training batch, augmented if the recipe says so."""
        encode = self._compiled or self.embedder.encoder
        return encode(self.batch_features(batch))

    def batch_features(self, batch: dict[str, Tensor]) -> Tensor:
        """Return what the encoder gets of a training batch, (B, T, n_mels), without a gradient."""
        seeds = batch["seeds"].tolist()
        speakers = (batch["speakers"] % len(self.data.train.speaker_names)).tolist()  # at whatever speed
        with torch.no_grad(), torch.autocast(batch["waveforms"].device.type, enabled=False):
            waveforms = self.augmenter.change_waveforms(self._at_speeds(batch), seeds, speakers)
            features, _ = self.embedder.features(waveforms)
            features = self.augmenter.change_features(features, seeds)
        return features

    def _at_speeds(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the crops (B, S) of a batch at the speeds that were drawn for them."""
        if "speeds" not in batch:
            return batch["waveforms"]
        factors = [self.data.speeds[number] for number in batch["speeds"].tolist()]
        return change_speeds(batch["waveforms"], factors, n_samples=self.recipe.data.crop_samples)

    def _log_step(self, output: LossOutput, learning_rate: float, items: int) -> None:
        self.log("train/loss", output.value.detach(), on_step=True, on_epoch=True, batch_size=items)
        signs = {**output.parts, "learning_rate": learning_rate, "margin_scale": self.loss.margin_scale}
        for name, value in signs.items():
            self.log(f"train/{name}", value, on_step=True, batch_size=items)

    def on_train_epoch_start(self) -> None:
        # Lightning tells samplers the epoch, but not batch samplers.
        self.batches.set_epoch(self.current_epoch)
        # A dev result belongs to the weights it was measured with, not to those that come next.
        self.latest = self.embedder.dev = None

    def train_dataloader(self) -> DataLoader:
        return self.loader

    def val_dataloader(self) -> DataLoader:
        lengths = self.data.dev.lengths_samples
        budget = int(DEV_BATCH_S * self.embedder.sampling_rate_hz)
        batches = batches_by_length([int(n) for n in lengths], budget)
        # A process without a batch would make Lightning stop; an empty one keeps it in step.
        mine = batches[self.global_rank :: self.trainer.world_size] or [[]]
        # As tensors, so that Lightning has nothing large to move.
        return DataLoader([torch.tensor(batch) for batch in mine], batch_size=None)  # pyright: ignore[reportArgumentType]

    def on_validation_epoch_start(self) -> None:
        self._dev_points = np.zeros((len(self.data.dev.utterances), self.embedder.embedding_dim), dtype=np.float32)

    def validation_step(self, positions: Tensor, batch_idx: int) -> None:
        items = positions.tolist()
        if not items:
            return
        waveforms = [self.data.dev.waveform(item) for item in items]
        # In full precision, as the checkpoint will be used: the threshold kept with it must fit.
        with torch.autocast(self.device.type, enabled=False):
            for batch, z in self.embedder.embed_batches(waveforms, batch_s=DEV_BATCH_S):
                points = self.embedder.space.project(z).float().cpu().numpy()
                self._dev_points[[items[i] for i in batch]] = points

    def on_validation_epoch_end(self) -> None:
        if self.trainer.sanity_checking:
            return
        self.latest = self._dev_result()
        self.log("dev/eer", self.latest.eer, sync_dist=False)

    def measure_dev(self) -> DevResult:
        """Return how the present weights do on the dev trials, beside Lightning's validation; all processes call it."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            self.on_validation_epoch_start()
            for number, positions in enumerate(self.val_dataloader()):
                self.validation_step(positions, number)
            result = self._dev_result()
        self.train(was_training)
        return result

    def _dev_result(self) -> DevResult:
        points = torch.from_numpy(self._dev_points).to(self.device)
        if self.trainer.world_size > 1:
            # Each process has filled its own rows and left the others zero.
            points = self.trainer.strategy.reduce(points, reduce_op="sum")
        points, data = points.cpu().numpy(), self.data
        try:
            scores = score_pairs(self.embedder.space, points, data.dev_enrolments, data.dev_tests)
        except InputError as error:
            if points.any(axis=1).all():
                raise
            names = [data.dev.utterances[row] for row in np.flatnonzero(~points.any(axis=1))]
            raise died_of_zeros(names, str(error), epoch=self.current_epoch + 1, step=self.global_step) from error
        eer = equal_error_rate(scores, data.dev_labels)
        targets = int(data.dev_labels.sum())
        return DevResult(
            float(eer.value), float(eer.threshold), targets, len(data.dev_labels) - targets, self.current_epoch + 1
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        training = self.recipe.training
        optimizer = build_optimizer(training.optimizer, self.embedder, self.loss)
        steps, total = self.steps_per_epoch, self.total_steps

        # A plain function: of any other callable torch would keep the attributes in the checkpoint.
        def factor(step: int) -> float:
            return learning_rate_factor(
                step,
                schedule=training.schedule,
                learning_rate=training.optimizer.learning_rate,
                steps_per_epoch=steps,
                total_steps=total,
            )

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for part in ("state_dict", "optimizer_states"):
            checkpoint[part] = full_tensors(checkpoint[part])
        # One step a batch; Lightning's own counters are behind or ahead by one, depending on the hook that saves.
        epoch, batch = divmod(self.global_step, self.steps_per_epoch)
        checkpoint["curvox"] = {
            "epoch": epoch,
            "batch": batch,
            "best": vars(self.best) if self.best else None,
            "averaged": vars(self.averaged) if self.averaged else None,
            "data": self.data.fingerprint,
            "parts": self.batches.parts,
            "seconds": self.seconds_before + time.monotonic() - self._started,
            "speakers": list(self.data.class_names),
            "labels": self.data.class_labels,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint["curvox"]["data"] != self.data.fingerprint:
            raise CheckpointError(
                "the recordings are not those this run was trained on, so it cannot be resumed exactly; "
                "restore the corpus, or train anew under another --name"
            )
        if wrong := different_tensors(checkpoint["state_dict"], self.state_dict()):
            raise CheckpointError(
                f"the training state in last/ belongs to another model: {len(wrong)} tensors differ (first: {wrong[0]}"
                "); take recipe.yaml and last/ from one run"
            )
        checkpoint["state_dict"] = shard_weights(checkpoint["state_dict"], self)
        state = checkpoint["curvox"]
        self.batches.stand_at(state["epoch"], state["batch"])
        count_parts(checkpoint["loops"], state.get("parts", 1), self.batches.parts)
        self.best, self.averaged = (
            None if state.get(key) is None else DevResult(**state[key]) for key in ("best", "averaged")
        )
        self.seconds_before = state["seconds"]


def different_tensors(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Return the names, sorted, of what only one of the two has or what has another shape in the other."""
    return sorted(
        name
        for name in weights.keys() | own.keys()
        if name not in weights or name not in own or weights[name].shape != own[name].shape
    )


def count_parts(loops: dict[str, Any], before: int, now: int) -> None:
    """Turn Lightning's count of batches, in the state of its ``loops``, from one number of parts a step to another.

    A checkpoint is written after whole steps only; the batch it is written in is counted as processed, but not yet as
    completed.
    """
    if before == now:
        return
    progress = loops["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        missing = counts["processed"] - counts["completed"]
        steps = counts["processed"] // before
        counts.update(dict.fromkeys(("ready", "started", "processed"), steps * now))
        counts["completed"] = steps * now - missing
