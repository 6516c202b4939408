"""Places, pace, states and records, without a training."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_benches import plan_of, write_bench

from curvox.bench import (
    BenchPlan,
    RunRecord,
    ScoredList,
    read_bench,
    read_record,
    read_results,
    read_trial_lists,
    refuse_others,
    share_out,
    write_record,
)
from curvox.bench import running as places_module
from curvox.bench.cells import cells_of, evaluation_digest, recipe_digest, trials_digest
from curvox.bench.record import trials_of
from curvox.bench.running import Pace, default_jobs
from curvox.corpora import read_corpus
from curvox.errors import InputError
from curvox.training import EpochRecord, dump_recipe

RECORD = RunRecord(
    setting="am",
    seed=1,
    recipe_digest="d",
    seconds=3.5,
    steps=20,
    parameters=100,
    best_epoch=2,
    lists=(
        ScoredList("dev", "cosine", np.array([0.25, -1.0])),
        ScoredList("test", "distance", np.array([-3.0, 1e-9, 2.0])),
    ),
    tree=None,
    vitals={"loss": 1.5},
    findings=("collapse",),
    history=(EpochRecord(1, 2.0, None), EpochRecord(2, None, 0.25)),
    learnt={"c": 0.7},
    machine="a machine",
    evaluated="e",
)


def test_record__comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path)
    found = read_record(tmp_path)
    for name in RunRecord.__dataclass_fields__:
        if name != "lists":
            assert getattr(found, name) == getattr(RECORD, name), name
    assert [(s.list, s.scorer, s.scores.tolist()) for s in found.lists] == [
        (s.list, s.scorer, s.scores.tolist()) for s in RECORD.lists
    ]
    assert found.scores("test", "distance").tolist() == [-3.0, 1e-9, 2.0]
    with pytest.raises(InputError, match="no scores of test by cosine; it has dev by cosine, test by distance"):
        found.scores("test", "cosine")


def test_record__is_refused_when_damaged_foreign_or_of_another_version(tmp_path: Path) -> None:
    def broken(name: str, content: bytes) -> None:
        write_record(RECORD, tmp_path)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="evaluate the run again"):
            read_record(tmp_path)

    write_record(RECORD, tmp_path)
    tree = json.loads((tmp_path / "bench.json").read_text())
    broken("bench.json", b"{")
    broken("bench.json", json.dumps({**tree, "format": 99}).encode())
    broken("bench.json", json.dumps({**tree, "more": 1}).encode())
    broken("bench.json", json.dumps({key: value for key, value in tree.items() if key != "seed"}).encode())
    broken("bench_scores.npz", b"no archive")
    write_record(RECORD, tmp_path)
    packed = bytearray((tmp_path / "bench_scores.npz").read_bytes())
    for place in range(0, len(packed), 5):
        # Any byte may be the wrong one; not all of them are looked at when the file is read.
        damaged = bytearray(packed)
        damaged[place] ^= 0x55
        (tmp_path / "bench_scores.npz").write_bytes(damaged)
        with contextlib.suppress(InputError):
            read_record(tmp_path)
    np.savez(tmp_path / "pickled.npz", **{"dev/cosine": np.array([{}], dtype=object)}, allow_pickle=True)
    broken("bench_scores.npz", (tmp_path / "pickled.npz").read_bytes())
    write_record(RECORD, tmp_path)
    (tmp_path / "bench_scores.npz").unlink()
    with pytest.raises(InputError):
        read_record(tmp_path)


def test_default_jobs__is_one_a_gpu_else_one_a_core_as_memory_allows() -> None:
    assert default_jobs(gpus=3, cores=2, memory_bytes=2**33) == 3
    assert default_jobs(gpus=0, cores=2, memory_bytes=2**33) == 2
    assert default_jobs(gpus=0, cores=64, memory_bytes=2**33) == 4
    assert default_jobs(gpus=0, cores=8, memory_bytes=2**30) == 1


def test_share_out__gives_each_place_a_gpu_and_its_share_of_the_cores(
    tmp_path: Path, tiny_tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {**tiny_tree, "training": {"epochs": 1}}
    cells = cells_of(read_bench(write_bench(tmp_path, base, seeds=[1, 2, 3])))
    monkeypatch.setattr(places_module.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(places_module, "visible_gpus", lambda _: ("4", "7"))
    four = share_out(cells, 4, {"A": "b"})
    assert [place["CUDA_VISIBLE_DEVICES"] for place in four] == ["4", "7", "4", "7"]
    assert {place["OMP_NUM_THREADS"] for place in four} == {"2"}
    assert {place["A"] for place in four} == {"b"}
    assert len(share_out(cells, None, {})) == 2
    assert {place["OMP_NUM_THREADS"] for place in share_out(cells, 2, {"OMP_NUM_THREADS": "1"})} == {"1"}
    assert len(share_out(cells[:1], 4, {})) == 1
    on_cpu = cells_of(read_bench(write_bench(tmp_path, tiny_tree)))
    assert all("CUDA_VISIBLE_DEVICES" not in place for place in share_out(on_cpu, 2, {}))
    with pytest.raises(InputError, match="at least 1, got 0"):
        share_out(cells, 0, {})
    several = cells_of(read_bench(write_bench(tmp_path, {**tiny_tree, "training": {"devices": 2}})))
    assert share_out(several, None, {"A": "b"}) == ({"A": "b"},)
    with pytest.raises(InputError, match="several devices"):
        share_out(several, 2, {})


def test_pace__takes_the_mean_of_what_is_known() -> None:
    assert Pace(2, 5).seconds_left(0.0) is None
    assert Pace(2, 4, [100.0, 200.0]).seconds_left(0.0) == 300.0
    assert Pace(2, 4, [100.0, 200.0], {"a": 0.0, "b": 20.0}).seconds_left(50.0) == (600 - 50 - 30) / 2
    assert Pace(2, 1, [100.0], {"a": 0.0}).seconds_left(400.0) == 0.0
    assert Pace(4, 2, [60.0]).seconds_left(0.0) == 60.0


def made_up_run(plan: BenchPlan, number: int, tiny_run: Path, *, evaluated: bool) -> Path:
    """Leave a run that pretends to be the one of a cell."""
    cell = cells_of(plan.bench)[number - 1]
    folder = cell.folder(plan.runs, plan.bench)
    shutil.copytree(tiny_run, folder)
    (folder / "recipe.yaml").write_text(dump_recipe(cell.recipe))
    if evaluated:
        digest = evaluation_digest(folder, trials_digest(plan.bench.levels, plan.corpus, plan.lists))
        scores = tuple(
            ScoredList(name, scorer, np.arange(len(trials), dtype=np.float64))
            for name, trials in plan.lists.items()
            for scorer in ("cosine", "distance")
        )
        record = replace(
            RECORD, setting=cell.setting.name, recipe_digest=recipe_digest(cell.recipe), evaluated=digest, lists=scores
        )
        write_record(record, folder)
    return folder


def test_results__hold_what_is_done_and_name_the_rest(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path, tiny_run: Path
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices, seeds=[1, 2])
    done = made_up_run(plan, 1, tiny_run, evaluated=True)
    made_up_run(plan, 2, tiny_run, evaluated=False)
    half = made_up_run(plan, 3, tiny_run, evaluated=False)
    (half / "run.json").unlink()
    results = read_results(plan.bench, plan.runs, plan.corpus)
    assert [(r.setting, r.seed) for r in results.records] == [("am", 1)]
    assert results.missing == ("ham-seed_1 (not evaluated)", "am-seed_2 (half trained)", "ham-seed_2 (not trained)")
    assert {name: len(trials) for name, trials in results.trials.items()} == {
        name: len(trials) for name, trials in plan.lists.items()
    }
    # a record from before a measure changed its meaning
    tree = json.loads((done / "bench.json").read_text())
    (done / "bench.json").write_text(json.dumps({**tree, "format": tree["format"] - 1}))
    earlier = read_results(plan.bench, plan.runs, plan.corpus)
    assert not earlier.records
    assert "am-seed_1 (to be evaluated again: " in earlier.missing[0]
    (done / "bench.json").write_text(json.dumps(tree))
    # other weights under an old record
    (done / "best" / "model.safetensors").write_bytes(b"others")
    again = read_results(plan.bench, plan.runs, plan.corpus)
    assert not again.records
    assert "am-seed_1 (to be evaluated again: weights" in again.missing[0]


def test_results__of_other_levels_or_trials_are_not_taken(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path, tiny_run: Path
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    made_up_run(plan, 1, tiny_run, evaluated=True)
    assert len(read_results(plan.bench, plan.runs, plan.corpus).records) == 1
    assert not read_results(replace(plan.bench, levels=("gender",)), plan.runs, plan.corpus).records
    relabelled = tuple(replace(u, speaker=f"{u.speaker}-2") for u in plan.corpus.utterances)
    assert not read_results(plan.bench, plan.runs, replace(plan.corpus, utterances=relabelled)).records
    swapped = {"dev": "trials/test.txt", "test": "trials/dev.txt"}
    assert not read_results(replace(plan.bench, trials=swapped), plan.runs, plan.corpus).records


def test_state__of_another_recipe_is_refused_with_the_keys(
    tmp_path: Path, tiny_tree: dict[str, Any], voices: Path, tiny_run: Path
) -> None:
    plan = plan_of(tmp_path, tiny_tree, voices)
    made_up_run(plan, 1, tiny_run, evaluated=True)
    changed = {**tiny_tree, "training": {**tiny_tree["training"], "epochs": 3}}
    later = plan_of(tmp_path, changed, voices)
    states = [later.state(cell) for cell in cells_of(later.bench)]
    with pytest.raises(InputError, match=r"1 of 2 cells[\s\S]*am-seed_1: .*differs in training\.epochs$"):
        refuse_others(states)
    results = read_results(later.bench, later.runs, later.corpus)
    assert not results.records
    assert "differs in training.epochs" in results.missing[0]


def test_trials__tell_speakers_and_corpora(voices: Path) -> None:
    corpus = read_corpus(voices)
    lists = read_trial_lists({"test": "trials/test.txt"}, corpus)
    trials = trials_of(lists["test"], corpus)
    same = trials.enrolment_speakers == trials.test_speakers
    assert (same == trials.labels).all()
    assert set(trials.corpora.tolist()) == {corpus.utterances[0].corpus or "unnamed"}


def test_trials__missing_are_refused_with_the_nearest_files(voices: Path) -> None:
    with pytest.raises(InputError, match=r'trial list "test".*tests.txt, and is not there.*holds test.txt'):
        read_trial_lists({"test": "trials/tests.txt"}, read_corpus(voices))
    with pytest.raises(InputError, match="there is no folder"):
        read_trial_lists({"test": "nowhere/test.txt"}, read_corpus(voices))
