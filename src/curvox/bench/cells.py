"""The cells of a bench: each setting from each seed is one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curvox.bench.spec import Bench, Setting, recipe_of, run_name
from curvox.errors import InputError, require_name
from curvox.training import Recipe, what_is_trained


@dataclass(frozen=True)
class Cell:
    """A setting and a seed: one run. ``number`` counts the cells of the whole bench from 1."""

    number: int
    setting: Setting
    seed: int

    @property
    def name(self) -> str:
        """Name of the run and of its folder."""
        return run_name(self.setting.name, self.seed)

    @property
    def recipe(self) -> Recipe:
        """What is trained; its corpus is named by who starts it."""
        return recipe_of(self.setting, self.seed)

    def folder(self, runs: Path, bench: Bench) -> Path:
        """Where the run lies."""
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
    return hashlib.sha256(json.dumps(_comparable(recipe), sort_keys=True).encode()).hexdigest()


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
