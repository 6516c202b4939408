"""How far a cell is: not trained, half trained, trained, evaluated, or taken by a run of another recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curvox.bench.cells import Cell, changed_keys, recipe_digest
from curvox.bench.record import FORMAT, RECORD, RunRecord, read_record
from curvox.bench.spec import Bench
from curvox.corpora import Corpus, TrialList, label_of
from curvox.embedder import model_fingerprint, model_folder
from curvox.errors import CurvoxError, InputError
from curvox.training import read_recipe

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
