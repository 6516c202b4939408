"""The class of all commands: an option of an earlier form is refused with the form that it has now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand

RENAMED: Mapping[str, Mapping[str, str]] = {
    "data check": {"--audio": "--decode", "--no-audio": "--no-decode"},
    "data convert": {"--audio": "--codec"},
    "data shard": {"--workers": "--threads"},
}
"""Options by command that have another name now."""


class Command(TyperCommand):
    """A command that names the new form of an option that it no longer has."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        problem = old_form(_words(ctx), args, {option for parameter in self.params for option in parameter.opts})
        if problem:
            ctx.fail(problem)
        return super().parse_args(ctx, args)


def _words(ctx: Any) -> str:
    """Return the words of a command after the program's own, such as "data check"."""
    return "" if ctx.parent is None else f"{_words(ctx.parent)} {ctx.info_name}".strip()


def old_form(command: str, words: Sequence[str], options: set[str]) -> str:
    """Return what to write in the place of an earlier form among the words of a command, or ""."""
    renamed = RENAMED.get(command, {})
    for place, word in enumerate(words):
        if word == "--":
            break
        name = word.partition("=")[0]
        if name in renamed:
            return f"{name} is now {renamed[name]}"
        if word == "--json" and "--json" in options:
            value = words[place + 1] if place + 1 < len(words) else "--"
            if value.startswith("-") and value != "-":
                return "--json names a file now: --json PATH, or --json - for standard output"
    return ""
