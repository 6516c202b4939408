"""A recipe that says only in what it differs from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from curvox.errors import RecipeError
from curvox.training import dump_recipe, read_recipe
from curvox.training.recipe.reading import laid_over, read_tree

WHOLE = """
name: whole
data: {crop_s: 1.5, batch_size: 8}
encoder: {name: ecapa_tdnn, channels: 16, embedding_dim: 12}
loss: {name: ham_softmax, scale: 20.0, margin: 0.3}
training:
  epochs: 7
  schedule: {name: step, decay_per_epoch: 0.9, warmup_epochs: 0.0}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "whole.yaml").write_text(WHOLE)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_base__gives_all_that_the_recipe_does_not_say(folder: Path) -> None:
    path = write(folder, "wide.yaml", "base: whole.yaml\nname: wide\nencoder: {channels: 32}\ndata: {crop_s: 2.0}")
    recipe, base = read_recipe(path), read_recipe(folder / "whole.yaml")
    assert recipe.name == "wide"
    assert recipe.encoder == {"name": "ecapa_tdnn", "channels": 32, "embedding_dim": 12}
    assert (recipe.data.crop_s, recipe.data.batch_size) == (2.0, 8)
    assert (recipe.loss, recipe.training) == (base.loss, base.training)


def test_base__loses_a_thing_whole_to_another_thing_with_a_name(folder: Path) -> None:
    """The margin of one loss must not become that of another unseen, nor the decay of a schedule."""
    text = "base: whole.yaml\nname: other\nloss: {name: am_softmax}\ntraining: {schedule: {name: cosine}}"
    recipe = read_recipe(write(folder, "other.yaml", text))
    assert recipe.loss == {"name": "am_softmax"}
    assert (recipe.training.schedule.name, recipe.training.schedule.decay_per_epoch) == ("cosine", None)
    assert recipe.training.epochs == 7


def test_base__may_have_a_base_and_lie_below(folder: Path) -> None:
    write(folder, "below/first.yaml", WHOLE)
    write(folder, "below/second.yaml", "base: first.yaml\nname: second\ntraining: {epochs: 9}")
    path = write(folder, "third.yaml", "base: below/second.yaml\nname: third\ntraining: {average_last: 3}")
    training = read_recipe(path).training
    assert (training.epochs, training.average_last, training.schedule.name) == (9, 3, "step")


def test_base__comes_before_overrides_and_is_gone_from_the_effective_recipe(folder: Path) -> None:
    path = write(folder, "wide.yaml", "base: whole.yaml\nname: wide\nloss: {margin: 0.1}")
    recipe = read_recipe(path, ["loss.margin=0.4"])
    assert recipe.loss == {"name": "ham_softmax", "scale": 20.0, "margin": 0.4}
    stored = write(folder, "effective/recipe.yaml", dump_recipe(recipe))
    assert "base" not in stored.read_text()
    assert read_recipe(stored) == recipe


def test_laying_over__leaves_both_trees_as_they_were() -> None:
    base, over = {"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}
    assert laid_over(base, over) == {"a": {"b": 1, "c": [3]}}
    assert (base, over) == ({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: ../whole.yaml", "must lie in the folder of the recipe"),
        ("base: /etc/hostname", "must lie in the folder of the recipe"),
        ("base: link.yaml", "must lie in the folder of the recipe"),
        ("base: none.yaml", "none.yaml: a recipe must be a readable YAML file"),
        ("base: [whole.yaml]", "base must be the path of another recipe"),
        ("base: self.yaml", "self.yaml leads back to .*self.yaml"),
        ("base: there.yaml", "back.yaml leads back to .*self.yaml"),
        ("base: whole.yaml\nencodr: {}", 'self.yaml on .*whole.yaml: unknown key "encodr": did you mean "encoder"'),
        ("base: wrong.yaml", 'self.yaml on .*wrong.yaml: unknown key "data.crops": did you mean "crop_s"'),
        ("base: list.yaml", "list.yaml: a recipe must be a mapping of sections, got list"),
    ],
)
def test_base__is_refused_where_it_may_not_be(text: str, said: str, folder: Path, tmp_path: Path) -> None:
    inner = folder / "inner"
    path = write(folder, "inner/self.yaml", text)
    (inner / "whole.yaml").write_text(WHOLE)
    (inner / "link.yaml").symlink_to(folder / "whole.yaml")
    (inner / "there.yaml").write_text("base: back.yaml")
    (inner / "back.yaml").write_text("base: self.yaml")
    (inner / "wrong.yaml").write_text("name: x\nloss: {name: softmax}\ndata: {crops: 1}")
    (inner / "list.yaml").write_text("[1, 2]")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)


def test_base__is_read_with_the_same_care(folder: Path) -> None:
    write(folder, "twice.yaml", "name: x\nname: y")
    with pytest.raises(RecipeError, match='the key "name" comes twice'):
        read_tree(write(folder, "on_it.yaml", "base: twice.yaml"))
