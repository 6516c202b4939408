"""The logs of a run, read back: its learning curve and its vital signs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.diagnosis import VITALS, EpochVitals, VitalHistory
from curvox.errors import InputError
from curvox.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: its number from 1, the mean training loss, the dev EER as a fraction (None where one is missing)."""

    epoch: int
    loss: float | None
    dev_eer: float | None


def read_history(run: str | Path) -> tuple[EpochRecord, ...]:
    """Return the epochs of a run; after a resume the later log wins."""
    losses: dict[int, float] = {}
    eers: dict[int, float] = {}
    for row in _rows(Path(run)):
        if row["epoch"]:
            epoch = int(row["epoch"]) + 1
            if row.get("train/loss_epoch"):
                losses[epoch] = float(row["train/loss_epoch"])
            if row.get("dev/eer"):
                eers[epoch] = float(row["dev/eer"])
    return tuple(EpochRecord(e, losses.get(e), eers.get(e)) for e in sorted(losses.keys() | eers.keys()))


def _rows(run: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of all logs of a run, those of the last resume last."""
    for log in sorted(run.glob("logs/version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1])):
        with log.open(newline="", encoding="utf-8") as file:
            # The last line of a run that is under way may be half written.
            yield from (row for row in csv.DictReader(file) if None not in row.values() and row.get("step"))


PREFIX = "vital/"
"""What the names of the vital signs begin with in the logs."""

# What the training step logs itself.
_LOGGED = {"loss": "train/loss_step", "learning_rate": "train/learning_rate", "margin_scale": "train/margin_scale"}


def read_vitals(run: Path, recipe: Recipe, steps_per_epoch: int | None) -> VitalHistory:
    """Return the vital signs of the run in the folder ``run``; after a resume the later log wins.

    Args:
        run: the folder of a run, finished, running or dead.
        recipe: its recipe.
        steps_per_epoch: of the run; None: told from the logs.

    Raises:
        InputError: there are no logs, or not enough to tell the length of an epoch where it is not given.
    """
    by_step: dict[int, dict[str, float]] = {}
    lengths: set[int] = set()
    for row in _rows(run):
        step = int(row["step"])
        signs = {name: value for name in VITALS if (value := _value(row, name)) is not None}
        if signs:
            by_step.setdefault(step, {}).update(signs)
        if row.get("train/loss_epoch") and row.get("epoch"):
            lengths.add((step + 1) // (int(row["epoch"]) + 1))
    if not by_step:
        raise InputError(
            f"{run / 'logs'} holds no metrics.csv with a step in it: it was removed, or no step was logged"
        )
    if steps_per_epoch is None:
        if not lengths:
            raise InputError(
                "how many steps an epoch has is not known: the logs hold no whole one; give the recordings"
            )
        steps_per_epoch = max(lengths)
    steps = sorted(by_step)
    names = [name for name in VITALS if any(name in by_step[step] for step in steps)]
    signs = {name: np.array([by_step[step].get(name, math.nan) for step in steps]) for name in names}
    epochs = tuple(EpochVitals(e.epoch, e.loss, e.dev_eer) for e in read_history(run))
    total = recipe.training.total_steps(steps_per_epoch)
    return VitalHistory(np.array(steps, dtype=np.int64), signs, epochs, steps_per_epoch, total)


def _value(row: dict[str, str], name: str) -> float | None:
    text = row.get(_LOGGED.get(name, ""), "") or row.get(PREFIX + name, "")
    return float(text) if text else None
