"""A recipe as a YAML file, and one that says only in what it differs from another, its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curvox.errors import RecipeError
from curvox.files import read_bytes
from curvox.records import LARGEST_BYTES, parse_yaml

BASE = "base"


def read_tree(path: Path) -> tuple[dict[str, Any], str]:
    """Return the plain values of a recipe, laid over those of its base, and the names of the files for messages.

    ``base`` is a path below the folder of the recipe that names it. See `laid_over` for what replaces what.

    Raises:
        RecipeError: a file is missing or not YAML, a key comes twice, a base lies elsewhere or leads back to itself.
    """
    trees, files = [load_tree(path)], [path]
    while (named := trees[-1].pop(BASE, None)) is not None:
        base = _base_of(files[-1], named)
        if base.resolve() in [file.resolve() for file in files]:
            raise RecipeError(f"{path}: bases must end somewhere, but {files[-1]} leads back to {base}")
        trees.append(load_tree(base))
        files.append(base)
    whole = trees.pop()
    while trees:
        whole = laid_over(whole, trees.pop())
    return whole, " on ".join(map(str, files))


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what ``over`` says instead.

    A mapping changes the keys it holds and leaves the others, unless it has a ``name``: then it is another thing (a
    loss, an encoder, a schedule), and takes the place of the whole mapping in the base. Lists and single values
    replace.
    """
    whole = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and "name" not in value:
            whole[key] = laid_over(below, value)
        else:
            whole[key] = value
    return whole


def _base_of(path: Path, named: Any) -> Path:
    if not isinstance(named, str) or not named:
        raise RecipeError(f"{path}: base must be the path of another recipe, such as ecapa.yaml, got {named!r}")
    base = path.parent / named
    if Path(named).is_absolute() or not base.resolve().is_relative_to(path.parent.resolve()):
        raise RecipeError(f"{path}: base must lie in the folder of the recipe or below it, got {named}")
    return base


def load_tree(path: Path, what: str = "a recipe") -> dict[str, Any]:
    """Return the plain values of a YAML file that is a mapping; ``what`` names the file in messages.

    Raises:
        RecipeError: missing, not YAML, no mapping, an alias, or a key that comes twice.
    """
    try:
        tree = parse_yaml(read_bytes(path, limit_bytes=LARGEST_BYTES).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {what} must be a readable YAML file: {error}") from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: {what} must be a mapping of sections, got {type(tree).__name__}")
    return tree
