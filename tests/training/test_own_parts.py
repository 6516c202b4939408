"""Training with an encoder, a loss or labels of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_recipes import change
from torch import Tensor, nn

from curvox.diagnosis import RunObservation, adapt, diagnose_run
from curvox.embedder import Embedder
from curvox.errors import InputError, TrainingError
from curvox.losses import AbstractLoss
from curvox.training import PreparedData, Recipe, build_model, observe_run, recipe_from, train, with_loss


def doubled(data: PreparedData) -> PreparedData:
    """The second recording is the first, under its own name."""
    places = data.train.places.copy()
    places[1] = places[0]
    return replace(data, train=replace(data.train, places=places))


def test_prepare__changes_what_is_trained_on_and_observed(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    def some(data: PreparedData) -> PreparedData:
        return doubled(replace(data, train=data.train.chosen(range(16))))

    result = train(change(tiny_tree, "training.max_steps=1"), tmp_path / "run", prepare=some)
    assert result.speakers == 4
    seen = observe_run(tmp_path / "run", prepare=some)
    assert seen.missing == {}
    assert seen.recordings is not None
    digests = seen.recordings.digests[:16]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 15
    other = observe_run(tmp_path / "run")
    assert "4 speakers that are not the 6 of these recordings" in other.missing["step"]
    assert other.train is not None


def test_recordings__of_unequal_labels_are_refused(tiny_tree: dict[str, Any]) -> None:
    def fewer(data: PreparedData) -> PreparedData:
        return replace(data, train=replace(data.train, speakers=data.train.speakers[:-1]))

    recipe = recipe_from(tiny_tree)
    with pytest.raises(InputError, match=r"speakers must have one number for each of the 24 recordings.*chosen"):
        train(recipe, Path("nowhere"), prepare=fewer, cache=Path(str(recipe.data.path)).parent / ".cache")


class Averages(nn.Module):
    """An encoder that is in no table."""

    embedding_dim = 5

    def __init__(self, n_mels: int):
        super().__init__()
        self.layer = nn.Linear(n_mels, 5)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.layer(features.square()).mean(1)


def averages(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
    known, loss = build_model(change_dim(recipe), speakers)
    return Embedder(known.filter_bank, Averages(24), loss.space, known.description), loss


def change_dim(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"encoder": {**recipe.encoder, "embedding_dim": 5}})


def test_build__trains_and_observes_an_encoder_of_ones_own(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    train(change(tiny_tree, "training.max_steps=2"), tmp_path / "run", build=averages)
    seen = observe_run(tmp_path / "run", build=averages)
    assert seen.missing == {}
    assert seen.step is not None
    assert [p.name for p in seen.step.parameters if p.name.startswith("encoder.")] == [
        "encoder.layer.weight",
        "encoder.layer.bias",
    ]
    without = observe_run(tmp_path / "run")
    assert "read with the same build" in without.missing["step"]


def test_build__that_returns_something_else_is_refused(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    recipe = recipe_from(tiny_tree)
    with pytest.raises(InputError, match="must return an Embedder and an AbstractLoss, got Embedder and Linear"):
        train(recipe, tmp_path / "run", build=lambda r, n: (build_model(r, n)[0], nn.Linear(2, 2)))  # pyright: ignore
    with pytest.raises(InputError, match="share one space"):
        train(recipe, tmp_path / "run", build=lambda r, n: (build_model(r, n)[0], build_model(r, n)[1]))
    assert not (tmp_path / "run").exists()


def picky(embeddings: Tensor, speakers: Tensor) -> Tensor:
    raise InputError("the batch must be sorted")


def test_loss__that_refuses_a_sound_batch_is_not_blamed_on_the_learning_rate(
    tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    recipe = change(tiny_tree, "data.recordings_per_speaker=2")
    with pytest.raises(TrainingError, match=r"must be sorted.*Recordings: .*the batch that does not suit") as caught:
        train(recipe, tmp_path / "run", build=with_loss(lambda dim, _: adapt(picky, dim=dim)))
    assert "learning rate is too high" not in str(caught.value)
    assert not (tmp_path / "run" / "failure.json").exists()


class Dead(Averages):
    """Its last rectifier lets nothing through: every embedding is zero."""

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        return 0.0 * super().forward(features, lengths)


def dead(recipe: Recipe, speakers: int) -> tuple[Embedder, AbstractLoss]:
    known, loss = build_model(change_dim(recipe), speakers)
    return Embedder(known.filter_bank, Dead(24), loss.space, known.description), loss


def test_embeddings__that_became_zero_end_the_run_as_a_collapse(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot be scored.*collapsed into zero"):
        train(change({**tiny_tree, "loss": {"name": "am_softmax"}}, "training.epochs=1"), tmp_path / "run", build=dead)
    seen = observe_run(tmp_path / "run", build=dead)
    assert seen.death is not None
    assert seen.death.kind == "zeros"
    assert diagnose_run(RunObservation("run", death=seen.death)).first.cause == "collapse"
