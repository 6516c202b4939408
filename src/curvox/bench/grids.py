"""Grids: settings that come of a product of values, each with a name and a title that say which."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from curvox.errors import RecipeError
from curvox.training import laid_over, override

_KEY = re.compile(r"\w+(\.\w+)*")

Named = tuple[str, str, dict[str, Any]]
"""Name, title and whole recipe of a setting, as plain values."""


def expand_grid(
    name: str, title: str, recipe: Mapping[str, Any], vary: Mapping[str, Sequence[Any]], base: Mapping[str, Any]
) -> list[Named]:
    """Return a setting for each combination of values, with its whole recipe; the last key varies fastest.

    Args:
        name: of the grid; those of its settings begin with it: ``ham-c_0.5-lift_clip``.
        title: of the grid; those of its settings go on from it: ``HAM-Softmax, c = 0.5, lift = clip``.
        recipe: what all of them change of the base.
        vary: values, of any kind, by dotted key of the recipe, such as ``loss.space.c``; a number enters a list.
        base: the recipe below.

    Raises:
        RecipeError: a key that is none or leads into a single value, or values that no name tells apart.
    """
    for key in vary:
        if not _KEY.fullmatch(key):
            raise RecipeError(f'a key of vary must be dotted words, such as loss.space.c, got "{key}"')
    short = _short_names(list(vary))
    settings: list[Named] = []
    for values in itertools.product(*vary.values()):
        chosen = list(zip(vary, values, strict=True))
        whole = override(laid_over(base, recipe), [f"{key}={_yaml(value)}" for key, value in chosen])
        parts = [f"{short[key]}_{_word(value)}" for key, value in chosen]
        words = [f"{short[key]} = {_words(value)}" for key, value in chosen]
        settings.append(("-".join([name, *parts]), ", ".join([title, *words]), whole))
    names = [setting[0] for setting in settings]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise RecipeError(f'two combinations would both be called "{twice[0]}": every value may come once')
    return settings


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last parts of the keys, as many as tell them apart."""
    split = {key: key.split(".") for key in keys}
    for parts in range(1, max(map(len, split.values())) + 1):
        short = {key: ".".join(words[-parts:]) for key, words in split.items()}
        if len(set(short.values())) == len(keys):
            return short
    return {key: key for key in keys}


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)


def _word(value: Any) -> str:
    """A value as a part of a folder's name."""
    if isinstance(value, Mapping):
        own = [_word(value["name"])] if "name" in value else []
        text = "_".join(own + [f"{key}_{_word(item)}" for key, item in value.items() if key != "name"])
    elif isinstance(value, (list, tuple)):
        text = "_".join(_word(item) for item in value)
    else:
        text = _words(value)
    return re.sub(r"[^\w.\-]+", "_", text)


def _words(value: Any) -> str:
    """A value for people."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {_words(item)}" for key, item in value.items() if key != "name")
        own = str(value.get("name", ""))
        return f"{own} ({rest})" if own and rest else own or rest
    if isinstance(value, (list, tuple)):
        return " ".join(_words(item) for item in value)
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
