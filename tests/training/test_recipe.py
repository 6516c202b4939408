"""A recipe: every key known, every value of its type, what is stored is what was meant."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from curvox.errors import CurvoxError, RecipeError
from curvox.training import build_augmentation, build_model, dump_recipe, override, read_recipe, recipe_from

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
