"""How several processes are started, and what is refused: srun and torchrun as they set the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from tiny_recipes import change

from curvox.errors import RecipeError
from curvox.training import read_recipe, train
from curvox.training.run.trainer import cluster_environments, is_first_process

TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "WORLD_SIZE": "2"}
SLURM = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
         "SLURM_NODEID": "0", "SLURM_JOB_NAME": "train"}  # fmt: skip


def set_all(patch: pytest.MonkeyPatch, *variables: dict[str, str]) -> None:
    for some in variables:
        for name, value in some.items():
            patch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        (TORCHRUN, True),
        (TORCHRUN | {"RANK": "1", "GROUP_RANK": "1"}, False),  # the first process of the second machine
        (TORCHRUN | {"RANK": "1", "LOCAL_RANK": "1"}, False),
        (SLURM, True),
        (SLURM | {"SLURM_PROCID": "1", "SLURM_NODEID": "1"}, False),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),  # as Lightning starts them
    ],
)
def test_first_process__is_one_of_all_machines(
    variables: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, variables)
    assert is_first_process() is first


@pytest.mark.parametrize(("variables", "starter"), [(TORCHRUN, "torchrun"), (SLURM, "srun")])
def test_run__refuses_to_train_in_another_number_of_processes_than_were_started(
    variables: dict[str, str], starter: str, tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, variables)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "1" if starter == "srun" else "2")
    with pytest.raises(RecipeError, match=rf"{starter} has started 2 processes, but .* = 1: set training.nodes"):
        train(change(tiny_tree), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_slurm__is_told_by_lightning_to_requeue_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster_environments() == []
    set_all(monkeypatch, SLURM)
    (found,) = cluster_environments()
    assert isinstance(found, SLURMEnvironment)
    assert not found.auto_requeue
    set_all(monkeypatch, TORCHRUN)  # torchrun within a job of SLURM
    assert cluster_environments() == []


def run_example(
    script: Path, folder: Path, starter: str, code: int, **variables: str
) -> tuple[int, list[str], list[str]]:
    """Run an example with stand-ins for the cluster's commands; return its code and the words each was called with."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name, ends in ((starter, code), ("scontrol", 0)):
        (programs / name).write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" > {folder}/{name}.txt\nexit {ends}\n')
        (programs / name).chmod(0o755)
        (folder / f"{name}.txt").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", script, "recipe.yaml", "a corpus", "x"],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", **variables},
        check=False,
        timeout=60,
    )
    called, queued = (
        path.read_text().splitlines() if path.exists() else []
        for path in (folder / f"{starter}.txt", folder / "scontrol.txt")
    )
    return done.returncode, called, queued


def checked_overrides(words: list[str], tree: dict[str, Any], tmp_path: Path) -> Any:
    """The recipe that the overrides of a command make."""
    import yaml

    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return read_recipe(tmp_path / "recipe.yaml", [words[i + 1] for i, word in enumerate(words) if word == "--set"])


def test_slurm_example__starts_resumes_and_is_queued_again(
    repository: Path, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    job = {"SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_ID": "77"}
    script = repository / "examples" / "slurm.sh"
    code, srun, scontrol = run_example(script, tmp_path, "srun", 138, **job)
    assert code == 138
    assert srun[1:9] == ["python", "-m", "curvox", "train", "recipe.yaml", "--data", "a corpus", "--name"]
    assert "--resume" not in srun
    assert scontrol == ["requeue", "77"]
    training = checked_overrides(srun, tiny_tree, tmp_path).training
    assert (training.nodes, training.devices) == (2, 4)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "recipe.yaml").touch()
    code, srun, scontrol = run_example(script, tmp_path, "srun", 1, **job)
    assert code == 1
    assert "--resume" in srun
    assert scontrol == []


def test_torchrun_example__names_machines_and_devices(
    repository: Path, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    script = repository / "examples" / "torchrun.sh"
    code, torchrun, _ = run_example(script, tmp_path, "torchrun", 0, NODES="2", DEVICES="3", MAIN="host1")
    assert code == 0
    assert torchrun[:4] == ["--nnodes", "2", "--nproc-per-node", "3"]
    assert "host1:29500" in torchrun
    training = checked_overrides(torchrun, tiny_tree, tmp_path).training
    assert (training.nodes, training.devices) == (2, 3)


def test_module__is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "curvox", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0].count(".") >= 1
