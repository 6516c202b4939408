"""From a recipe to what is trained: embedder, loss, optimiser and the schedules of its numbers."""

from __future__ import annotations

import math
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from curvox.audio import FilterBank
from curvox.embedder import Embedder
from curvox.encoders import ENCODERS
from curvox.errors import InputError, MissingExtraError, RecipeError
from curvox.losses import LOSSES, AbstractLoss, create_loss, has_centres, takes_tree
from curvox.training.data.loading import prepare_data
from curvox.training.data.prepared import PreparedData
from curvox.training.recipe.reading import check_options
from curvox.training.recipe.recipe import MarginRecipe, OptimizerRecipe, Recipe, ScheduleRecipe
from curvox.training.step.processes import compares_items, shard_optimizer_state

Build = Callable[[Recipe, int], tuple[Embedder, AbstractLoss]]
"""From a recipe and the number of training speakers to the embedder and its loss, which share the space."""

Prepare = Callable[[PreparedData], PreparedData]
"""From the decoded data to what is trained on, such as a choice of the recordings or other labels."""

# How many speakers there are is known only after decoding; these are enough for any loss.
_SKETCH_SPEAKERS = 1000

Labels = Mapping[str, Sequence[str]]
"""For each level the label of each class, "" where it is unknown."""


def build_model(recipe: Recipe, speakers: int, labels: Labels | None = None) -> tuple[Embedder, AbstractLoss]:
    """Build embedder and loss of a recipe for ``speakers`` classes; they share the space.

    ``labels`` are those of the classes at the levels that the loss asks for, None where it asks for none.
    """
    tree = numbered_labels(labels) if labels else None
    build = with_loss(lambda dim, count: create_loss(recipe.loss, dim=dim, speakers=count, tree=tree), recipe.loss)
    return build(recipe, speakers)


def data_for(
    recipe: Recipe,
    build: Build,
    prepare: Prepare | None,
    *,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> PreparedData:
    """Prepare the data of a recipe, with labels at the levels that its loss asks for; see `prepare_data`."""
    levels = levels_of(recipe.loss) if build is build_model else ()
    data = prepare_data(recipe.data, seed=recipe.seed, cache=cache, progress=progress, levels=levels)
    return data if prepare is None else prepare(data)


def with_loss(make_loss: Callable[[int, int], AbstractLoss], described: dict | None = None) -> Build:
    """Return how to build the recipe's encoder with a loss of your own.

    Args:
        make_loss: from the embedding's dimension and the number of speakers to the loss; the recipe's is ignored.
        described: what ``model.yaml`` says of the loss; None: the name of its class.
    """

    def build(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
        rate_hz = recipe.data.sampling_rate_hz
        features = check_options(FilterBank, recipe.features, where="features", given={"sampling_rate_hz"})
        filter_bank = FilterBank(sampling_rate_hz=rate_hz, **features)
        encoder = build_encoder(recipe.encoder, filter_bank.n_mels)
        loss = make_loss(encoder.embedding_dim, speakers)
        description = {
            "features": {"sampling_rate_hz": rate_hz, **recipe.features},
            "encoder": {"n_mels": filter_bank.n_mels, **recipe.encoder},
            "training": {
                "recipe": recipe.name,
                "loss": {"name": type(loss).__name__} if described is None else described,
                "speakers": speakers,
            },
        }
        return Embedder(filter_bank, encoder, loss.space, description), loss

    return build


def build_encoder(options: Mapping[str, Any], n_mels: int) -> Any:
    """Build the encoder that ``options["name"]`` names."""
    if not isinstance(options, Mapping) or not isinstance(options.get("name"), str):
        raise RecipeError(f"encoder: expected a mapping with a name, got {options!r}")
    cls = ENCODERS.load(options["name"])
    rest = {key: value for key, value in options.items() if key != "name"}
    return cls(n_mels=n_mels, **check_options(cls, rest, where="encoder", given={"n_mels"}))


def first_model(
    recipe: Recipe, speakers: int, build: Build, labels: Labels | None = None
) -> tuple[Embedder, AbstractLoss]:
    """Build embedder and loss with the weights that the recipe's seed draws; leaves the random state seeded.

    Without ``labels`` of the classes a loss that asks for levels gets made-up ones, two at each level.
    """
    from lightning.pytorch import (
        seed_everything,  # some seconds to import, which models built for a check can do without
    )

    seed_everything(recipe.seed, workers=True, verbose=False)
    return _built(recipe, speakers, build, labels)


def _built(recipe: Recipe, speakers: int, build: Build, labels: Labels | None = None) -> tuple[Embedder, AbstractLoss]:
    if build is not build_model:
        return build(recipe, speakers)
    by_turns = [str(number % 2) for number in range(speakers)]
    return build_model(recipe, speakers, labels or dict.fromkeys(levels_of(recipe.loss), by_turns))


def sketch_model(recipe: Recipe, build: Build) -> Embedder:
    """Build once to check the recipe, before minutes of decoding.

    Raises:
        InputError: ``build`` does not return an embedder and a loss that share a space.
        RecipeError: settings of data and optimiser do not go with the front end or the loss.
    """
    embedder, loss = _built(recipe, _SKETCH_SPEAKERS, build)
    if not isinstance(embedder, Embedder) or not isinstance(loss, AbstractLoss):
        raise InputError(
            "build must return an Embedder and an AbstractLoss, got "
            f"{type(embedder).__name__} and {type(loss).__name__}; curvox.diagnosis.adapt makes a loss of a function"
        )
    if embedder.space is not loss.space:
        raise InputError(
            f"embedder and loss must share one space, got {embedder.space!r} and {loss.space!r}; "
            "set embedder.space = loss.space in build"
        )
    _check_model(recipe, embedder, loss, recipe.loss["name"] if build is build_model else type(loss).__name__)
    return embedder


def _check_model(recipe: Recipe, embedder: Embedder, loss: AbstractLoss, name: str) -> None:
    if embedder.filter_bank.frames(recipe.data.crop_samples) < 1:
        raise RecipeError(f"data.crop_s = {recipe.data.crop_s} is shorter than a frame of features; take at least 0.1")
    if compares_items(loss) and recipe.data.recordings_per_speaker is None:
        raise RecipeError(
            f'the loss "{name}" compares recordings of one speaker with each other, so every batch must '
            "hold some: set data.recordings_per_speaker to 2 or more"
        )
    if compares_items(loss) and recipe.training.accumulate_batches > 1:
        raise RecipeError(
            f'the loss "{name}" compares the recordings of a whole batch, so it cannot be computed in parts; leave '
            "training.accumulate_batches out"
        )
    compiler = os.environ.get("CXX", "g++")
    if recipe.training.compile and shutil.which(compiler) is None:
        raise RecipeError(
            f"training.compile needs a C++ compiler, and {compiler} is not there: install it, name another one in the "
            "environment variable CXX, or leave training.compile out"
        )
    if recipe.training.shard_classes and not has_centres(loss):
        raise RecipeError(
            f'the loss "{name}" has no class centres to spread over processes; leave training.shard_classes out'
        )
    _check_optimizer(recipe.training.optimizer, loss)


def levels_of(loss: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the levels that a recipe's ``loss``, or a part of it, names, each once.

    Raises:
        RecipeError: a loss that needs levels names none.
    """
    found: list[str] = []
    name = loss.get("name")
    if isinstance(name, str) and name in LOSSES and takes_tree(name):
        levels = loss.get("levels")
        if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
            raise RecipeError(
                f'the loss "{name}" needs levels, columns of the manifest above the speaker, from the root down, such '
                f"as levels: [language, gender]; got {levels!r}"
            )
        found += levels
    parts = loss.get("parts")
    for part in parts if isinstance(parts, list) else ():
        found += levels_of(part) if isinstance(part, Mapping) else ()
    return tuple(dict.fromkeys(found))


def numbered_labels(labels: Labels) -> dict[str, list[int]]:
    """Number the labels of each level in their alphabetical order; -1 is unknown."""
    numbers = {level: {label: i for i, label in enumerate(sorted({*of} - {""}))} for level, of in labels.items()}
    return {level: [numbers[level].get(label, -1) for label in of] for level, of in labels.items()}


def build_optimizer(options: OptimizerRecipe, encoder: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser over ``encoder`` and what ``loss`` has beside it.

    Raises:
        MissingExtraError: the optimiser needs a package that is not installed.
    """
    shared = {id(p) for p in encoder.parameters()}
    centres = [p for p in loss.parameters() if id(p) not in shared]
    groups: list[dict[str, Any]] = [
        {"params": list(encoder.parameters()), "lr": options.learning_rate},
        # One by one: a step of all at once cannot mix parameters that are sharded with some that are not.
        {"params": centres, "lr": options.learning_rate * options.centre_learning_rate_factor, "foreach": False},
    ]
    optimizer = _new_optimizer(options, groups)
    # A checkpoint holds whole tensors, whatever is sharded here.
    optimizer.register_load_state_dict_pre_hook(lambda own, state: shard_optimizer_state(state, own))
    return optimizer


def _new_optimizer(options: OptimizerRecipe, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if options.name == "sgd":
        return torch.optim.SGD(
            groups, momentum=options.momentum, weight_decay=options.weight_decay, nesterov=options.momentum > 0
        )
    if options.name == "riemannian_adam":
        optimizer = _riemannian_adam()(groups, weight_decay=options.weight_decay)
        optimizer.register_load_state_dict_post_hook(_count_in_whole_numbers)
        return optimizer
    cls = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return cls(groups, weight_decay=options.weight_decay)


def _count_in_whole_numbers(optimizer: torch.optim.Optimizer) -> None:
    """Undo what Adam does to a state that it reads: with steps in float32 a resumed run would round differently."""
    for state in optimizer.state.values():
        state["step"] = int(state["step"])


def _check_optimizer(options: OptimizerRecipe, loss: nn.Module) -> None:
    """Refuse an optimiser that is not installed, or that would carry parameters off their manifold."""
    if options.name == "riemannian_adam":
        _riemannian_adam()
        return
    bound = [name for name, p in loss.named_parameters() if hasattr(p, "manifold")]
    if bound:
        raise RecipeError(
            f"the loss keeps parameters on a manifold (first: {bound[0]}), which {options.name} knows nothing of; "
            "set training.optimizer.name=riemannian_adam"
        )


def _riemannian_adam() -> type[torch.optim.Adam]:
    """Return geoopt's Riemannian Adam (Bécigneul and Ganea 2019, arXiv:1810.00760); plain parameters go as by Adam."""
    try:
        with warnings.catch_warnings():  # geoopt scripts its functions, which torch has deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            from geoopt.optim import RiemannianAdam
    except ImportError as error:
        raise MissingExtraError(
            f'training.optimizer.name = riemannian_adam needs geoopt: pip install "curvox[riemannian]" ({error})'
        ) from error
    return RiemannianAdam


def learning_rate_factor(
    step: int, *, schedule: ScheduleRecipe, learning_rate: float, steps_per_epoch: int, total_steps: int
) -> float:
    """Return the factor on ``learning_rate`` at optimiser step ``step`` (0-based).

    Warm-up is linear and never zero. Then cosine and exponential fall a little every step and reach
    ``final_learning_rate`` at the last one; step falls by ``decay_per_epoch`` at the end of each epoch.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / math.ceil(warmup + 1)
    final = schedule.final_learning_rate / learning_rate
    progress = min(1.0, (step - warmup) / max(1.0, total_steps - 1 - warmup))
    if schedule.name == "cosine":
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    if schedule.name == "exponential":
        return final**progress
    if schedule.decay_per_epoch is not None:
        return schedule.decay_per_epoch ** math.floor((step - warmup) / steps_per_epoch)
    return 1.0


def margin_scale(step: int, *, warmup: MarginRecipe, steps_per_epoch: int) -> float:
    """Return the share of the full margin that holds at optimiser step ``step`` (0-based), in [0, 1].

    The exponential rise is 1 - 0.001^p at the share p of the way, as in WeSpeaker (Wang et al. 2023, arXiv:2210.17016);
    its last thousandth comes at the end.
    """
    start, end = warmup.start_epoch * steps_per_epoch, warmup.end_epoch * steps_per_epoch
    if step >= end:
        return 1.0
    if step < start:
        return 0.0
    progress = (step - start) / (end - start)
    return progress if warmup.shape == "linear" else 1.0 - 0.001**progress
