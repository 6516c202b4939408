"""A loss's card, its class docstring, read from the source: nothing of the loss is imported to print it."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from curvox.errors import InputError
from curvox.tables import Entry

SECTIONS = ("Formula", "Args", "Published", "When", "What goes wrong")
"""The headings of a card, in this order."""


@dataclass(frozen=True)
class Argument:
    """A constructor argument: its name, its default as Python writes it ("" if it has none), what the card says."""

    name: str
    default: str
    text: str


@dataclass(frozen=True)
class LossCard:
    """What a loss says of itself.

    Attributes:
        title: the first line: name, idea and paper.
        formula: lines of it, aligned as written.
        prose: paragraphs that explain the formula.
        arguments: those of the card, in its order.
        published: settings of the papers.
        when: when to use it.
        what_goes_wrong: symptoms and their remedy.
        constructor: every argument of the constructor and its default as Python writes it, "" where there is none.
        speakers: whether the constructor asks for the number of speakers: "needed", "optional" or "no".
    """

    title: str
    formula: str
    prose: tuple[str, ...]
    arguments: tuple[Argument, ...]
    published: str
    when: str
    what_goes_wrong: str
    constructor: dict[str, str]
    speakers: Literal["needed", "optional", "no"]


def read_card(entry: Entry) -> LossCard:
    """Read the card of a table's entry.

    Raises:
        InputError: the class is not in the module's source, or it has no docstring.
    """
    tree = _source_of(entry.module)
    if tree is None:
        raise InputError(f"the card of {entry.attribute} is its docstring in {entry.module}, which is not installed")
    node = _class_in(tree, entry.attribute)
    if node is None:
        raise InputError(f"{entry.module} holds no class {entry.attribute}, so there is no card to read")
    return parse_card(ast.get_docstring(node) or "", _constructor(tree, node))


def parse_card(docstring: str, constructor: ast.arguments | None = None) -> LossCard:
    """Parse a cleaned docstring and the arguments beside it; a section that is missing is empty."""
    title, _, rest = docstring.partition("\n\n")
    sections: dict[str, str] = {}
    prose: list[str] = []
    for heading, block in _blocks(rest):
        if heading:
            sections[heading] = block
        else:
            prose.append(_joined(block))
    defaults = _defaults(constructor)
    arguments = [Argument(name, defaults.get(name, ""), text) for name, text in _items(sections.get("Args", ""))]
    return LossCard(
        title=_joined(title),
        formula=sections.get("Formula", ""),
        prose=tuple(prose),
        arguments=tuple(arguments),
        published=_joined(sections.get("Published", "")),
        when=_joined(sections.get("When", "")),
        what_goes_wrong=_joined(sections.get("What goes wrong", "")),
        constructor=defaults,
        speakers=_asks_for_speakers(constructor),
    )


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield (heading, dedented text) of the sections and ("", text) of the paragraphs between them."""
    heading, lines = "", []
    for line in [*text.splitlines(), "end:"]:
        starts = bool(line.strip()) and not line[0].isspace()
        if starts and (heading or line.rstrip().removesuffix(":") in (*SECTIONS, "end")):
            yield from _finished(heading, lines)
            heading, lines = "", []
        if starts and line.rstrip().removesuffix(":") in SECTIONS:
            heading = line.rstrip().removesuffix(":")
        else:
            lines.append(line)


def _finished(heading: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    block = textwrap.dedent("\n".join(lines)).strip("\n")
    if heading:
        yield heading, block
    else:
        yield from (("", paragraph) for paragraph in re.split(r"\n\s*\n", block) if paragraph.strip())


def _items(block: str) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of "name: text" with its indented continuation lines."""
    for item in re.split(r"\n(?=\S)", block):
        name, colon, text = item.partition(":")
        if colon:
            yield name.strip(), _joined(text)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _source_of(module: str) -> ast.Module | None:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _class_in(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _constructor(tree: ast.Module, node: ast.ClassDef) -> ast.arguments | None:
    """The arguments of the class's constructor, or of the first base's that has one, here or where it is imported."""
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return inner.args
    homes = {a.name: n.module for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    for base in node.bases:
        name = ast.unparse(base)
        home = homes.get(name) or ""
        there = tree if not home else _source_of(home) if home.startswith("curvox.") else None
        above = None if there is None else _class_in(there, name)
        found = None if there is None or above is None else _constructor(there, above)
        if found is not None:
            return found
    return None


def _defaults(given: ast.arguments | None) -> dict[str, str]:
    if given is None:
        return {}
    found = {argument.arg: "" for argument in given.args[1:]}
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found[argument.arg] = "" if default is None else ast.unparse(default)
    return found


def _asks_for_speakers(given: ast.arguments | None) -> Literal["needed", "optional", "no"]:
    for argument in [] if given is None else given.args:
        if argument.arg == "speakers":
            kind = "" if argument.annotation is None else ast.unparse(argument.annotation)
            return "optional" if "None" in kind else "needed"
    return "no"
