"""What can be refused before hours of training: every setting built once, with nothing but its recipe."""

from __future__ import annotations

from collections.abc import Sequence

from lightning.pytorch.utilities.seed import isolate_rng

from curvox.bench.cells import Cell
from curvox.errors import CurvoxError, RecipeError
from curvox.training import build_model
from curvox.training.building import sketch_model
from curvox.training.options import build_augmentation


def check_settings(cells: Sequence[Cell]) -> None:
    """Build encoder, loss and augmentation of every setting, and throw them away.

    Raises:
        RecipeError: some cannot be built; all faults are told, each with the name of its setting.
    """
    first = {cell.setting.name: cell for cell in reversed(cells)}
    faults = [f'setting "{name}": {fault}' for name, cell in reversed(first.items()) if (fault := _fault(cell))]
    if faults:
        count = f"{len(faults)} of {len(first)} settings"
        raise RecipeError(f"{count} cannot be trained, so none was started:\n  " + "\n  ".join(faults))


def _fault(cell: Cell) -> str:
    recipe = cell.recipe
    try:
        build_augmentation(recipe.augmentation, recipe.data.sampling_rate_hz)
        with isolate_rng(include_cuda=False):
            sketch_model(recipe, build_model)
    except CurvoxError as error:
        return str(error)
    return ""
