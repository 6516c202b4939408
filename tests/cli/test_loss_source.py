"""A loss that the user names: which are built, which taken as they are, what is said of those that are wrong."""

import sys
from pathlib import Path

import pytest
import torch

from curvox.cli.loss_source import read_loss
from curvox.diagnosis import BatchLoss
from curvox.errors import InputError, UnknownNameError

MODULE = """
import functools
from torch import nn
from beside import FACTOR

class Plain(nn.Module):
    def forward(self, x, y, same):
        return FACTOR * (x - y).square().sum(1)

class Sized(Plain):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(__import__("torch").ones(dim))

class Counting(Sized):
    def __init__(self, dim, speakers, scale=1.0):
        super().__init__(dim)
        self.speakers = speakers

class Marginal(Plain):
    def __init__(self, margin, dim):
        super().__init__()
        self.margin = margin

class Broken(Plain):
    def __init__(self, dim):
        raise KeyError("no such size")

with_margin = functools.partial(Marginal, margin=2.0)
ready = Sized(3)
number = 3.0

def of_pairs(x, y, same):
    return (x - y).square().sum(1)
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("FACTOR = 2.0\n")
    path = tmp_path / "my_module.py"
    path.write_text(MODULE)
    return path


@pytest.mark.parametrize("name", ["Plain", "Sized", "Counting", "of_pairs", "ready", "with_margin"])
def test_source__builds_classes_and_takes_functions_and_objects_as_they_are(module: Path, name: str) -> None:
    source = read_loss(f"{module}:{name}", takes="pairs, same", space="hypersphere")
    assert source.name == name
    loss = source.make(3, 2)
    assert isinstance(loss, BatchLoss)
    assert loss.space.describe()["name"] == "hypersphere"
    x, speakers = torch.eye(3), torch.tensor([0, 0, 1])
    factor = 1.0 if name == "of_pairs" else 2.0
    assert float(loss(x, speakers).value) == pytest.approx(2.0 * factor)


def test_source__of_an_object_with_weights_gives_fresh_ones_each_time(module: Path) -> None:
    source = read_loss(f"{module}:ready", takes="pairs, same")
    first, second = source.make(3, 2), source.make(3, 2)
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert next(second.parameters()).sum() == 3.0


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Marginal", r"Marginal is built with margin, dim, .*functools\.partial\(Marginal, margin=\.\.\.\)"),
        ("Broken", r"Broken\(dim=3\) could not be built: KeyError: 'no such size'"),
        ("number", "number in .* is float, which cannot be called"),
        ("Plan", r'has no "Plan": did you mean "Plain"'),
        ("", "name the loss in the file too"),
    ],
)
def test_source__that_cannot_be_built_is_refused(module: Path, name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_loss(f"{module}:{name}", takes="pairs, same").make(3, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\nraise RuntimeError('not today')\n", r"RuntimeError: not today, line 2; mend it first"),
        ("x = = 1\n", r"SyntaxError.*line 1"),
        ("import sys\nsys.exit(4)\n", "SystemExit: 4, line 2"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError.*line 1"),
    ],
)
def test_source__whose_file_cannot_be_run_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    before = list(sys.path)
    with pytest.raises(InputError, match=complaint):
        read_loss(f"{path}:Loss")
    assert sys.path == before
    assert "_diagnosed_bad" not in sys.modules


def test_source__that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not here; name a Python file"):
        read_loss(f"{tmp_path / 'none.py'}:Loss")
    with pytest.raises(UnknownNameError, match='"triplet"'):
        read_loss("triplett")
    (tmp_path / "words.txt").touch()
    with pytest.raises(InputError, match=r"must end in \.py"):
        read_loss(f"{tmp_path / 'words.txt'}:Loss")


def test_source__refuses_a_signature_or_a_space_that_is_in_no_table(module: Path) -> None:
    with pytest.raises(UnknownNameError, match="pairs, same"):
        read_loss(f"{module}:Plain", takes="pairs, sames").make(3, 2)
    with pytest.raises(UnknownNameError, match="hypersphere"):
        read_loss(f"{module}:Plain", takes="pairs, same", space="hyperspere").make(3, 2)
