"""Every recipe in recipes/ is run for two steps."""

from pathlib import Path

import pytest
import yaml
from tiny_recipes import change

from curvox.embedder import load_embedder
from curvox.training import train


def recipes(repository: Path = Path(__file__).parents[2]) -> list[Path]:
    return sorted((repository / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", recipes(), ids=lambda p: p.stem)
def test_recipe__of_the_project_takes_two_steps(path: Path, voices: Path, tmp_path: Path) -> None:
    tree = yaml.safe_load(path.read_text())
    recipe = change(
        tree,
        f"data.path={voices}",
        "data.batch_size=4",
        "data.crop_s=0.5",
        "training.max_steps=2",
        "training.accelerator=cpu",
    )
    result = train(recipe, tmp_path / "run")
    assert result.steps == 2
    assert load_embedder(tmp_path / "run" / "last").description["training"]["loss"]["name"] == tree["loss"]["name"]


def test_recipes__are_there() -> None:
    losses = {yaml.safe_load(path.read_text())["loss"]["name"] for path in recipes()}
    assert losses >= {"softmax", "am_softmax", "aam_softmax", "ram_softmax", "h_softmax", "ham_softmax"}
