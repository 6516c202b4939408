"""The levels above the speaker that a recipe's loss asks for: from columns of the manifest to whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curvox.errors import RecipeError
from curvox.losses import LOSSES, takes_tree

Labels = Mapping[str, Sequence[str]]
"""For each level the label of each class, "" where it is unknown."""


def levels_of(loss: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the levels that a recipe's ``loss``, or a part of it, names, each once.

    Raises:
        RecipeError: a loss that needs levels names none.
    """
    found: list[str] = []
    name = loss.get("name")
    if isinstance(name, str) and name in LOSSES and takes_tree(name):
        levels = loss.get("levels")
        if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
            raise RecipeError(
                f'the loss "{name}" needs levels, columns of the manifest above the speaker, from the root down, such '
                f"as levels: [language, gender]; got {levels!r}"
            )
        found += levels
    parts = loss.get("parts")
    for part in parts if isinstance(parts, list) else ():
        found += levels_of(part) if isinstance(part, Mapping) else ()
    return tuple(dict.fromkeys(found))


def sketched_labels(levels: Sequence[str], classes: int) -> dict[str, list[str]]:
    """Made-up labels, to check a loss before the manifest is read: two at each level, by turns."""
    return {level: [str(number % 2) for number in range(classes)] for level in levels}


def numbered_labels(labels: Labels) -> dict[str, list[int]]:
    """Number the labels of each level in their alphabetical order; -1 is unknown."""
    numbers = {level: {label: i for i, label in enumerate(sorted({*of} - {""}))} for level, of in labels.items()}
    return {level: [numbers[level].get(label, -1) for label in of] for level, of in labels.items()}
