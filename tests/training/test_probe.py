"""A loss tried on a small encoder before it is trained in earnest."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tiny_recipes import change
from torch import Tensor

from curvox.diagnosis import adapt
from curvox.errors import OutputExistsError, RecipeError
from curvox.losses import create_loss, has_centres
from curvox.training import Recipe, override, probe_loss, read_recipe, recipe_from, small_recipe
from curvox.training.data.loading import prepare_data


@pytest.fixture(scope="module")
def tiny_probe(voices: Path) -> Recipe:
    """The small recipe, smaller still."""
    return few(small_recipe(str(voices), whole_batch=True))


def few(recipe: Recipe) -> Recipe:
    changes = ["data.batch_size=8", "data.crops_per_epoch=24", "encoder.channels=16", "data.crop_s=0.6"]
    return recipe_from(override(recipe.model_dump(mode="json"), changes))


def hinge(embeddings: Tensor, speakers: Tensor) -> Tensor:
    same = (speakers[:, None] == speakers[None, :]).float()
    distances = torch.cdist(embeddings, embeddings)
    return (same * distances + (1 - same) * (2 - distances).clamp_min(0)).mean()


def test_probe__trains_the_loss_it_is_given_and_measures_it(tiny_probe: Recipe, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=1000)
    made: list[tuple[int, int]] = []

    def make(dim: int, speakers: int) -> Any:
        made.append((dim, speakers))
        return create_loss("triplet", dim=dim, speakers=speakers)

    seen = probe_loss(make, tiny_probe, tmp_path / "probe", steps=7, console=console)
    assert seen.missing == {}
    assert seen.death is None
    assert (32, 6) in made
    assert isinstance(seen.loss, type(make(32, 6)))
    assert seen.history is not None
    assert seen.history.planned_steps == 7
    assert seen.step is not None
    assert seen.step.batches_with_positives == 1.0
    moved = [p.moved for p in seen.step.parameters if p.name.startswith("encoder.")]
    assert all(m is not None and m > 0 for m in moved)
    assert read_recipe(tmp_path / "probe" / "recipe.yaml").training.max_steps == 7


def test_probe__of_a_loss_that_dies_tells_how(tiny_probe: Recipe, tmp_path: Path) -> None:
    seen = probe_loss(
        lambda dim, speakers: adapt(lambda z, y: (z - z).norm(dim=1).sqrt().mean(), dim=dim), tiny_probe, tmp_path / "p"
    )
    assert seen.death is not None
    assert seen.death.kind == "gradient"
    assert seen.step is None
    assert seen.recordings is not None


def test_probe__takes_a_plain_function_through_adapt(tiny_probe: Recipe, tmp_path: Path) -> None:
    seen = probe_loss(lambda dim, speakers: adapt(hinge, dim=dim), tiny_probe, tmp_path / "probe", steps=2)
    assert seen.missing == {}
    with pytest.raises(OutputExistsError):
        probe_loss(lambda dim, speakers: adapt(hinge, dim=dim), tiny_probe, tmp_path / "probe")


def test_small_recipe__has_positives_where_the_loss_compares_recordings(voices: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"set data\.recordings_per_speaker"):
        probe_loss(
            lambda dim, speakers: create_loss("triplet", dim=dim, speakers=speakers),
            small_recipe(str(voices), whole_batch=False),
            tmp_path / "probe",
        )
    recipe = few(small_recipe(str(voices), whole_batch=False, seed=3))
    assert recipe.seed == 3
    seen = probe_loss(lambda d, n: create_loss("aam_softmax", dim=d, speakers=n), recipe, tmp_path / "probe", steps=1)
    assert seen.loss is not None
    assert has_centres(seen.loss)


def test_most_recordings__are_of_whole_speakers_in_both_splits(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    recipe = change(tiny_tree, "data.dev_trials=null", "data.most_recordings=12")
    data = prepare_data(recipe.data, seed=1, cache=tmp_path)
    for items in (data.train, data.dev):
        assert len(items.utterances) == 12
        assert sorted(items.speakers.tolist()) == sorted(list(range(3)) * 4)
        assert len(items.speaker_names) == 3
    assert data.dev_labels.any()
    with pytest.raises(RecipeError, match="set dev_trials to null"):
        change(tiny_tree, "data.most_recordings=12")
