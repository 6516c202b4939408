"""From a plain description, as it stands in a recipe, to a loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from curvox.errors import RecipeError, nearest
from curvox.geometry import create_space
from curvox.losses import LOSSES
from curvox.losses.combined import WeightedLoss
from curvox.losses.contract import AbstractLoss

Tree = Mapping[str, Sequence[int]]
"""For each level of the tree above the speakers the number of each speaker's label, -1 where it is unknown."""

_GIVEN = ("dim", "speakers", "tree")


def create_loss(
    description: str | Mapping[str, Any], *, dim: int, speakers: int, tree: Tree | None = None
) -> AbstractLoss:
    """Build a loss from its table name, or from a mapping of ``name`` and constructor arguments.

    ``space`` is described as for `curvox.geometry.create_space`; the ``parts`` of ``combined`` are a list of such
    mappings, each with a ``weight``. ``tree`` is for the losses that have ``levels``; the others do without it:

    >>> loss = create_loss({"name": "ham_softmax", "margin": 0.3, "space": {"name": "poincare_ball", "c": 0.5}},
    ...                    dim=192, speakers=10)
    >>> loss.space.describe()["c"]
    0.5

    Raises:
        UnknownNameError: no loss, space or lift of that name; the nearest names are listed.
        RecipeError: an argument that the loss does not have, or no name.
        InputError: a value outside its range.
    """
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise RecipeError(f'a loss is given by its name or by a mapping with the key "name", got {description!r}')
    name = description["name"]
    cls = LOSSES.load(name)
    arguments = {key: value for key, value in description.items() if key != "name"}
    known = [key for key in inspect.signature(cls).parameters if key not in _GIVEN]
    for key in arguments:
        if key not in known:
            raise RecipeError(f'loss "{name}" has no argument "{key}": {nearest(str(key), known)}')
    if arguments.get("space") is not None:
        arguments["space"] = create_space(arguments["space"])
    if arguments.get("parts") is not None:
        arguments["parts"] = _create_parts(arguments["parts"], dim, speakers, tree)
    if tree is not None and takes_tree(name):
        arguments["tree"] = tree
    if "speakers" in inspect.signature(cls).parameters:
        return cls(dim, speakers, **arguments)
    return cls(dim, **arguments)  # a pair loss takes any speakers


def takes_tree(name: str) -> bool:
    """Whether the loss of this table name wants the tree above the speakers."""
    return "tree" in inspect.signature(LOSSES.load(name)).parameters


def _create_parts(parts: Any, dim: int, speakers: int, tree: Tree | None) -> list[WeightedLoss]:
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) and "weight" in part for part in parts):
        raise RecipeError('parts must be a list of mappings with the keys "name" and "weight"')
    built = []
    for part in parts:
        rest = {key: value for key, value in part.items() if key != "weight"}
        built.append(WeightedLoss(part["weight"], create_loss(rest, dim=dim, speakers=speakers, tree=tree)))
    return built
