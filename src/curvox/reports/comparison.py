"""Systems side by side on the same trials, and how sure one may be that they differ, as one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curvox.errors import InputError
from curvox.metrics import Difference, Figure
from curvox.records import INFINITIES, from_plain, to_plain


@dataclass(frozen=True)
class ComparedSystem:
    """A system in a comparison: its name, its figures, and how each differs from that of the first system."""

    title: str
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...] = ()

    def figure(self, key: str) -> Figure | None:
        """Return the figure of a key, None if it was not taken."""
        return next((figure for figure in self.figures if figure.key == key), None)


@dataclass(frozen=True)
class Comparison:
    """Systems on one trial list; each but the first is tested against the first.

    Attributes:
        trials: name of the list.
        targets: number of target trials.
        non_targets: number of non-target trials.
        speakers: number of speakers.
        systems: at least two, titles differ; the first has no differences.
        keys: of the figures compared, in the order of columns.
        resamples: of the speakers, behind intervals and p.
        seed: of the resamples.

    Raises:
        InputError: fewer than two systems, or two of one title.
    """

    trials: str
    targets: int
    non_targets: int
    speakers: int
    systems: tuple[ComparedSystem, ...]
    keys: tuple[str, ...]
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what cannot be compared or told apart."""
        titles = [system.title for system in self.systems]
        if len(titles) < 2 or len(set(titles)) < len(titles):
            raise InputError(f"a comparison needs at least two systems of different names, got {titles}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values; an infinite threshold is the text "inf"."""
        return to_plain(self, words=INFINITIES)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        return from_plain(cls, values, what="a comparison", words=INFINITIES)
