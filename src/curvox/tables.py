"""Named tables of classes (the losses, the encoders, the corpora, the spaces), and packages that import lazily.

A table maps a name to one class and imports its module only when that class is asked for, so reading the
names costs nothing. A name that is not in the table is refused with the nearest names; an import path is never
taken from a file.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curvox.errors import InputError, RecipeError, nearest, require_name


@dataclass(frozen=True)
class Entry:
    """One line of a table: where the class lives, one line about it, and its source (BibTeX key or '').

    ``registered`` is a class that was entered itself, by `Table.register`; its module is not imported again.
    """

    module: str
    attribute: str
    summary: str
    paper: str = ""
    registered: type | None = None

    def load(self) -> Any:
        """Import the module and return the class or function."""
        if self.registered is not None:
            return self.registered
        return getattr(importlib.import_module(self.module), self.attribute)


@dataclass(frozen=True)
class Table(Mapping[str, Entry]):
    """A mapping of names to entries that only `register` adds to; ``what`` names a single thing in it, for messages."""

    what: str
    entries: dict[str, Entry]

    def __getitem__(self, name: str) -> Entry:
        require_name(name, self.entries, self.what)
        return self.entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def register(self, name: str, cls: type, summary: str, *, paper: str = "") -> None:
        """Enter a class of your own, so that recipes and saved models of this process can name it.

        Only Python code can do this: no file names a class that is not in the table. A process that loads such a model
        registers the class first.

        Args:
            name: lower case, digits and underscores, free.
            cls: what the name stands for.
            summary: one line about it.
            paper: its source, a BibTeX key.

        Raises:
            InputError: a name that is taken or not of that form, or what is no class.
        """
        if not isinstance(cls, type):
            raise InputError(f"a {self.what} is registered as a class, got {cls!r}")
        if not (name.isidentifier() and name.isascii() and name.islower()):
            raise InputError(f"a name is of lower case, digits and underscores, such as my_{self.what}, got {name!r}")
        if name in self.entries:
            raise InputError(f'the name "{name}" of a {self.what} is taken, by {self.entries[name].attribute}')
        self.entries[name] = Entry(cls.__module__, cls.__name__, summary, paper, cls)

    def load(self, name: str) -> Any:
        """Return the class called ``name``.

        Raises:
            UnknownNameError: no such name; the message lists the nearest ones.
        """
        return self[name].load()

    def read(self, description: object, *, given: tuple[str, ...] = ()) -> tuple[Any, dict[str, Any]]:
        """Return the class that a description names, and the arguments that it sets.

        Args:
            description: a name, or a mapping of ``name`` and arguments of the constructor, as a recipe holds it.
            given: arguments that the caller supplies, and a description may not.

        Raises:
            UnknownNameError: no such name; the message lists the nearest ones.
            RecipeError: no name, or an argument that the class does not have.
        """
        if isinstance(description, str):
            description = {"name": description}
        if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
            raise RecipeError(
                f'a {self.what} is given by its name or by a mapping with the key "name", got {description!r}'
            )
        name = description["name"]
        cls = self.load(name)
        arguments = {key: value for key, value in description.items() if key != "name"}
        known = [key for key in inspect.signature(cls).parameters if key not in given]
        for key in arguments:
            if key not in known:
                hint = nearest(str(key), known) if known else "it takes none"
                raise RecipeError(f'{self.what} "{name}" has no argument "{key}": {hint}')
        return cls, arguments

    def name_of(self, cls: type) -> str:
        """Return the name under which ``cls`` stands in this table.

        Raises:
            KeyError: the class stands under no name.
        """
        for name, entry in self.entries.items():
            if (entry.module, entry.attribute) == (cls.__module__, cls.__name__):
                return name
        raise KeyError(f"{cls.__module__}.{cls.__name__} is no {self.what} of the table")


def lazy_exports(
    package: str, homes: Mapping[str, str], *, here: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package that imports a name when it is asked for.

        __getattr__, __dir__, __all__ = lazy_exports(__name__, {"module": "name name", "folder.module": "name"})

    Args:
        package: its ``__name__``.
        homes: for each module, by its name within the package, the names that it gives, separated by white space.
        here: names that the package's ``__init__`` defines itself.
    """
    home_of = {name: f"{package}.{module}" for module, names in homes.items() for name in names.split()}
    names = sorted([*here.split(), *home_of])

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home_of[name]), name)

    return find, lambda: names, names
