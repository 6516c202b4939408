"""Read the structure of a package off its source: who imports whom, circles, how long functions are.

Nothing is imported or run. Used by `size.py`, which prints the table of limits, and by the tests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ABSTRACT_SPACE = "AbstractSpace"


@dataclass(frozen=True)
class Import:
    """An import of one module by another, wherever it stands: on top, inside a function, under TYPE_CHECKING."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@dataclass(frozen=True)
class Question:
    """A place that asks which space it was given."""

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.text}"


class SourceTree:
    """The modules of a package, by dotted name, as syntax trees."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder.name
        self.files = sorted(folder.rglob("*.py"))
        self.trees = {self._name(file): ast.parse(file.read_text(encoding="utf-8")) for file in self.files}
        self.packages = {self._name(file) for file in self.files if file.name == "__init__.py"}

    def _name(self, file: Path) -> str:
        parts = [self.root, *file.relative_to(self.folder).with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def top(self, module: str) -> str:
        """Return the package right below the root that a module belongs to: "losses" of "curvox.losses.contract"."""
        return module.split(".")[1] if "." in module else ""

    @cached_property
    def lines(self) -> int:
        return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in self.files)

    @cached_property
    def function_lengths(self) -> list[int]:
        """Lines of every function and method, from ``def`` to its end, in order of size."""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = (node for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, functions))
        return sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes)

    @cached_property
    def exported(self) -> list[str]:
        """The names in ``__all__`` of the package itself."""
        for node in self.trees[self.root].body:
            if isinstance(node, ast.Assign) and any(_last(target) == "__all__" for target in node.targets):
                return list(ast.literal_eval(node.value))
        return []

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of a module of this package by another one.

        ``from package import name`` is an import of the module ``package.name`` only where the package's ``__init__``
        does not bind that name itself.
        """
        found = (imported for name in self.trees for imported in self._imports_of(name))
        return sorted(set(found), key=lambda each: (each.importer, each.line, each.imported))

    def _imports_of(self, name: str) -> Iterator[Import]:
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                source = self._source_of(name, node)
                targets = [self._target(source, alias.name) for alias in node.names]
            else:
                continue
            for target in targets:
                if target in self.trees and target != name:
                    yield Import(name, target, node.lineno)

    def _source_of(self, importer: str, node: ast.ImportFrom) -> str:
        """Return the absolute name of what ``from … import`` takes things from."""
        if not node.level:
            return node.module or ""
        parts = importer.split(".")
        parts = parts[: len(parts) - node.level + (importer in self.packages)]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def _target(self, source: str, name: str) -> str:
        module = f"{source}.{name}"
        return module if module in self.trees and name not in self._bound.get(source, set()) else source

    @cached_property
    def _bound(self) -> dict[str, set[str]]:
        """The names that each ``__init__`` binds at its top level or lists in ``__all__``."""
        return {package: _bound_names(self.trees[package], package) for package in self.packages}

    @cached_property
    def circles(self) -> list[list[str]]:
        """Groups of modules each of which reaches all others of the group by imports (strongly connected, two or more).

        An import of ``package.module`` counts for that module alone: the ``__init__`` that Python runs on the way is
        left out, or every ``__init__`` that imports its modules would be in a circle with them.
        """
        graph: dict[str, set[str]] = {name: set() for name in self.trees}
        for each in self.imports:
            graph[each.importer].add(each.imported)
        return sorted(sorted(group) for group in _connected(graph) if len(group) > 1)

    @cached_property
    def past_the_init(self) -> list[Import]:
        """Imports of a module inside another package, past that package's ``__init__``."""
        return [
            each
            for each in self.imports
            if each.imported.count(".") > 1 and self.top(each.importer) != self.top(each.imported)
        ]

    @cached_property
    def spaces(self) -> set[str]:
        """Names of the classes that are spaces: what is derived from `AbstractSpace` in geometry."""
        found = {ABSTRACT_SPACE}
        classes = [
            node
            for name, tree in self.trees.items()
            if self.top(name) == "geometry"
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        ]
        for _ in classes:  # as often as a chain of classes can be long
            found |= {node.name for node in classes if any(_last(base) in found for base in node.bases)}
        return found - {ABSTRACT_SPACE}

    @cached_property
    def questions_of_space(self) -> list[Question]:
        """Places outside geometry that ask which space they were given.

        Counted are ``isinstance`` and ``issubclass`` with a class of space, or of something called ``space`` with
        a class; class patterns of ``match``; and ``type(space)``, unless for its name. Asking for `AbstractSpace` is
        not counted: it tells a space from something else, and no space from another.
        """
        return [
            Question(name, getattr(node, "lineno", 0), ast.unparse(node).splitlines()[0])
            for name, tree in self.trees.items()
            if self.top(name) != "geometry"
            for node in _without_type_names(tree)
            if self._asks(node)
        ]

    def _asks(self, node: ast.AST) -> bool:
        if isinstance(node, ast.MatchClass):
            return _last(node.cls) in self.spaces
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        of_space = bool(node.args) and _last(node.args[0]) == "space"
        if node.func.id in ("isinstance", "issubclass") and len(node.args) == 2:
            named = {_last(each) for each in ast.walk(node.args[1])}
            return bool(named & self.spaces) or (of_space and not named & {ABSTRACT_SPACE, "str", "Mapping"})
        return node.func.id == "type" and len(node.args) == 1 and of_space


def percentile_95(values: list[int]) -> int:
    """Return the smallest of sorted values that 95 % do not exceed."""
    return values[-(-95 * len(values) // 100) - 1]


def _without_type_names(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk a tree, but not to the call in ``type(x).__name__``, which messages contain."""
    nodes = list(ast.walk(tree))
    names = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr == "__name__"}
    return (node for node in nodes if id(node) not in names)


def _last(node: ast.AST) -> str:
    """Return the last name of ``a.b.c``, or nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _bound_names(tree: ast.Module, package: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module != package:
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
                constants = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
                found |= {each for each in constants if isinstance(each, str)}
    return found


def _connected(graph: dict[str, set[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected groups: what reaches a node and is reached from it."""
    back: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            back[target].add(name)
    left = set(graph)
    while left:
        start = next(iter(left))
        group = _reached(graph, start) & _reached(back, start)
        yield group
        left -= group


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for target in graph[waiting.pop()] - found:
            found.add(target)
            waiting.append(target)
    return found
