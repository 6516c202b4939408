"""What a cause is: its name, how it does its harm, what to do about it and what it explains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a loss fails to give useful embeddings.

    Attributes:
        name: stable, for scripts.
        title: a few words for people.
        group: the kind of cause, one of `GROUPS`.
        mechanism: two sentences.
        remedy: something to do.
        recipe: the line of a recipe that does it, "" where there is none.
        explains: causes that follow from this one, which are then shown as its consequences.
    """

    name: str
    title: str
    group: str
    mechanism: str
    remedy: str
    recipe: str = ""
    explains: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"docs/findings.md#{self.name}"


GROUPS = {
    "numbers": "Numbers that are none",
    "loss": "What the loss does",
    "training": "How it is trained",
    "data": "What it is trained on",
    "space": "Hyperbolic space",
    "embeddings": "What became of the embeddings",
}
"""Kinds of causes, by the name that stands in `Cause.group`."""
