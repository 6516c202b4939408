"""Bench files for tests, on the tiny recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from curvox.bench import BenchPlan, read_bench, read_trial_lists
from curvox.corpora import read_corpus

AM = {"title": "AM-Softmax", "recipe": {"loss": {"name": "am_softmax", "margin": 0.2}}}
HAM = {"title": "HAM-Softmax", "recipe": {"loss": {"name": "ham_softmax", "margin": 0.2}}}


def write_bench(folder: Path, base: dict[str, Any], **changes: Any) -> Path:
    """Write ``bench.yaml`` and its base into ``folder``; a change of None leaves a key out."""
    folder.mkdir(parents=True, exist_ok=True)
    base = {**base, "data": {key: value for key, value in base["data"].items() if key != "path"}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    tree = {
        "name": "tiny_bench",
        "base": "base.yaml",
        "seeds": [1],
        "trials": {"dev": "trials/dev.txt", "test": "trials/test.txt"},
        "settings": {"am": AM, "ham": HAM},
        **changes,
    }
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}, sort_keys=False), encoding="utf-8")
    return path


def plan_of(folder: Path, tree: dict[str, Any], voices: Path, **changes: Any) -> BenchPlan:
    """The plan of such a bench on a corpus, its runs in ``folder/runs``."""
    bench = read_bench(write_bench(folder, tree, **changes))
    corpus = read_corpus(voices)
    lists = read_trial_lists(bench.trials, corpus)
    return BenchPlan(bench, folder / "bench.yaml", folder / "runs", corpus, voices, lists)
