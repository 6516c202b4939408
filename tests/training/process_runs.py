"""Runs of training on one process and on two real ones, cut off and resumed, and what they left compared."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import watched_training
from watched_training import watched

from curvox.training import RunResult, override, recipe_from, train
from curvox.training.run.checkpoints import read_state
from curvox.training.step.module import SpeakerModule


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


@dataclass(frozen=True)
class End:
    """How processes of a training ended: the code and the words of each that was started here."""

    codes: tuple[int, ...]
    said: tuple[str, ...]


def on_two(tree: dict[str, Any], folder: Path, *, cut_at: int | None = None, resume: bool = False) -> End:
    """Train on two processes, of which Lightning starts the second; it is killed in step ``cut_at``."""
    return _run(override(tree, ["training.devices=2"]), folder, [{}], cut_at, resume)


def on_two_nodes(tree: dict[str, Any], folder: Path, *, resume: bool = False) -> End:
    """Train on two processes as torchrun starts them on two machines of one device each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}
    variables = [
        {**meeting, "TORCHELASTIC_RUN_ID": "test", "LOCAL_RANK": "0", "RANK": str(rank), "GROUP_RANK": str(rank)}
        for rank in range(2)
    ]
    return _run(override(tree, ["training.nodes=2"]), folder, variables, None, resume)


def _run(
    recipe: dict[str, Any], folder: Path, variables: list[dict[str, str]], cut_at: int | None, resume: bool
) -> End:
    job = {"recipe": recipe, "run": f"{folder}/run", "notes": str(folder), "cut_at": cut_at, "resume": resume}
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, watched_training.__file__, str(folder / "job.json")]
    started = [
        subprocess.Popen(command, env={**os.environ, **own}, stderr=subprocess.PIPE, text=True) for own in variables
    ]
    said = tuple(process.communicate(timeout=240)[1] for process in started)
    return End(tuple(process.returncode for process in started), said)


def assert_same_end(folder: Path, whole: Path) -> None:
    found, expected = (read_state(path / "run" / "last") for path in (folder, whole))
    assert found["global_step"] == expected["global_step"]
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(found[part], expected[part], rtol=1e-4, atol=1e-5)
    facts, whole_facts = (json.loads((path / "run" / "run.json").read_text()) for path in (folder, whole))
    assert facts["steps"] == whole_facts["steps"]
    assert facts["best"]["eer"] == pytest.approx(whole_facts["best"]["eer"])
    if whole_facts["averaged"] is None:
        assert facts["averaged"] is None
    else:
        mean, whole_mean = (read_state(path / "run" / "averaged") for path in (folder, whole))
        torch.testing.assert_close(mean["state_dict"], whole_mean["state_dict"], rtol=1e-4, atol=1e-5)
        assert facts["averaged"]["eer"] == pytest.approx(whole_facts["averaged"]["eer"])
