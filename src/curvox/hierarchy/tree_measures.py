"""What was measured of a tree in a space: the numbers with their intervals, chance and counts; to JSON and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from curvox.errors import InputError
from curvox.metrics import Interval
from curvox.records import from_plain, to_plain

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Measure:
    """One number about the tree in a space.

    Attributes:
        key: what it is, such as "purity".
        title: the same for readers.
        value: the number; None where there is none, with the reason in ``why_none``.
        level: the level of the tree it is about; None for the whole tree.
        interval: 95 %, by bootstrap over the speakers behind it unless ``note`` says otherwise.
        chance: what shuffled labels give; None where that has no meaning.
        better: which way a space holds the tree better; None where it can be wanted either way.
        pairs: how many pairs, or items, stand behind it.
        why_none: why there is no value.
        note: how it was taken, and with which error.

    Raises:
        InputError: numbers that are not finite, or a value and a reason for none, or neither.
    """

    key: str
    title: str
    value: float | None
    level: str | None
    interval: Interval | None
    chance: float | None
    better: Better | None
    pairs: int
    why_none: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "chance"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise InputError(f"the {name} of the measure {self.key} must be finite or None, got {number}")
        if (self.value is None) != (self.why_none is not None):
            raise InputError(f"the measure {self.key} needs a value, or a reason why there is none, and not both")
        if self.better is not None and self.better not in get_args(Better):
            raise InputError(f"better is higher, lower or None, got {self.better!r}")


@dataclass(frozen=True)
class TreeMeasures:
    """All that was measured of one tree in one space.

    Attributes:
        space: the name of the space.
        utterances: how many items.
        speakers: how many speakers they are of.
        levels: of the tree, from the root down.
        measures: the numbers.
        resamples: of the bootstrap over speakers.
        seed: of everything that was drawn.
        sampled_pairs: how many pairs of items stand for all; all of them where they are no more.
    """

    space: str
    utterances: int
    speakers: int
    levels: tuple[str, ...]
    measures: tuple[Measure, ...]
    resamples: int
    seed: int
    sampled_pairs: int

    def measure(self, key: str, level: str | None = None) -> Measure | None:
        """Return the measure of this key and level, None where there is none."""
        return next((m for m in self.measures if (m.key, m.level) == (key, level)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return to_plain(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TreeMeasures:
        """Return what `to_dict` turned into plain values.

        Raises:
            InputError: keys or values that it does not give.
        """
        return from_plain(TreeMeasures, values, what="tree measures")
