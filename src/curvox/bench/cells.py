"""The cells of a bench: each setting from each seed is one run; how far they are, and what came out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curvox.bench.record import FORMAT, RECORD, RunRecord, Trials, read_record, read_trial_lists, trials_of
from curvox.bench.spec import Bench, Setting, recipe_of, run_name
from curvox.corpora import Corpus, TrialList, label_of
from curvox.embedder import model_fingerprint, model_folder
from curvox.errors import CurvoxError, InputError, require_name
from curvox.training import Recipe, read_recipe, what_is_trained


@dataclass(frozen=True)
class Cell:
    """A setting and a seed: one run. ``number`` counts the cells of the whole bench from 1."""

    number: int
    setting: Setting
    seed: int

    @property
    def name(self) -> str:
        """The name of the run and of its folder."""
        return run_name(self.setting.name, self.seed)

    @property
    def recipe(self) -> Recipe:
        """What is trained; whoever starts the run names the corpus."""
        return recipe_of(self.setting, self.seed)

    def folder(self, runs: Path, bench: Bench) -> Path:
        """Return the folder of the run."""
        return runs / bench.name / self.name


def cells_of(bench: Bench) -> tuple[Cell, ...]:
    """Return every cell, all settings of the first seed first, so that a bench cut short has each setting once."""
    pairs = [(seed, setting) for seed in bench.seeds for setting in bench.settings]
    return tuple(Cell(number, setting, seed) for number, (seed, setting) in enumerate(pairs, start=1))


def chosen_cells(
    bench: Bench, *, settings: Sequence[str] = (), seeds: Sequence[int] = (), cell: str | None = None
) -> tuple[Cell, ...]:
    """Return the cells of some settings and some seeds, or one by its number or its name.

    Raises:
        UnknownNameError: no such setting or cell; the nearest names are listed.
        InputError: no such seed or number, or one cell beside settings or seeds.
    """
    cells = cells_of(bench)
    for name in settings:
        bench.setting(name)
    if wrong := [seed for seed in seeds if seed not in bench.seeds]:
        raise InputError(f"the bench {bench.name} has the seeds {list(bench.seeds)}, not {wrong[0]}")
    if cell is not None:
        if settings or seeds:
            raise InputError("a cell says which setting and seed; leave those out")
        return (_one(cells, cell, bench.name),)
    return tuple(
        cell for cell in cells if (not settings or cell.setting.name in settings) and (not seeds or cell.seed in seeds)
    )


def _one(cells: Sequence[Cell], wanted: str, bench: str) -> Cell:
    """Return a cell by its number, counted from 1, or by its name, which stays the same when settings are added."""
    if wanted.isdecimal():
        if not 1 <= int(wanted) <= len(cells):
            raise InputError(f"the bench {bench} has the cells 1 to {len(cells)}, got {wanted}")
        return cells[int(wanted) - 1]
    by_name = {cell.name: cell for cell in cells}
    require_name(wanted, by_name, f"cell of the bench {bench}")
    return by_name[wanted]


def recipe_digest(recipe: Recipe) -> str:
    """Return a digest (64 hexadecimal digits) of what a recipe trains.

    Left out is what may differ between two runs of one cell: where the corpus lies, and what
    `curvox.training.what_is_trained` leaves out: devices, workers, caches and the like.
    """
    return _digest(_comparable(recipe))


def changed_keys(first: Recipe, second: Recipe) -> tuple[str, ...]:
    """Return the dotted keys in which two recipes differ, of those that `recipe_digest` looks at."""
    return tuple(_differences(_comparable(first), _comparable(second), ""))


def _comparable(recipe: Recipe) -> dict[str, Any]:
    tree = json.loads(json.dumps(what_is_trained(recipe)))
    del tree["data"]["path"]
    return tree


def _differences(first: Any, second: Any, where: str) -> list[str]:
    if not isinstance(first, dict) or not isinstance(second, dict):
        return [] if first == second else [where]
    missing = object()
    found: list[str] = []
    for key in [*first, *(key for key in second if key not in first)]:
        below = f"{where}.{key}" if where else key
        found += _differences(first.get(key, missing), second.get(key, missing), below)
    return found


NOT_TRAINED, HALF, TRAINED, DONE, OTHER = "not trained", "half trained", "not evaluated", "done", "another recipe"


@dataclass(frozen=True, eq=False)
class CellState:
    """How far a cell is.

    Attributes:
        cell: the cell.
        folder: of its run.
        status: "not trained", "half trained", "not evaluated", "done" or "another recipe".
        why: more about it, where there is more to say.
        record: of a run that is done.
    """

    cell: Cell
    folder: Path
    status: str
    why: str = ""
    record: RunRecord | None = None


def state_of(cell: Cell, bench: Bench, runs: Path, trials: str) -> CellState:
    """Look at the folder of a cell below ``runs`` and say how far it is; nothing is changed.

    ``trials`` is what `trials_digest` gives.
    """
    folder = cell.folder(runs, bench)
    if not (folder / "recipe.yaml").is_file():
        return CellState(cell, folder, NOT_TRAINED)
    try:
        changed = changed_keys(cell.recipe, read_recipe(folder / "recipe.yaml"))
    except CurvoxError as error:
        return CellState(cell, folder, OTHER, f"its recipe.yaml cannot be compared: {error}")
    if changed:
        return CellState(cell, folder, OTHER, f"trained with another recipe, which differs in {', '.join(changed)}")
    if not (folder / "run.json").is_file():
        return CellState(cell, folder, HALF)
    if not (folder / RECORD).is_file():
        return CellState(cell, folder, TRAINED)
    try:
        record = read_record(folder)
        expected = evaluation_digest(folder, trials)
    except CurvoxError as error:
        return CellState(cell, folder, TRAINED, f"to be evaluated again: {error}")
    if (record.recipe_digest, record.evaluated) != (recipe_digest(cell.recipe), expected):
        why = "to be evaluated again: weights, trial lists, their recordings or labels have changed"
        return CellState(cell, folder, TRAINED, why)
    return CellState(cell, folder, DONE, record=record)


def evaluation_digest(run: Path, trials: str) -> str:
    """Return a digest (64 hexadecimal digits) of what an evaluation sees: weights, `trials_digest`, its version.

    Raises:
        CheckpointError: the run holds no whole model.
    """
    return _digest({"format": FORMAT, "model": model_fingerprint(model_folder(run)), "trials": trials})


def trials_digest(levels: Sequence[str], corpus: Corpus, lists: Mapping[str, TrialList]) -> str:
    """Return a digest (64 hexadecimal digits) of trial lists and of what the manifest says of their recordings.

    The manifest is looked at, not the sound: where a recording lies, which part of it, its speaker, its labels of the
    levels.
    """
    utterances = sorted({name for trials in lists.values() for name in trials.utterances})
    told = [(u.utterance, u.path, u.start_s, u.segment_s, u.speaker) for u in map(corpus.__getitem__, utterances)]
    labels = {level: [label_of(corpus[name], level) for name in utterances] for level in levels}
    return _digest({"lists": {name: _list_digest(t) for name, t in lists.items()}, "told": told, "labels": labels})


def refuse_others(states: Sequence[CellState]) -> None:
    """Refuse a bench whose folder holds runs of other recipes.

    Raises:
        InputError: there are some; all are named, with the keys that differ.
    """
    others = [f"{state.cell.name}: {state.why}" for state in states if state.status == OTHER]
    if others:
        raise InputError(
            f"{len(others)} of {len(states)} cells have a run that is not of this bench; move those folders away, give "
            "the setting another name, or take the change back:\n  " + "\n  ".join(others)
        )


def _digest(seen: Any) -> str:
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _list_digest(trials: TrialList) -> str:
    digest = hashlib.sha256()
    for enrolment, test in zip(trials.enrolments, trials.tests, strict=True):
        digest.update(f"{enrolment}\t{test}\n".encode())
    digest.update(np.asarray(trials.labels, dtype=np.uint8).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class BenchResults:
    """The runs of a bench that are trained and evaluated.

    Attributes:
        bench: what was asked for.
        records: of the finished runs, in the order of the cells: all settings of the first seed first.
        trials: every trial list of the bench, by its name.
        missing: the cells without a record, as ``name (why)``.
    """

    bench: Bench
    records: tuple[RunRecord, ...]
    trials: Mapping[str, Trials]
    missing: tuple[str, ...]


def read_results(bench: Bench, runs_folder: str | Path, corpus: Corpus) -> BenchResults:
    """Read the records of a bench from ``runs_folder``, which holds the folder of the bench.

    A run that is not trained or not evaluated, that was trained by another recipe, or evaluated on other trials, is
    named in ``missing`` and never mixed in.

    Raises:
        InputError: a trial list of the bench is missing or does not fit the corpus.
    """
    lists = read_trial_lists(bench.trials, corpus)
    digest = trials_digest(bench.levels, corpus, lists)
    states = [state_of(cell, bench, Path(runs_folder), digest) for cell in cells_of(bench)]
    return BenchResults(
        bench=bench,
        records=tuple(state.record for state in states if state.status == DONE and state.record is not None),
        trials={name: trials_of(trials, corpus) for name, trials in lists.items()},
        missing=tuple(f"{state.cell.name} ({state.why or state.status})" for state in states if state.status != DONE),
    )
