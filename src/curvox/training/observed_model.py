"""The model of a run, rebuilt from its folder: what was trained, and what it began with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from curvox.embedder import Embedder, model_folder, read_description
from curvox.errors import CheckpointError, CurvoxError
from curvox.files import tensors_from_file
from curvox.losses import AbstractLoss
from curvox.training.building import Build, first_model
from curvox.training.checkpoints import read_training_state
from curvox.training.recipe import Recipe
from curvox.training.start import read_start


@dataclass(frozen=True)
class ObservedModel:
    """A model with the weights of a checkpoint.

    Attributes:
        embedder: the encoder and its space.
        loss: None where it is not known, because ``last`` cannot be read and the loss has learnt something.
        why_no_loss: the reason.
        state: the training state; None for ``best``.
        speakers: the names of the classes; empty where unknown.
        initial: weights before the first step, by the names of `curvox.diagnosis.ParameterProbe`; None where unknown.
    """

    embedder: Embedder
    loss: AbstractLoss | None
    why_no_loss: str
    state: Mapping[str, Any] | None
    speakers: tuple[str, ...]
    initial: Mapping[str, Tensor] | None

    @property
    def step(self) -> int:
        """Optimiser steps that were taken."""
        return 0 if self.state is None else int(self.state["global_step"])


def observed_model(run: Path, recipe: Recipe, build: Build) -> ObservedModel:
    """Rebuild the model of ``run`` from ``last``, or from ``best`` where ``last`` is not there or of an older version.

    Raises:
        CheckpointError: there is no checkpoint yet, it is damaged, or ``build`` makes another model.
    """
    last, best = _folder(run, "last"), _folder(run, "best")
    if last is None and best is None:
        raise CheckpointError(
            f"{run} holds no checkpoint: the run has not finished its first epoch, or last/ was removed"
        )
    why = "last/ is missing"
    if last is not None:
        try:
            return _from_last(last, _training_state(last), recipe, build)
        except CheckpointError as error:
            if best is None:
                raise
            why = str(error)
    assert best is not None
    return _from_best(best, recipe, build, f"best/ does not hold what the loss has learnt, and from last/: {why}")


def _training_state(last: Path) -> dict[str, Any]:
    try:
        return read_training_state(last)
    except CheckpointError:  # a run that is under way may have put the next one in its place meanwhile
        return read_training_state(last)


def _from_last(folder: Path, state: dict[str, Any], recipe: Recipe, build: Build) -> ObservedModel:
    speakers = tuple(state["curvox"]["speakers"])
    with isolate_rng(include_cuda=False):
        embedder, loss = first_model(recipe, len(speakers), build, state["curvox"].get("labels"))
    initial = _initial(recipe, embedder, loss)
    _load(nn.ModuleDict({"embedder": embedder, "loss": loss}), state["state_dict"], folder)
    return ObservedModel(embedder.eval(), loss.eval(), "", state, speakers, initial)


def _from_best(folder: Path, recipe: Recipe, build: Build, why: str) -> ObservedModel:
    speakers = read_description(folder).training.get("speakers", 2)
    if not isinstance(speakers, int) or speakers < 1:
        raise CheckpointError(f"{folder} does not describe a model of a run: training.speakers is {speakers!r}")
    with isolate_rng(include_cuda=False):
        embedder, loss = first_model(recipe, speakers, build)
    of_loss = {name for name, _ in loss.named_parameters()} - {f"space.{name}" for name in loss.space.state_dict()}
    weights = tensors_from_file(folder / "model.safetensors")
    _load(nn.ModuleDict({"encoder": embedder.encoder, "space": embedder.space}), weights, folder)
    known = None if of_loss else loss.eval()
    return ObservedModel(embedder.eval(), known, "" if known is not None else why, None, (), None)


def named_weights(embedder: Embedder, loss: AbstractLoss) -> dict[str, Tensor]:
    """Copies of the parameters by name, "encoder.…" and "loss.…"."""
    parts = (("encoder", embedder.encoder), ("loss", loss))
    return {f"{part}.{name}": p.detach().clone() for part, module in parts for name, p in module.named_parameters()}


def _initial(recipe: Recipe, embedder: Embedder, loss: AbstractLoss) -> dict[str, Tensor] | None:
    """Weights before the first step: as drawn, or those of the run that training started from, where it is there."""
    drawn = named_weights(embedder, loss)
    if recipe.training.start_from is None:
        return drawn
    try:
        start = read_start(recipe.training.start_from, embedder)
    except CurvoxError:
        return None
    return {name: start.weights[_in_state(name)] for name in drawn if _in_state(name) in start.weights}


def _in_state(name: str) -> str:
    return f"embedder.{name}" if name.startswith("encoder.") else name


def _load(module: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    own = module.state_dict()
    wrong = sorted(
        name
        for name in weights.keys() | own.keys()
        if name not in weights or name not in own or weights[name].shape != own[name].shape
    )
    if wrong:
        raise CheckpointError(
            f"the weights in {folder} are of another model: {len(wrong)} tensors differ (first: {wrong[0]}); a run of "
            "train(build=...) is read with the same build and recipe.yaml"
        )
    module.load_state_dict(dict(weights))


def _folder(run: Path, name: str) -> Path | None:
    """``last`` or ``best`` of a run; for the moment between the two renames of an exchange, the one before."""
    try:
        return model_folder(run / name)
    except CheckpointError:
        return None
