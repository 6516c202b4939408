"""From YAML to a recipe: bases, overrides, and every key checked, here or against the constructor that it feeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from curvox.errors import RecipeError, nearest
from curvox.files import read_bytes
from curvox.records import LARGEST_BYTES, parse_yaml
from curvox.training.recipe.recipe import Recipe

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


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe, lay it over its ``base`` if it names one, and apply overrides such as ``loss.margin=0.3``.

    Raises:
        RecipeError: not YAML, a base that may not be used, a key that does not exist (with the nearest ones), or a
            value of the wrong type.
    """
    tree, files = read_tree(Path(path))
    return recipe_from(override(tree, overrides), source=files)


def recipe_from(tree: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """Check a tree of plain values and return the recipe; see :func:`read_recipe`."""
    try:
        return Recipe.model_validate(dict(tree))
    except ValidationError as error:
        raise RecipeError(f"{source}: " + "; ".join(_explain(e) for e in error.errors())) from error


def override(tree: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of ``tree`` with each ``key.sub=value`` set; values are read as YAML.

    A number in the key enters a list: ``loss.parts.0.weight=0.5``.
    """
    copy = yaml.safe_load(yaml.safe_dump(dict(tree)))
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RecipeError(f'an override must read key.sub=value, got "{text}"')
        try:
            _set(copy, key.split("."), yaml.safe_load(value), key)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise RecipeError(f'override "{text}": the value is not valid YAML: {error}') from error
    return copy


def dump_recipe(recipe: Recipe) -> str:
    """Return the effective recipe as YAML, defaults included."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _set(tree: Any, keys: list[str], value: Any, whole: str) -> None:
    for depth, key in enumerate(keys):
        place: Any = key
        if isinstance(tree, list):
            place = _list_index(key, tree, whole)
        elif not isinstance(tree, dict):
            raise RecipeError(f'override "{whole}": {".".join(keys[:depth])} is a single value, it has no parts')
        elif depth < len(keys) - 1:
            tree.setdefault(key, {})
        if depth == len(keys) - 1:
            tree[place] = value
        else:
            tree = tree[place]


def _list_index(key: str, items: list[Any], whole: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise RecipeError(f'override "{whole}": "{key}" must be a position from 0 to {len(items) - 1}')
    return int(key)


def _explain(error: Any) -> str:
    """Turn one pydantic error into a sentence that says where, what was expected, what came."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_of(error["loc"][:-1])
        return f'unknown key "{where}": {nearest(str(error["loc"][-1]), known)}'
    if error["type"] == "missing":
        return f'missing key "{where}"'
    return f"{where or 'recipe'}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _keys_of(location: Sequence[Any]) -> list[str]:
    section: Any = Recipe
    for part in location:
        section = section.model_fields[part].annotation
    return list(section.model_fields)


def check_options(
    constructor: Callable[..., Any], options: Mapping[str, Any], *, where: str, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return ``options`` with each value checked against the constructor's annotation.

    Args:
        constructor: class or function the options feed.
        options: keys and values from the recipe.
        where: the recipe's section, for messages.
        given: parameters that curvox itself passes, which a recipe may not set.

    Raises:
        RecipeError: an unknown key (with the nearest ones), a missing one, or a value of the wrong type.
    """
    parameters = {n: p for n, p in inspect.signature(constructor).parameters.items() if n not in given}
    for key in options:
        if key not in parameters:
            raise RecipeError(f'unknown key "{where}.{key}": {nearest(str(key), parameters)}')
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in options]
    if missing:
        raise RecipeError(f"{where}: missing key {', '.join(missing)}")
    hints = get_type_hints(constructor.__init__ if inspect.isclass(constructor) else constructor)
    return {key: checked_value(value, hints.get(key, Any), f"{where}.{key}") for key, value in options.items()}


def checked_value(value: Any, annotation: Any, where: str) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as error:
        reasons = "; ".join(sorted({e["msg"] for e in error.errors()}))
        raise RecipeError(f"{where}: {reasons}, got {value!r}") from error
