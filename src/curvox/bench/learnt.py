"""The scalars that a training learnt beside its encoder and its centres: curvature, gain, scale."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn

from curvox.embedder import Embedder
from curvox.geometry import parameters_of_spaces
from curvox.losses import LearntScale
from curvox.training import build_model, read_recipe
from curvox.training.observed_model import observed_model


def learnt_scalars(run: Path, model: Embedder) -> dict[str, float]:
    """Return what was learnt, by name, where it was learnt: ``c`` of the ball, ``gain`` of its lift, and of the loss
    ``scale`` and whatever other single numbers it has, by the names of its parameters.

    Space and lift are those of ``model``, the evaluated one; the loss is only kept with the last epoch.

    Raises:
        CheckpointError: the checkpoint ``last`` is missing or damaged.
    """
    loss = observed_model(run, read_recipe(run / "recipe.yaml"), build_model).loss
    with torch.no_grad():
        learnt = model.space.learnt_scalars() | ({} if loss is None else _of_loss(loss))
    return {name: value for name, value in learnt.items() if math.isfinite(value)}


def _of_loss(loss: nn.Module) -> dict[str, float]:
    """Scalars by the path of their module, without those of the space."""
    of_spaces = parameters_of_spaces(loss)
    learnt: dict[str, float] = {}
    for path, module in loss.named_modules():
        if isinstance(module, LearntScale):
            if module.learn:
                learnt[path.replace("scaling", "scale") or "scale"] = float(module.now())
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.numel() != 1 or parameter in of_spaces:
                continue
            whole = f"{path}.{name}" if path else name
            is_log = name == "log_scale"
            value = float(parameter)
            learnt[whole.replace("log_scale", "scale")] = math.exp(value) if is_log else value
    return learnt
