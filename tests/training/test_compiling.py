"""The encoder through torch.compile: same names in a checkpoint, same training, a compiler asked for at the door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import change

from curvox.errors import RecipeError
from curvox.training import train
from curvox.training.run.checkpoints import read_state


def test_compiled_run__has_the_checkpoint_of_one_that_is_not(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the compiler, which counts the batches that go through what it returned."""
    calls = []

    def compile_nothing(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def counted(features: torch.Tensor) -> torch.Tensor:
            calls.append(features.shape)
            return function(features)

        return counted

    monkeypatch.setattr(torch, "compile", compile_nothing)
    result = train(change(tiny_tree, "training.compile=true", "training.max_steps=2"), tmp_path / "run")
    assert len(calls) == result.steps == 2  # and no recording of the dev trials
    assert len(set(calls)) == 1
    found, expected = (read_state(run / "last")["state_dict"] for run in (tmp_path / "run", tiny_run))
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }


def test_compile__without_a_compiler_is_refused(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no_such_compiler")
    with pytest.raises(RecipeError, match=r"needs a C\+\+ compiler, and no_such_compiler is not there"):
        train(change(tiny_tree, "training.compile=true"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
