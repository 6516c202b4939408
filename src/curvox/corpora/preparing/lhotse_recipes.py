"""The recipes of lhotse that ``lhotse:NAME`` may name: which there are, which need the folder alone, and running one.

They are the functions ``prepare_NAME`` that :mod:`lhotse.recipes` offers, found in a table of these alone. A recipe
that asks for more than the folder of its corpus is refused, and so is one whose code fetches files or starts programs.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from curvox.corpora.lhotse_bridge import require_lhotse
from curvox.errors import CorpusError, InputError, UnknownNameError, nearest

PREFIX = "lhotse:"
_STEM = "prepare_"
_FOLDER = ("_dir", "_root")
_OUTPUTS = ("output_dir", "manifest_dir")
# What code names that goes to the network, or starts a program.
_REACHES_OUT = {"resumable_download", "urlopen", "urlretrieve", "requests", "gdown", "snapshot_download"} | {
    *("load_dataset", "subprocess", "system", "popen")
}


@dataclass(frozen=True)
class LhotseRecipe:
    """A recipe of lhotse. ``refusal`` says why it cannot be used here, '' where it can."""

    name: str
    function: FunctionType
    refusal: str


def lhotse_recipes() -> Mapping[str, LhotseRecipe]:
    """Return the recipes of the installed lhotse by their names, sorted, those that are refused too.

    Raises:
        MissingExtraError: lhotse is not installed.
    """
    require_lhotse()
    from lhotse import recipes

    found = {name.removeprefix(_STEM): thing for name, thing in sorted(vars(recipes).items()) if name.startswith(_STEM)}
    return {
        name: LhotseRecipe(name, function, _refusal(function))
        for name, function in found.items()
        if inspect.isfunction(function)
    }


def usable_recipe(name: str) -> LhotseRecipe:
    """Return the recipe of this name, if it can be used here.

    Raises:
        MissingExtraError: lhotse is not installed.
        UnknownNameError: lhotse has no such recipe; the message lists the nearest, or all for the name "list".
        InputError: it needs more than the folder of the corpus, or reaches out of it.
    """
    known = lhotse_recipes()
    if name in ("", "list"):
        usable = [recipe for recipe, found in known.items() if not found.refusal]
        raise UnknownNameError(f"expected {PREFIX}NAME; the names are {', '.join(usable)}")
    if name not in known:
        hint = nearest(name, known)
        hint = hint if hint.startswith("did") else "no name is near"
        raise UnknownNameError(f'lhotse has no recipe "{name}": {hint} (curvox data lhotse-recipes lists all)')
    recipe = known[name]
    if recipe.refusal:
        raise InputError(
            f"{PREFIX}{name} cannot be used here, for it {recipe.refusal}; run lhotse's own command "
            "(lhotse prepare --help lists them), and then: curvox data check MANIFESTS --audio-root FOLDER"
        )
    return recipe


def run_recipe(recipe: LhotseRecipe, folder: Path, output: Path) -> tuple[Any, tuple[str, ...]]:
    """Return what a recipe makes of a folder, and the warnings that it logs. ``output`` gets lhotse's manifests.

    Raises:
        CorpusError: the recipe fails; the message holds its words and the line that it failed in.
    """
    arguments: dict[str, Any] = {}
    for name in inspect.signature(recipe.function).parameters:
        if name in _OUTPUTS:
            arguments[name] = output
        elif name == "absolute_paths":
            arguments[name] = True
    heard = _Warnings()
    logging.getLogger().addHandler(heard)
    try:
        return recipe.function(folder, **arguments), tuple(heard.messages)
    except Exception as error:  # a recipe raises whatever a layout it does not expect makes it stumble over
        raise CorpusError(
            f'lhotse\'s recipe "{recipe.name}" cannot read {folder}: {_words(error)}; lay the folder out as the recipe '
            f"expects it (its source: {inspect.getsourcefile(recipe.function)})"
        ) from error
    finally:
        logging.getLogger().removeHandler(heard)


class _Warnings(logging.Handler):
    """Keeps the warnings of a recipe, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.messages[" ".join(record.getMessage().split())] = None


def _words(error: Exception) -> str:
    """Return what an error says; recipes assert much without a word, then it is the line of the recipe."""
    if text := " ".join(str(error).split()):
        return f"{type(error).__name__}: {text}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "recipes" in Path(frame.filename).parts]
    place = f' in line {lines[-1].lineno}, "{lines[-1].line}"' if lines else ""
    return f"{type(error).__name__}{place}"


def _refusal(function: FunctionType) -> str:
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.name not in _OUTPUTS]
    if len(required) != 1 or not required[0].endswith(_FOLDER):
        folders = [p.name for p in parameters if p.name.endswith(_FOLDER) and p.name not in _OUTPUTS]
        return f"asks for {', '.join(required or folders)}"
    reaching = sorted(name for name in _reached(function) if name in _REACHES_OUT or name.startswith("download"))
    return f"may fetch files or start programs ({', '.join(reaching)})" if reaching else ""


def _reached(function: FunctionType) -> set[str]:
    """Return the names in the code of a function, and of all functions and classes of lhotse's recipes it names."""
    names: set[str] = set()
    known: set[FunctionType] = {function}
    waiting = [function]
    while waiting:
        here = waiting.pop()
        found = set(_names(here.__code__))
        names |= found
        named = [here.__globals__.get(name) for name in found]
        fresh = {f for thing in named for f in _functions(thing)} - known
        known |= fresh
        waiting += fresh
    return names


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _functions(thing: Any) -> list[FunctionType]:
    if not getattr(thing, "__module__", "").startswith("lhotse.recipes"):
        return []
    inside: list[Any] = list(vars(thing).values()) if inspect.isclass(thing) else [thing]
    return [entry for entry in inside if inspect.isfunction(entry)]
