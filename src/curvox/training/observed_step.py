"""One training step of a run, for the doctor: the batch that comes next, the optimiser as the run has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import DataLoader

from curvox.diagnosis import StepProbe, probe_step
from curvox.errors import CheckpointError
from curvox.training.augmenting import Augmentation, Augmenter
from curvox.training.data import PlannedBatches, PreparedData, training_loader
from curvox.training.module import SpeakerModule
from curvox.training.observed_model import ObservedModel
from curvox.training.optimizers import build_optimizer
from curvox.training.recipe import Recipe
from curvox.training.schedules import margin_scale


def observed_step(recipe: Recipe, data: PreparedData, model: ObservedModel) -> StepProbe:
    """Measure the training step that would come next in the run, without augmentation and at the peak learning rate.

    Raises:
        CheckpointError: the classes of the run are other speakers than those of ``data``, or its loss is not known.
    """
    embedder, loss = model.embedder, model.loss
    if loss is None:
        raise CheckpointError(model.why_no_loss)
    if loss.speakers is not None and model.speakers != data.class_names:
        raise CheckpointError(
            f"the run was trained on {len(model.speakers)} speakers that are not the {len(data.class_names)} "
            "of these recordings; give the corpus, and the prepare, that it was trained with"
        )
    loader = training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1)
    batches = planned(loader)
    epoch, place = divmod(model.step, len(batches))
    warmup = recipe.training.margin_warmup
    loss.set_margin_scale(margin_scale(model.step, warmup=warmup, steps_per_epoch=len(batches)))
    module = SpeakerModule(embedder, loss, recipe, data, loader, Augmenter(Augmentation(), embedder.sampling_rate_hz))
    batch = loader.dataset.__getitems__(batches.plan(epoch).crops(place))  # pyright: ignore
    features = module.batch_features(batch)
    probe = probe_step(
        lambda: embedder.encoder(features),
        embedder.encoder,
        loss,
        batch["speakers"],
        _optimizer(recipe, model, module),
        learning_rate=recipe.training.optimizer.learning_rate,
        items=tuple(data.train.utterances[item] for item in batch["items"].tolist()),
        initial=model.initial,
        batches_with_positives=share_with_positives(data, batches),
        precision=recipe.training.precision,
        clip_gradient_norm=recipe.training.optimizer.clip_gradient_norm,
    )
    embedder.eval()
    loss.eval()
    return probe


def planned(loader: DataLoader) -> PlannedBatches:
    """The batches behind a training loader."""
    assert isinstance(loader.batch_sampler, PlannedBatches)
    return loader.batch_sampler


def share_with_positives(data: PreparedData, batches: PlannedBatches) -> float:
    """Share of the batches of the first epoch in which some speaker comes twice, at one speed."""
    plan = batches.plan(0)
    speakers = np.sort(data.classes(plan.indices, plan.speeds), axis=1)
    return float((speakers[:, 1:] == speakers[:, :-1]).any(axis=1).mean())


def _optimizer(recipe: Recipe, model: ObservedModel, module: SpeakerModule) -> Callable[[], torch.optim.Optimizer]:
    """The optimiser of the run, with its state where the checkpoint has it."""
    optimizer = build_optimizer(recipe.training.optimizer, module.embedder, module.loss)
    states = [] if model.state is None else model.state.get("optimizer_states", [])
    if states:
        optimizer.load_state_dict(states[0])
    return lambda: optimizer
