"""``curvox bench`` as its users run it: real processes that train, are interrupted, and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command_line import curvox_here
from tiny_benches import AM, HAM, write_bench

from curvox.bench import read_bench, read_record, read_results, recipe_of
from curvox.corpora import read_corpus, read_trials
from curvox.embedder import load
from curvox.scoring import score_pairs
from curvox.training import train

LEVELS = ["gender", "speaker", "session"]
BROKEN = {
    "title": "Breaks in its first steps",
    "recipe": {"training": {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 1e30}}},
}


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "curvox", "bench", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def short_tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    return {**tiny_tree, "training": {"epochs": 1, "accelerator": "cpu"}}


@pytest.fixture(scope="module")
def cells_at_once(
    short_tree: dict[str, Any], voices: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A bench of which this process and another ran a cell each, at the same time and in the same folder."""
    folder = tmp_path_factory.mktemp("bench")
    file = write_bench(folder, short_tree, settings={"am": AM, "ham": HAM, "broken": BROKEN}, levels=LEVELS)
    where = (file, "--data", voices, "--runs", folder / "runs", "--cell")
    other = start(*where, "1")
    here = curvox_here("bench", *where, "2")
    said = [other.communicate(timeout=600)[1], here.stderr]
    assert [other.returncode, here.returncode] == [0, 0], said
    return folder, said


def test_cells__run_in_two_processes_on_one_folder(cells_at_once: tuple[Path, list[str]], voices: Path) -> None:
    folder, said = cells_at_once
    corpus = read_corpus(voices)
    for name, words in zip(("am-seed_1", "ham-seed_1"), said, strict=True):
        run = folder / "runs" / "tiny_bench" / name
        record, facts = read_record(run), json.loads((run / "run.json").read_text())
        assert f"{name}: EER by cosine dev" in words
        assert (record.steps, record.best_epoch, record.seed) == (facts["steps"], facts["best"]["epoch"], 1)
        assert len(record.history) == 1
        assert record.vitals["loss"] > 0
        assert record.tree is not None
        assert record.tree.levels == tuple(LEVELS)
        assert record.tree.measure("purity", "speaker") is not None
        model = load(run)
        for scored in record.lists:
            scorer = "cosine" if scored.scorer == "cosine" else None
            trials = read_trials(voices / "trials" / f"{scored.list}.txt")
            points = model.embed_utterances(corpus, trials.utterances).points
            expected = score_pairs(model.space, points, *trials.indices(), scorer=scorer)
            np.testing.assert_allclose(scored.scores, expected, atol=1e-4)
    assert not (folder / "runs" / "tiny_bench" / "broken-seed_1").exists()


def test_bench__skips_what_is_done_and_names_what_fails(cells_at_once: tuple[Path, list[str]], voices: Path) -> None:
    folder, _ = cells_at_once
    runs = folder / "runs"
    file = folder / "bench.yaml"
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("bench.json")}
    result = curvox_here("bench", file, "--data", voices, "--runs", runs)
    assert result.returncode == 1
    assert "3 cells, 2 of them done" in result.stderr
    assert "1 of 1 cells failed" in result.stderr
    assert "the training of broken-seed_1 ended with code 1" in result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in runs.rglob("bench.json")}
    page = runs / "tiny_bench" / "leaderboard.html"
    assert str(page) in result.stdout
    assert "AM-Softmax" in page.read_text()
    assert "broken-seed_1" in page.read_text()
    assert "HAM-Softmax" in page.with_suffix(".md").read_text()
    assert {row["setting"] for row in json.loads(page.with_suffix(".json").read_text())["rows"]} == {"am", "ham"}
    results = read_results(read_bench(file), runs, read_corpus(voices))
    assert [record.setting for record in results.records] == ["am", "ham"]
    listed = curvox_here("bench", file, "--data", voices, "--runs", runs, "--list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["1", "am-seed_1"], ["2", "ham-seed_1"], ["3", "broken-seed_1"]]
    assert [line.split(maxsplit=2)[2] for line in listed] == ["done", "done", "half trained"]


def test_bench__refuses_the_likeliest_mistakes_before_anything_runs(
    cells_at_once: tuple[Path, list[str]], short_tree: dict[str, Any], voices: Path, tmp_path: Path
) -> None:
    folder, _ = cells_at_once

    def refused(file: Path, *options: str, said: str, runs: Path = tmp_path / "runs") -> None:
        result = curvox_here("bench", file, "--data", voices, "--runs", runs, *options)
        assert result.returncode == 1, result.stderr
        assert said in result.stderr.replace("\n", " ")
        assert not (tmp_path / "runs").exists()

    good = folder / "bench.yaml"
    refused(good, "--only", "hamm", said='unknown setting of the bench tiny_bench "hamm": did you mean "ham"')
    refused(good, "--list", "--cell", "1", said="take one of them")
    wrong = {"ham": {**HAM, "recipe": {"loss": {"name": "ham_softmax", "margn": 1}}}}
    refused(write_bench(tmp_path / "a", short_tree, settings={"am": AM, **wrong}), said='setting "ham"')
    refused(write_bench(tmp_path / "d", short_tree, levels=["gendre"]), said="gender")
    refused(good, "--page-only", "--only", "am", said="leave --only and --seeds out")
    refused(good, "--cell", "1", "--jobs", "2", said="leave it out")
    lists = {"dev": "trials/dev.txt", "test": "trials/tset.txt"}
    refused(write_bench(tmp_path / "b", short_tree, trials=lists), said="test.txt")
    changed = {"am": {**AM, "recipe": {"loss": {"name": "am_softmax", "margin": 0.4}}}}
    refused(
        write_bench(tmp_path / "c", short_tree, settings=changed),
        said="differs in loss.margin",
        runs=folder / "runs",
    )


def test_bench__interrupted_ends_its_processes_and_goes_on_to_the_same_end(
    tiny_tree: dict[str, Any], voices: Path, tmp_path: Path
) -> None:
    tree = {**tiny_tree, "training": {"epochs": 4, "accelerator": "cpu"}}
    file = write_bench(tmp_path, tree, settings={"am": AM})
    runs = tmp_path / "runs"
    run = runs / "tiny_bench" / "am-seed_1"
    recipe = recipe_of(read_bench(file).settings[0], 1)
    there = recipe.data.model_copy(update={"path": str(voices)})
    whole = train(recipe.model_copy(update={"data": there}), tmp_path / "whole")
    interrupter = threading.Thread(target=interrupt_when_there, args=(run / "last",))
    interrupter.start()
    interrupted = curvox_here("bench", file, "--data", voices, "--runs", runs)
    interrupter.join()
    assert interrupted.returncode == 130, interrupted.stderr
    assert "stopped by SIGINT: the same command goes on from here" in interrupted.stderr
    assert not children_with(str(run.parent))
    assert not (run / "run.json").exists(), "the training was to be interrupted, and had ended before"
    assert "continue it with --resume" in (run.parent / "am-seed_1.log").read_text()
    again = curvox_here("bench", file, "--data", voices, "--runs", runs, "--cell", "1")
    assert again.returncode == 0, again.stderr
    assert "am-seed_1: EER by cosine dev" in again.stderr
    record = read_record(run)
    assert record.steps == whole.steps
    assert len(record.history) == 4
    points = [load(folder / "last").embed(next(voices.rglob("*.flac"))) for folder in (run, whole.folder)]
    np.testing.assert_allclose(points[0], points[1], atol=1e-4)


def interrupt_when_there(path: Path) -> None:
    """Press Ctrl-C as soon as a path exists."""
    until = time.monotonic() + 600
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def children_with(word: str) -> list[str]:
    """Command lines of living processes that hold a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if word in text and int(path.parent.name) != os.getpid():
            found.append(text)
    return found


def test_base__may_name_the_corpus(short_tree: dict[str, Any], voices: Path, tmp_path: Path) -> None:
    file = write_bench(tmp_path, short_tree)
    missing = curvox_here("bench", file, "--list")
    assert "no corpus given" in missing.stderr
    base = {**short_tree, "data": {**short_tree["data"], "path": str(voices)}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    assert "am-seed_1" in curvox_here("bench", file, "--runs", tmp_path / "runs", "--list").stdout
