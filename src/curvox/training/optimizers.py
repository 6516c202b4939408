"""The optimiser of a recipe: one group for the encoder, one for the loss's own parameters."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from curvox.errors import MissingExtraError, RecipeError
from curvox.training.recipe import OptimizerRecipe
from curvox.training.sharded_state import shard_optimizer_state


def build_optimizer(options: OptimizerRecipe, encoder: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser over ``encoder`` and whatever ``loss`` has beside it.

    Raises:
        MissingExtraError: the optimiser needs a package that is not installed.
    """
    shared = {id(p) for p in encoder.parameters()}
    centres = [p for p in loss.parameters() if id(p) not in shared]
    groups: list[dict[str, Any]] = [
        {"params": list(encoder.parameters()), "lr": options.learning_rate},
        # one by one: a step of all at once cannot mix parameters that are sharded with some that are not
        {
            "params": centres,
            "lr": options.learning_rate * options.centre_learning_rate_factor,
            "foreach": False,
        },
    ]
    optimizer = _construct(options, groups)
    # A checkpoint holds whole tensors, whatever is sharded here.
    optimizer.register_load_state_dict_pre_hook(lambda own, state: shard_optimizer_state(state, own))
    return optimizer


def _construct(options: OptimizerRecipe, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if options.name == "sgd":
        return torch.optim.SGD(
            groups, momentum=options.momentum, weight_decay=options.weight_decay, nesterov=options.momentum > 0
        )
    if options.name == "riemannian_adam":
        optimizer = load_riemannian_adam()(groups, weight_decay=options.weight_decay)
        optimizer.register_load_state_dict_post_hook(_count_in_whole_numbers)
        return optimizer
    cls = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return cls(groups, weight_decay=options.weight_decay)


def _count_in_whole_numbers(optimizer: torch.optim.Optimizer) -> None:
    """Undo what Adam does to a state that it reads: with steps in float32 a resumed run would round differently."""
    for state in optimizer.state.values():
        state["step"] = int(state["step"])


def check_optimizer(options: OptimizerRecipe, loss: nn.Module) -> None:
    """Refuse an optimiser that is not installed, or that would carry parameters off their manifold."""
    if options.name == "riemannian_adam":
        load_riemannian_adam()
        return
    bound = [name for name, p in loss.named_parameters() if hasattr(p, "manifold")]
    if bound:
        raise RecipeError(
            f"the loss keeps parameters on a manifold (first: {bound[0]}), which {options.name} knows nothing of; "
            "set training.optimizer.name=riemannian_adam"
        )


def load_riemannian_adam() -> type[torch.optim.Adam]:
    """Return geoopt's Riemannian Adam (Bécigneul and Ganea 2019, arXiv:1810.00760); plain parameters go as by Adam.

    Raises:
        MissingExtraError: geoopt is not installed.
    """
    try:
        with warnings.catch_warnings():  # geoopt scripts its functions, which torch has deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            from geoopt.optim import RiemannianAdam
    except ImportError as error:
        raise MissingExtraError(
            f'training.optimizer.name = riemannian_adam needs geoopt: pip install "curvox[riemannian]" ({error})'
        ) from error
    return RiemannianAdam
