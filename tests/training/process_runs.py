"""Runs of training on one process and on two real ones, cut off and resumed, and what they left compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import watched_training
from watched_training import watched

from curvox.training import RunResult, override, recipe_from, train
from curvox.training.module import SpeakerModule
from curvox.training.state_tree import read_state


class CutError(Exception):
    """The machine went down."""


def on_one(
    tree: dict[str, Any], folder: Path, patch: pytest.MonkeyPatch, *, cut_at: int | None = None, resume: bool = False
) -> RunResult | None:
    def cut() -> None:
        raise CutError

    with patch.context() as context:
        context.setattr(SpeakerModule, "embed_batch", watched(folder, cut_at, cut))
        try:
            return train(recipe_from(tree), folder / "run", resume=resume)
        except CutError:
            return None


def on_two(tree: dict[str, Any], folder: Path, *, cut_at: int | None = None, resume: bool = False) -> int:
    recipe = override(tree, ["training.devices=2"])
    job = {"recipe": recipe, "run": f"{folder}/run", "notes": str(folder), "cut_at": cut_at, "resume": resume}
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, watched_training.__file__, folder / "job.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode


def assert_same_end(folder: Path, whole: Path) -> None:
    found, expected = (read_state(path / "run" / "last") for path in (folder, whole))
    assert found["global_step"] == expected["global_step"]
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(found[part], expected[part], rtol=1e-4, atol=1e-5)
    mean, whole_mean = (read_state(path / "run" / "averaged") for path in (folder, whole))
    torch.testing.assert_close(mean["state_dict"], whole_mean["state_dict"], rtol=1e-4, atol=1e-5)
    facts, whole_facts = (json.loads((path / "run" / "run.json").read_text()) for path in (folder, whole))
    assert facts["steps"] == whole_facts["steps"]
    for model in ("best", "averaged"):
        assert facts[model]["eer"] == pytest.approx(whole_facts[model]["eer"])
