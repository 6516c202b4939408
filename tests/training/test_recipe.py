"""A recipe: every key known, every value of its type, what is stored is what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from curvox.errors import CurvoxError, RecipeError
from curvox.training import build_augmentation, build_model, dump_recipe, override, read_recipe, recipe_from
from curvox.training.recipe.reading import laid_over, read_tree

MINIMAL: dict[str, Any] = {"name": "x", "loss": {"name": "softmax"}}


def with_key(path: str, value: Any) -> dict[str, Any]:
    return override(MINIMAL, [f"{path}={yaml.safe_dump(value)}"])


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("trainin", 'did you mean "training"'),
        ("data.crop", 'did you mean "crop_s"'),
        ("training.epoch", 'did you mean "epochs"'),
        ("training.optimizer.learning_rat", 'did you mean "learning_rate"'),
        ("training.schedule.warmup_epoch", 'did you mean "warmup_epochs"'),
    ],
)
def test_recipe__refuses_an_unknown_key_with_the_nearest(path: str, hint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from(with_key(path, 1))
    assert f'"{path}"' in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("data.crop_s", -1.0, "data.crop_s"),
        ("data.crop_s", "two", "data.crop_s"),
        ("data.batch_size", 1.5, "data.batch_size"),
        ("data.batch_size", True, "data.batch_size"),
        ("training.precision", "fp8", "training.precision"),
        ("seed", -3, "seed"),
        ("training.margin_warmup", {"start_epoch": 3.0, "end_epoch": 1.0}, "must not lie before"),
    ],
)
def test_recipe__refuses_a_value_that_does_not_fit(path: str, value: Any, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from(with_key(path, value))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("section", "options", "said"),
    [
        ("encoder", {"name": "ecapa"}, 'unknown encoder "ecapa": did you mean "ecapa_tdnn"'),
        ("encoder", {"name": "ecapa_tdnn", "chanels": 4}, 'unknown key "encoder.chanels": did you mean "channels"'),
        ("encoder", {"name": "ecapa_tdnn", "channels": "4"}, "encoder.channels"),
        ("encoder", {"name": "ecapa_tdnn", "n_mels": 4}, 'unknown key "encoder.n_mels"'),
        ("encoder", {"channels": 4}, "expected a mapping with a name"),
        ("features", {"n_mel": 4}, 'unknown key "features.n_mel": did you mean "n_mels"'),
        ("loss", {"name": "ham_sofmax"}, 'did you mean "ham_softmax"'),
        ("loss", {"name": "ham_softmax", "margn": 4}, 'did you mean "margin"'),
        ("loss", {"name": "ham_softmax", "margin": -0.5}, "margin must be"),
        ("loss", {"name": "ham_softmax", "space": {"name": "poincare_bal"}}, 'did you mean "poincare_ball"'),
    ],
)
def test_options__are_checked_against_the_constructor_they_feed(section: str, options: Any, said: str) -> None:
    with pytest.raises(CurvoxError) as caught:
        build_model(recipe_from({**MINIMAL, section: options}), speakers=3)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"wave": {}}, 'unknown key "augmentation.wave": did you mean "waveforms"'),
        ({"waveforms": {"snr_lo_db": 1.0}}, 'did you mean "snr_low_db"'),
        ({"features": 3}, "expected a mapping"),
        ({"rooms": 3}, "augmentation.rooms: expected a mapping"),
        ({"rooms": {"path": "x", "rt60_low_s": 0.2}}, 'unknown key "augmentation.rooms.rt60_low_s"'),
        ({"rooms": {"large_rooms": True}}, 'unknown key "augmentation.rooms.large_rooms"'),
        ({"rooms": {"path": "no/such"}}, "laid out as RIRS_NOISES"),
        ({"recorded_noise": {}}, "augmentation.recorded_noise: missing key path"),
        ({"recorded_noise": {"path": "no/such"}}, "laid out as MUSAN"),
        ({"clipping": {"probability": "often"}}, "augmentation.clipping.probability"),
    ],
)
def test_augmentation__is_checked_too(options: Any, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_augmentation(options)
    assert said in str(caught.value)


def test_override__sets_keys_at_any_depth_and_in_lists() -> None:
    tree = {**MINIMAL, "loss": {"name": "combined", "parts": [{"name": "ram_softmax", "weight": 0.3}]}}
    changed = override(tree, ["training.optimizer.learning_rate=0.5", "loss.parts.0.weight=0.9", "seed=7", "name=new"])
    assert changed["training"] == {"optimizer": {"learning_rate": 0.5}}
    assert changed["loss"]["parts"] == [{"name": "ram_softmax", "weight": 0.9}]
    assert (changed["seed"], changed["name"]) == (7, "new")
    assert "training" not in tree


@pytest.mark.parametrize("text", ["seed", "=3", "seed.deep=3", "loss.parts.7=1", "seed=[1"])
def test_override__of_another_form_is_refused(text: str) -> None:
    tree = {**MINIMAL, "seed": 1, "loss": {"name": "combined", "parts": []}}
    with pytest.raises(RecipeError):
        override(tree, [text])


def test_recipe__survives_its_file(tmp_path: Path) -> None:
    recipe = recipe_from(override(MINIMAL, ["data.crop_s=3.5", "training.devices=2"]))
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize("content", [b"[1, 2]", b"a: [", b"\xff\xfe", b""])
def test_recipe__that_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        read_recipe(path)


def test_recipe__that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="readable YAML"):
        read_recipe(tmp_path / "none.yaml")


def test_model__of_a_recipe_shares_the_space_with_its_loss() -> None:
    tree = {**MINIMAL, "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 8, "embedding_dim": 6}}
    tree["loss"] = {
        "name": "combined",
        "parts": [{"name": "ram_softmax", "weight": 0.3}, {"name": "ham_softmax", "weight": 0.7, "margin": 0.1}],
    }
    model, loss = build_model(recipe_from(tree), speakers=3)
    assert model.space is loss.space
    assert model.space.describe()["name"] == "poincare_ball"


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
