"""Named tables of classes: the losses, the encoders, the corpora, the spaces.

A table maps a name to one class and imports its module only when that class is asked for, so reading the
names costs nothing. A name that is not in the table is refused with the nearest names; an import path is never
taken from a file.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curvox.errors import require_name


@dataclass(frozen=True)
class Entry:
    """One line of a table: where the class lives, one line about it, and its source (BibTeX key or '')."""

    module: str
    attribute: str
    summary: str
    paper: str = ""

    def load(self) -> Any:
        """Import the module and return the class or function."""
        return getattr(importlib.import_module(self.module), self.attribute)


@dataclass(frozen=True)
class Table(Mapping[str, Entry]):
    """A read-only mapping of names to entries; ``what`` names a single thing in it, for messages."""

    what: str
    entries: Mapping[str, Entry]

    def __getitem__(self, name: str) -> Entry:
        require_name(name, self.entries, self.what)
        return self.entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def load(self, name: str) -> Any:
        """Return the class called ``name``.

        Raises:
            UnknownNameError: no such name; the message lists the nearest ones.
        """
        return self[name].load()

    def name_of(self, cls: type) -> str:
        """Return the name under which ``cls`` stands in this table.

        Raises:
            KeyError: the class stands under no name.
        """
        for name, entry in self.entries.items():
            if (entry.module, entry.attribute) == (cls.__module__, cls.__name__):
                return name
        raise KeyError(f"{cls.__module__}.{cls.__name__} is no {self.what} of the table")
