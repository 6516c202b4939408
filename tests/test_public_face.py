"""What ``import curvox`` offers: few names, all there, and nothing heavy before one is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

import curvox


def test_import__brings_nothing_but_itself() -> None:
    heavy = {"torch", "lightning", "lhotse", "matplotlib", "numpy", "pydantic", "typer", "rich"}
    code = "import sys, curvox; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not heavy & set(modules)
    assert [name for name in modules if name.startswith("curvox.")] == []


def test_names__are_few_and_sorted_and_all_there() -> None:
    assert len(curvox.__all__) <= 15
    assert set(curvox.__all__) == set(curvox._HOMES)
    assert set(dir(curvox)) == {*curvox.__all__, "__version__"}
    for name in curvox.__all__:
        assert getattr(curvox, name) is not None
    assert curvox.__version__


def test_name__that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        curvox.trian  # noqa: B018


@pytest.mark.parametrize("name", ["CurvoxError", "LOSSES", "ENCODERS"])
def test_name__that_is_light_brings_no_torch(name: str) -> None:
    code = f"import sys, curvox; curvox.{name}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_train__takes_the_path_of_a_recipe_and_a_corpus(
    tiny_recipe_file: Path, tiny_run: Path, voices: Path, tmp_path: Path
) -> None:
    with pytest.raises(curvox.CurvoxError, match="exists"):
        curvox.train(tiny_recipe_file, tiny_run, data=voices)
    with pytest.raises(curvox.CurvoxError, match="nowhere"):
        curvox.train(tiny_recipe_file, tmp_path / "run", data="nowhere")
    assert not (tmp_path / "run" / "recipe.yaml").exists()
