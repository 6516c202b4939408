"""What can be refused before hours of training: settings that cannot be built, levels that the corpus does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning.pytorch.utilities.seed import isolate_rng

from curvox.bench.cells import Cell
from curvox.bench.trials import TEST
from curvox.corpora import Corpus, TrialList
from curvox.errors import CurvoxError, RecipeError
from curvox.hierarchy import tree_paths
from curvox.training import build_augmentation, build_model, sketch_model


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


def check_levels(levels: Sequence[str], corpus: Corpus, lists: Mapping[str, TrialList]) -> None:
    """Refuse levels that are no columns of the corpus.

    Raises:
        InputError: what `curvox.hierarchy.tree_paths` refuses.
    """
    if levels:
        tree_paths(corpus, lists[TEST].utterances, levels)


def _fault(cell: Cell) -> str:
    recipe = cell.recipe
    try:
        build_augmentation(recipe.augmentation, recipe.data.sampling_rate_hz)
        with isolate_rng(include_cuda=False):
            sketch_model(recipe, build_model)
    except CurvoxError as error:
        return str(error)
    return ""
