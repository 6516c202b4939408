"""``curvox losses``: what there is to train with, and the card of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import complete

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from curvox.losses import LossCard
    from curvox.reports import Paper

GROUPS = {
    "needed": "Classification: a centre for each training speaker",
    "no": "Pairs: the recordings of a batch against each other",
    "optional": "Another library's: of either kind",
}
"""Headings of the list, by what a loss asks to know of the speakers."""
_WIDEST = 100


def _loss_names(incomplete: str) -> list[str]:
    from curvox.losses import LOSSES

    return complete(tuple(LOSSES))(incomplete)


def losses(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Loss whose card is shown; default list all.", show_default=False, autocompletion=_loss_names
        ),
    ] = None,
) -> None:
    """List the losses, or show one: formula, parameters, published settings, when, what goes wrong."""
    from curvox.losses import LOSSES, read_loss_card
    from curvox.reports import paper_of

    if name is None:
        _print_list()
        return
    from rich.console import Console

    entry = LOSSES[name]
    card = read_loss_card(entry)
    paper = paper_of(entry.paper) if entry.paper else None
    console = Console(highlight=False, markup=False, emoji=False)
    _print_card(console, name, card, paper, entry.paper)


def _print_list() -> None:
    from curvox.losses import LOSSES, read_loss_card
    from curvox.reports import paper_of

    groups: dict[str, list[str]] = {}
    for name, entry in LOSSES.items():
        groups.setdefault(GROUPS[read_loss_card(entry).speakers], []).append(name)
    for heading, names in groups.items():
        width = max(map(len, names))
        summaries = max(len(LOSSES[name].summary) for name in names)
        print(heading)
        for name in names:
            entry = LOSSES[name]
            paper = paper_of(entry.paper).short if entry.paper else ""
            print(f"  {name:{width}}  {entry.summary:{summaries}}  {paper}".rstrip())
        print()
    print("The card of one: curvox losses NAME")


def _print_card(console: Console, name: str, card: LossCard, paper: Paper | None, key: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    width = min(console.width, _WIDEST)
    console.print(_prose(card.title, style="bold"), width=width)
    for heading, body in _parts(name, card, paper, key):
        console.print()
        console.print(Text(heading, style="bold"), width=width)
        for part in body:
            if isinstance(part, str):  # code keeps its lines, however narrow the terminal
                console.print(Text(indent(part, "  "), style="cyan"), soft_wrap=True)
            else:
                console.print(Padding(part, (0, 0, 0, 2), expand=False), width=width)


def _parts(name: str, card: LossCard, paper: Paper | None, key: str) -> Iterator[tuple[str, list[RenderableType]]]:
    """Yield headings and what stands below them; plain strings are code."""
    yield "Formula", [card.formula, *(_prose(f"\n{paragraph}") for paragraph in card.prose)]
    yield "Parameters", [_parameters(card)]
    if card.published:
        yield "Published", [_prose(card.published)]
    yield "When", [_prose(card.when)]
    yield "What goes wrong", [_prose(card.what_goes_wrong)]
    if paper is not None:
        place = f", {paper.place}" if paper.place else ""
        yield "Paper", [_prose(f"{paper.short}: {paper.title}{place} (BibTeX key `{key}`)")]
    yield "In a recipe", [_recipe_line(name, card)]


def _parameters(card: LossCard) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for argument in card.arguments:
        left = Text(argument.name, style="cyan")
        if argument.default not in ("", "None"):
            left.append(f"={argument.default}", style="dim")
        table.add_row(left, _prose(argument.text))
    return table


def _recipe_line(name: str, card: LossCard) -> str:
    """Return the loss as a recipe has it, its numbers as they are by default, with levels where it must name some."""
    numbers = [f"{key}: {default}" for key, default in card.constructor.items() if _is_number(default)]
    levels = ["levels: [language, gender]"] if "tree" in card.constructor else []
    return f"loss: {{{', '.join([f'name: {name}', *levels, *numbers])}}}"


def _is_number(text: str) -> bool:
    try:
        value = ast.literal_eval(text) if text else None
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


def _prose(text: str, style: str = "") -> Text:
    """Return text for the terminal, in which what stands between backticks is coloured and the backticks are gone."""
    from rich.text import Text

    made = Text(style=style)
    for i, part in enumerate(re.split(r"``(.+?)``|`(.+?)`", text)):
        if part:
            made.append(part, style="" if i % 3 == 0 else "cyan")
    return made
