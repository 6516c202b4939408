"""From a plain description, as it stands in a recipe or a checkpoint, to a space."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from curvox.errors import RecipeError, nearest
from curvox.geometry.lifts import LIFTS, AbstractLift
from curvox.geometry.spaces import SPACES, AbstractSpace
from curvox.tables import Table


def create_space(description: str | Mapping[str, Any]) -> AbstractSpace:
    """Build the space that ``AbstractSpace.describe`` describes; a bare name takes the defaults.

    Learned parameters of a lift are not in the description but in the space's ``state_dict``.

    Raises:
        UnknownNameError: no space or lift of that name; the nearest names are listed.
        RecipeError: an argument that the space or the lift does not have, or no name.
        InputError: a value outside its range.
    """
    cls, arguments = _split(description, SPACES)
    if "lift" in arguments and arguments["lift"] is not None:
        arguments["lift"] = create_lift(arguments["lift"])
    return cls(**arguments)


def create_lift(description: str | Mapping[str, Any]) -> AbstractLift:
    """Build the lift that ``AbstractLift.describe`` describes; errors as for `create_space`."""
    cls, arguments = _split(description, LIFTS)
    return cls(**arguments)


def _split(description: str | Mapping[str, Any], table: Table) -> tuple[type[Any], dict[str, Any]]:
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise RecipeError(f'a {table.what} is its name or a mapping with the key "name", got {description!r}')
    arguments = {key: value for key, value in description.items() if key != "name"}
    cls = table.load(description["name"])
    known = list(inspect.signature(cls).parameters)
    for key in arguments:
        if key not in known:
            hint = nearest(str(key), known) if known else "it takes none"
            raise RecipeError(f'{table.what} "{description["name"]}" has no argument "{key}": {hint}')
    return cls, arguments
