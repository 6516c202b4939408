"""Two nodes under torchrun, played by two agents on this machine, against one process; one is killed, and resumed.

    python benchmarks/nodes.py [--save benchmarks/results/nodes.md]

Three runs of one recipe: on one process; on two nodes of one process each; and on two nodes, where the second process
is killed by SIGKILL in the middle, after which one process goes on. Printed are how each run ended, and after how many
seconds the killed one did. That two processes compute what one computes is held by tests/training/test_processes.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml
from measuring import setting

from curvox.testing.voices import synthesise_corpus
from curvox.training.run.checkpoints import read_state

CURVOX = [sys.executable, "-m", "curvox", "train"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = _recipe(folder)
        rows = [_one(recipe, folder), _two(recipe, folder), *_two_of_which_one_is_killed(recipe, folder)]
    text = "\n".join(
        [
            f"`python benchmarks/nodes.py`. {setting(1)}.",
            "",
            "| run | exit codes | steps |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _recipe(folder: Path) -> Path:
    voices = synthesise_corpus(folder / "voices", train_speakers=6, dev_speakers=4, test_speakers=2, workers=1)
    path = folder / "tiny.yaml"
    tree = {
        "name": "tiny",
        "data": {"path": str(voices), "crop_s": 0.6, "batch_size": 8, "crops_per_epoch": 160},
        "features": {"n_mels": 24},
        "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 12},
        "loss": {"name": "aam_softmax"},
        "training": {
            "epochs": 3,
            "accelerator": "cpu",
            "checkpoint_every_steps": 5,
            "optimizer": {"name": "sgd", "learning_rate": 0.01},
        },
    }
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def _one(recipe: Path, folder: Path) -> str:
    done = subprocess.run([*CURVOX, recipe, "--name", "one"], cwd=folder, stderr=subprocess.PIPE, check=False)
    return _row("one process", [done.returncode], folder, "one")


def _two(recipe: Path, folder: Path) -> str:
    agents = _agents(recipe, folder, "two")
    codes = [agent.wait(300) for agent in agents]
    return _row("two nodes of one process", codes, folder, "two")


def _two_of_which_one_is_killed(recipe: Path, folder: Path) -> list[str]:
    agents = _agents(recipe, folder, "killed")
    last = folder / "runs" / "killed" / "last"
    while not last.exists():
        time.sleep(0.02)
    time.sleep(0.5)
    victim = _worker_of(agents[1].pid)
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    codes = [agent.wait(300) for agent in agents]
    seconds = time.monotonic() - began
    kept = read_state(last)["global_step"]
    done = subprocess.run(
        [*CURVOX, recipe, "--name", "killed", "--resume"], cwd=folder, stderr=subprocess.PIPE, check=False
    )
    return [
        f"| two nodes, the second process killed: over after {seconds:.1f} s | {codes[0]}, {codes[1]} | {kept} kept |",
        _row("… and gone on with by one process", [done.returncode], folder, "killed"),
    ]


def _agents(recipe: Path, folder: Path, name: str) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def agent(rank: int) -> subprocess.Popen:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        meeting = ["--node-rank", str(rank), "--master-addr", "127.0.0.1", "--master-port", str(port)]
        command = ["-m", "curvox", "train", str(recipe), "--name", name, "-s", "training.nodes=2"]
        return subprocess.Popen([*torchrun, *meeting, *command], cwd=folder, stderr=subprocess.DEVNULL)

    return [agent(0), agent(1)]


def _worker_of(agent: int) -> int:
    """The process that an agent of torchrun has started."""
    return int(Path(f"/proc/{agent}/task/{agent}/children").read_text().split()[0])


def _row(what: str, codes: list[int], folder: Path, name: str) -> str:
    facts = json.loads((folder / "runs" / name / "run.json").read_text())
    return f"| {what} | {', '.join(map(str, codes))} | {facts['steps']} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
