"""Variants of a recipe, for tests."""

from __future__ import annotations

from typing import Any

from curvox.training import Recipe, override, recipe_from


def change(tree: dict[str, Any], *overrides: str) -> Recipe:
    """Return the recipe of ``tree`` with overrides such as ``training.epochs=1``."""
    return recipe_from(override(tree, overrides))
