"""Make the files of this folder with the ``curvox`` that is installed: ``python tests/made_before/make.py FOLDER``.

Voices are buzzes with a little noise; everything else is left by the commands below. What a test does not need is
deleted, so that all of it stays small.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ, SECONDS, EACH = 16_000, 0.6, 3
SPEAKERS = {"train": 5, "dev": 12, "test": 4}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
RECIPE = {
    "name": "run",
    "data": {"dev_trials": "trials/dev.txt", "crop_s": 0.4, "batch_size": 4},
    "features": {"n_mels": 12},
    "encoder": {"name": "x_vector_tdnn", "channels": 4, "pooling_channels": 6, "embedding_dim": 6},
    "loss": {"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": {"name": "soft_clip"}}},
    "training": {"epochs": 6, "accelerator": "cpu", "optimizer": {"learning_rate": 0.003}},
}
BOARD = {
    "name": "board",
    "base": "base.yaml",
    "seeds": [1],
    "trials": {"dev": "trials/dev.txt", "test": "trials/test.txt"},
    "settings": {
        name: {"title": title, "recipe": {"loss": {"name": f"{name}_softmax", "margin": 0.2}}}
        for name, title in (("am", "AM-Softmax"), ("ham", "HAM-Softmax"))
    },
}


AS_NORM = ("--back-end", "as_norm:top_k=3")
TOO_FAST = ("-s", "training.optimizer.learning_rate=1.0e+30")


def main() -> None:
    out = Path(sys.argv[1]).resolve()
    work = out / "work"
    corpus, runs, recipe = work / "voices", work / "runs", work / "recipe.yaml"
    write_corpus(corpus)
    dump(recipe, RECIPE)
    dump(work / "base.yaml", RECIPE | {"name": "base", "training": {"epochs": 2, "accelerator": "cpu"}})
    dump(work / "bench.yaml", BOARD)
    curvox("train", recipe, "--data", corpus, "--runs", runs)
    curvox("calibrate", runs / "run", "--trials", corpus / "trials/dev.txt", "--resamples", 10, *AS_NORM)
    for name, back_end in (("as_norm", AS_NORM), ("plain", ())):
        curvox("eval", runs / "run", "--trials", corpus / "trials/test.txt", "--resamples", 10, "--no-audio", *back_end,
               "--output", work / "evaluations" / name)  # fmt: skip
    curvox("train", recipe, "--data", corpus, "--runs", runs, "--name", "dead", *TOO_FAST, fails=True)
    curvox("bench", work / "bench.yaml", "--data", corpus, "--runs", runs, "--jobs", 1)
    interrupt(work, out / "shards")
    keep(work, out)


def interrupt(work: Path, shards: Path) -> None:
    """Write two recordings of each of seven speakers as shards, and stop a training on them after its first steps."""
    corpus, run = work / "few_voices", work / "runs" / "unfinished"
    shutil.copytree(work / "voices" / "audio", corpus / "audio")
    lines = (work / "voices" / "manifest.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [line for line in lines[1:] if re.match(r"(train\d|dev[01])-[01]\t", line)]
    (corpus / "manifest.tsv").write_text("".join([lines[0], *rows]), encoding="utf-8")
    curvox("data", "shard", corpus, "-o", shards, "--codec", "opus", "--workers", 1)
    recipe = RECIPE | {"name": "unfinished", "data": RECIPE["data"] | {"dev_trials": None, "path": "shards"}}
    recipe["training"] = RECIPE["training"] | {"epochs": 12, "checkpoint_every_steps": 1}
    dump(work / "unfinished.yaml", recipe)
    shutil.copytree(shards, work / "shards")
    words = ["train", "unfinished.yaml", "--runs", "runs"]
    child = subprocess.Popen([sys.executable, "-m", "curvox", *words], cwd=work, env=ENVIRONMENT)
    while not (run / "last" / "training.json").exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGTERM)
    if child.wait() != 128 + signal.SIGTERM:
        sys.exit(f"the training ended by itself, with {child.returncode}")


def keep(work: Path, out: Path) -> None:
    """Copy what the tests load, without pages, pictures, weights that are there twice and TensorBoard's files."""
    ignored = shutil.ignore_patterns("*.html", "*.svg", "*.md", "*.log", "tensorboard", "*.lock", ".cache", "eval")
    for name in ("run", "unfinished", "dead", "board"):
        shutil.copytree(work / "runs" / name, out / name, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(work / "evaluations", out / "evaluations", ignore=ignored)
    for path in [out / "run" / "last", *out.glob("board/*/last")]:
        shutil.rmtree(path)
    for path in [*out.glob("*/recipe.yaml"), *out.glob("board/*/recipe.yaml")]:
        text = path.read_text(encoding="utf-8").replace(str(work / "voices"), "voices")
        path.write_text(text, encoding="utf-8")
    for name in ("base.yaml", "bench.yaml", "unfinished.yaml"):
        shutil.copyfile(work / name, out / name)
    shutil.copytree(work / "voices" / "trials", out / "voices" / "trials")
    shutil.copyfile(work / "voices" / "manifest.tsv", out / "voices" / "manifest.tsv")
    for name in ("test0/0", "test0/1"):
        to = out / "voices" / "audio" / f"{name}.flac"
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work / "voices" / "audio" / f"{name}.flac", to)


def curvox(*words: object, fails: bool = False) -> None:
    done = subprocess.run([sys.executable, "-m", "curvox", *map(str, words)], env=ENVIRONMENT, check=False)
    if (done.returncode != 0) != fails:
        sys.exit(f"exited with {done.returncode}: curvox {' '.join(map(str, words))}")


def dump(path: Path, tree: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")  # JSON is YAML


def write_corpus(folder: Path) -> None:
    rng, lines = np.random.default_rng(7), ["utterance\tpath\tspeaker\tgender\tsession\tsplit"]
    names: dict[str, list[tuple[str, str]]] = {split: [] for split in SPEAKERS}
    time_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    for split, count in SPEAKERS.items():
        for number in range(count):
            speaker, pitch_hz, timbre = f"{split}{number}", rng.uniform(90, 250), rng.normal(size=20)
            for recording in range(EACH):
                moved, heard = pitch_hz * rng.uniform(0.97, 1.03), np.exp(timbre + 0.3 * rng.normal(size=20))
                buzz = sum(a * np.sin(2 * np.pi * k * moved * time_s) / k for k, a in enumerate(heard, start=1))
                samples = 1500 * buzz * np.hanning(len(time_s)) + 3 * rng.normal(size=len(time_s))
                path = folder / "audio" / speaker / f"{recording}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, np.round(samples).astype(np.int16), RATE_HZ)
                name = f"{speaker}-{recording}"
                gender, session = "fm"[number % 2], 1 + recording % 2
                lines.append(f"{name}\taudio/{speaker}/{recording}.flac\t{speaker}\t{gender}\t{session}\t{split}")
                names[split].append((speaker, name))
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "trials").mkdir()
    for split in ("dev", "test"):
        pairs = list(itertools.combinations(names[split], 2))
        kept = [(a, b) for place, (a, b) in enumerate(pairs) if a[0] == b[0] or place % 4 == 0]
        trials = [f"{int(a[0] == b[0])} {a[1]} {b[1]}\n" for a, b in kept]
        (folder / "trials" / f"{split}.txt").write_text("".join(trials), encoding="utf-8")


if __name__ == "__main__":
    main()
