"""Training on two processes, as real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from curvox.training import recipe_from
from curvox.training.data import prepare_data, training_loader
from curvox.training.state_tree import read_state

SCRIPT = """
import json, os, sys
from curvox.training import recipe_from, train
from curvox.training.module import SpeakerModule

original = SpeakerModule.embed_batch

def embed_batch(module, batch):
    with open(f"{sys.argv[2]}/rank{module.global_rank}.txt", "a") as file:
        print(*batch["seeds"].tolist(), file=file)
    return original(module, batch)

SpeakerModule.embed_batch = embed_batch
with open(sys.argv[1]) as file:
    train(recipe_from(json.load(file)), sys.argv[2] + "/run")
"""


def test_two_processes__share_every_batch_and_keep_one_model(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    tree = {**tiny_tree, "training": {"epochs": 1, "accelerator": "cpu", "devices": 2}}
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path / "tree.json", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr

    recipe = recipe_from(tree)
    data = prepare_data(recipe.data, seed=recipe.seed, cache=tmp_path / "cache")
    whole = [b["seeds"].tolist() for b in training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1)]
    seen = [
        [[int(s) for s in line.split()] for line in (tmp_path / f"rank{r}.txt").read_text().splitlines()]
        for r in (0, 1)
    ]
    assert len(seen[0]) == len(seen[1]) == len(whole)
    for first, second, batch in zip(*seen, whole, strict=True):
        assert len(first) == len(second) == 4
        assert sorted(first + second) == sorted(batch)

    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["best"]["epoch"] == 1
    assert read_state(tmp_path / "run" / "last")["global_step"] == facts["steps"] == len(whole)
