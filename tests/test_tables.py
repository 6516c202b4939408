"""Tables of names, and the hints for misspelt ones."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from curvox.errors import CurvoxError, InputError, UnknownNameError, nearest, require_non_negative, require_positive
from curvox.tables import Entry, Table

TABLE = Table(
    "thing", {"fraction": Entry("fractions", "Fraction", "a number"), "path": Entry("pathlib", "Path", "a path")}
)


def test_table__loads_the_class_it_names() -> None:
    from fractions import Fraction

    assert TABLE.load("fraction") is Fraction
    assert TABLE.name_of(Fraction) == "fraction"
    assert "fraction" in TABLE
    assert "fractions" not in TABLE
    with pytest.raises(KeyError):
        TABLE.name_of(int)


@pytest.mark.parametrize("name", ["fracton", "os.system", "", "Fraction"])
def test_table__refuses_a_name_it_does_not_have(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        TABLE.load(name)
    assert f'unknown thing "{name}"' in str(caught.value)
    assert isinstance(caught.value, CurvoxError)


def test_register__enters_a_class_of_your_own() -> None:
    class Own:
        pass

    table = Table("thing", {"path": Entry("pathlib", "Path", "a path")})
    table.register("own_1", Own, "mine")
    assert table.load("own_1") is Own
    assert table.name_of(Own) == "own_1"
    assert list(table) == ["path", "own_1"]
    assert table["own_1"].summary == "mine"


@pytest.mark.parametrize("name", ["path", "os.system", "Own", "", "1st", "a b", "ü"])
def test_register__refuses_names_that_are_taken_or_no_plain_words(name: str) -> None:
    table = Table("thing", {"path": Entry("pathlib", "Path", "a path")})
    with pytest.raises(InputError, match="name"):
        table.register(name, int, "a number")
    assert list(table) == ["path"]


def test_register__takes_classes_alone() -> None:
    table = Table("thing", {})
    with pytest.raises(InputError, match=r"registered as a class, got 'pathlib.Path'"):
        table.register("path", "pathlib.Path", "a path")  # pyright: ignore[reportArgumentType]
    assert len(table) == 0


def test_tables__of_the_project_are_read_without_torch() -> None:
    code = (
        "import sys\nfrom curvox.losses import LOSSES\nfrom curvox.encoders import ENCODERS\n"
        "from curvox.corpora import CORPORA\nprint(len(LOSSES), len(ENCODERS), len(CORPORA), 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(shown[0]) >= 16
    assert shown[3] == "False"


def test_architecture__lists_every_module_and_no_other(repository: Path) -> None:
    source = repository / "src" / "curvox"
    shown = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set()
    for package, rows in re.findall(r"^### (\w+)\n(.*?)(?=^##)", shown, flags=re.MULTILINE | re.DOTALL):
        listed |= {f"{package}/{name}" for name in re.findall(r"^\| `([\w/]+\.py)` \|", rows, flags=re.MULTILINE)}
    there = {file.relative_to(source).as_posix() for file in source.rglob("*.py") if file.name != "__init__.py"}
    assert {name for name in there if "/" in name} == listed


def test_nearest__names_the_close_ones_or_all() -> None:
    assert nearest("marginn", ["margin", "scale"]) == 'did you mean "margin"?'
    assert nearest("zzz", ["scale", "margin"]) == "known: margin, scale"
    assert nearest("zzz", []) == "none are known"


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "1"])
def test_positive__refuses_what_is_not(value) -> None:
    with pytest.raises(InputError, match="c must be"):
        require_positive(value, "c")


def test_non_negative__takes_zero() -> None:
    assert require_non_negative(0, "m") == 0.0
    with pytest.raises(InputError, match="m must be"):
        require_non_negative(-0.1, "m")
