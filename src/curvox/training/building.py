"""From a recipe to what is trained: embedder and loss, by the tables or by the user's own hand."""

from __future__ import annotations

from collections.abc import Callable

import lightning.pytorch as pl

from curvox.embedder import Embedder
from curvox.errors import InputError, RecipeError
from curvox.losses import AbstractLoss, create_loss, has_centres
from curvox.training.compiling import check_compiler
from curvox.training.data import PreparedData
from curvox.training.levels import Labels, levels_of, numbered_labels, sketched_labels
from curvox.training.optimizers import check_optimizer
from curvox.training.options import build_encoder, build_filter_bank
from curvox.training.processes import compares_items
from curvox.training.recipe import Recipe

Build = Callable[[Recipe, int], tuple[Embedder, AbstractLoss]]
"""From a recipe and the number of training speakers to the embedder and its loss, which share the space."""

Prepare = Callable[[PreparedData], PreparedData]
"""From the decoded data to what is trained on, such as a choice of the recordings or other labels."""

# How many there are is known only after decoding; enough for whatever a loss asks of their number.
_SKETCH_SPEAKERS = 1000


def build_model(recipe: Recipe, speakers: int, labels: Labels | None = None) -> tuple[Embedder, AbstractLoss]:
    """Build embedder and loss of a recipe for ``speakers`` classes; they share the space.

    ``labels`` are those of the classes at the levels that the loss asks for, None where it asks for none.
    """
    tree = numbered_labels(labels) if labels else None
    build = with_loss(lambda dim, count: create_loss(recipe.loss, dim=dim, speakers=count, tree=tree), recipe.loss)
    return build(recipe, speakers)


def asked_levels(recipe: Recipe, build: Build) -> tuple[str, ...]:
    """Return the levels above the speaker that the recipe's loss asks for; none where ``build`` makes another."""
    return levels_of(recipe.loss) if build is build_model else ()


def with_loss(make_loss: Callable[[int, int], AbstractLoss], described: dict | None = None) -> Build:
    """Return how to build the recipe's encoder with a loss of your own.

    Args:
        make_loss: from the embedding's dimension and the number of speakers to the loss; the recipe's is not
            looked at.
        described: what ``model.yaml`` says of the loss; None: the name of its class.
    """

    def build(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
        filter_bank = build_filter_bank(recipe.features, recipe.data.sampling_rate_hz)
        encoder = build_encoder(recipe.encoder, filter_bank.n_mels)
        loss = make_loss(encoder.embedding_dim, speakers)
        description = {
            "features": {"sampling_rate_hz": recipe.data.sampling_rate_hz, **recipe.features},
            "encoder": {"n_mels": filter_bank.n_mels, **recipe.encoder},
            "training": {
                "recipe": recipe.name,
                "loss": {"name": type(loss).__name__} if described is None else described,
                "speakers": speakers,
            },
        }
        return Embedder(filter_bank, encoder, loss.space, description), loss

    return build


def first_model(
    recipe: Recipe, speakers: int, build: Build, labels: Labels | None = None
) -> tuple[Embedder, AbstractLoss]:
    """Build embedder and loss with the weights that the recipe's seed draws; leaves the random state seeded.

    Without ``labels`` of the classes a loss that asks for levels gets made-up ones.
    """
    pl.seed_everything(recipe.seed, workers=True, verbose=False)
    return _built(recipe, speakers, build, labels)


def _built(recipe: Recipe, speakers: int, build: Build, labels: Labels | None = None) -> tuple[Embedder, AbstractLoss]:
    if build is not build_model:
        return build(recipe, speakers)
    return build_model(recipe, speakers, labels or sketched_labels(levels_of(recipe.loss), speakers))


def sketch_model(recipe: Recipe, build: Build) -> Embedder:
    """Build once for nothing but the checks: decoding takes minutes, a misspelt key must not wait for it.

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
    if recipe.training.compile:
        check_compiler()
    if recipe.training.shard_classes and not has_centres(loss):
        raise RecipeError(
            f'the loss "{name}" has no class centres to spread over processes; leave training.shard_classes out'
        )
    check_optimizer(recipe.training.optimizer, loss)
