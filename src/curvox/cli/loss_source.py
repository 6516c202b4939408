"""A loss that the user names: one of the table, or a class, function or object in a Python file of the user's own."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from curvox.errors import InputError, nearest
from curvox.losses import LOSSES

if TYPE_CHECKING:
    from curvox.losses import AbstractLoss

SIGNATURE = "embeddings, speakers"
_GIVEN = ("dim", "speakers")


@dataclass(frozen=True)
class LossSource:
    """A loss before it is built: what it is called, and how it is made for a size D and a number of speakers."""

    name: str
    make: Callable[[int, int], AbstractLoss]


def read_loss(text: str, *, takes: str = SIGNATURE, space: str | None = None) -> LossSource:
    """Find the loss that ``text`` names.

    ``FILE.py:NAME`` runs the file, which is the user's own program named by the user, and takes NAME from it: a class
    is called with the arguments ``dim`` and ``speakers`` where it has them without a default, a
    ``functools.partial`` of a class likewise, and anything else that can be called is the loss itself. Any other text
    is a name in the table of losses.

    Args:
        text: ``FILE.py:NAME``, or a name in `LOSSES`.
        takes: how the loss is called, a key of `curvox.diagnosis.SIGNATURES`.
        space: name of the space where embeddings are compared; default what the loss or its adapter has.

    Raises:
        UnknownNameError: no such loss; the nearest names are listed.
        InputError: no such file or name in it, the file cannot be run, the class needs other arguments.
    """
    from curvox.diagnosis import adapt
    from curvox.geometry import create_space
    from curvox.losses import create_loss

    if ":" in text or text.endswith(".py"):
        name, build = _from_file(text)
    else:
        LOSSES.load(text)
        name, build = text, lambda dim, speakers: create_loss(text, dim=dim, speakers=speakers)

    def make(dim: int, speakers: int) -> AbstractLoss:
        place = None if space is None else create_space(space)
        return adapt(build(dim, speakers), takes=takes, dim=dim, space=place)

    return LossSource(name, make)


def _from_file(text: str) -> tuple[str, Callable[[int, int], Any]]:
    path, colon, name = text.rpartition(":")
    if not colon or not name:
        raise InputError(f"name the loss in the file too: {text.rstrip(':')}:MyLoss")
    found = _attribute(_run(Path(path)), name, Path(path))
    if not callable(found):
        raise InputError(
            f"{name} in {path} is {type(found).__name__}, which cannot be called; name a loss: a class, a function of "
            "embeddings and speakers, or an object of a class of losses"
        )
    if inspect.isclass(found) or (isinstance(found, partial) and inspect.isclass(found.func)):
        return name, _constructor(found, name)
    # A copy each time: a loss with weights must not carry what one training taught it into the next.
    return name, lambda dim, speakers: copy.deepcopy(found)


def _run(path: Path) -> ModuleType:
    """Run the file as ``python FILE`` would, but for ``__main__``."""
    if not path.is_file():
        raise InputError(f"{path} is not here; name a Python file and the loss in it, such as my_module.py:MyLoss")
    name = f"_diagnosed_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by name; files beside it are found as when it is run by itself.
    sys.modules[name] = module
    beside = str(path.resolve().parent)
    sys.path.insert(0, beside)
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() too
        del sys.modules[name]
        raise InputError(f"{path} could not be run: {_words(error)}{_line(error, path)}; mend it first") from error
    finally:
        if beside in sys.path:
            sys.path.remove(beside)
    return module


def _attribute(module: ModuleType, name: str, path: Path) -> Any:
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f'{path} has no "{name}": {nearest(name, known)}')
    return getattr(module, name)


def _constructor(found: Callable[..., Any], name: str) -> Callable[[int, int], Any]:
    required = [
        parameter.name
        for parameter in inspect.signature(found).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    foreign = [parameter for parameter in required if parameter not in _GIVEN]
    if foreign:
        raise InputError(
            f"{name} is built with {', '.join(required)}, and only dim and speakers can be filled in; write in the "
            f"file my_loss = functools.partial({name}, {foreign[0]}=...) and name that"
        )

    def build(dim: int, speakers: int) -> Any:
        given = {"dim": dim, "speakers": speakers}
        try:
            return found(**{key: given[key] for key in required})
        except InputError:
            raise
        except Exception as error:
            arguments = ", ".join(f"{key}={given[key]}" for key in required)
            raise InputError(f"{name}({arguments}) could not be built: {_words(error)}") from error

    return build


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it happened, "" where that is not known."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.lineno else ""
    whole = str(path.resolve())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).resolve()) == whole]
    return f", line {lines[-1]}" if lines else ""
