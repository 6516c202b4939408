"""What was measured of a tree in a space: the numbers with their intervals, chance and counts; to JSON and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from curvox.errors import InputError
from curvox.metrics import Interval

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
        return {**asdict(self), "levels": list(self.levels), "measures": [asdict(m) for m in self.measures]}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TreeMeasures:
        """Return what `to_dict` turned into plain values.

        Raises:
            InputError: keys or values that it does not give.
        """
        _require_keys(values, TreeMeasures)
        if not isinstance(values["measures"], (list, tuple)) or not isinstance(values["levels"], (list, tuple)):
            raise InputError("not tree measures: levels and measures must be lists")
        return TreeMeasures(
            **{
                **{name: _typed(values[name], int, name) for name in _WHOLE},
                "space": _typed(values["space"], str, "space"),
                "levels": tuple(_typed(level, str, "levels") for level in values["levels"]),
                "measures": tuple(_measure_from(measure) for measure in values["measures"]),
            }
        )


_WHOLE = ("utterances", "speakers", "resamples", "seed", "sampled_pairs")


def _measure_from(values: Mapping[str, Any]) -> Measure:
    _require_keys(values, Measure)
    return Measure(
        key=_typed(values["key"], str, "key"),
        title=_typed(values["title"], str, "title"),
        value=_number(values["value"], "value"),
        level=_optional_text(values["level"], "level"),
        interval=_interval_from(values["interval"]),
        chance=_number(values["chance"], "chance"),
        better=values["better"],
        pairs=_typed(values["pairs"], int, "pairs"),
        why_none=_optional_text(values["why_none"], "why_none"),
        note=_typed(values["note"], str, "note"),
    )


def _interval_from(values: Mapping[str, Any] | None) -> Interval | None:
    if values is None:
        return None
    _require_keys(values, Interval)
    ends = {name: _number(values[name], name) for name in ("low", "high", "level")}
    if None in ends.values():
        raise InputError(f"not an interval: {dict(values)}")
    return Interval(**{name: float(end) for name, end in ends.items() if end is not None})


def _require_keys(values: Any, kind: type) -> None:
    expected = {field.name for field in fields(kind)}
    if not isinstance(values, Mapping) or set(values) != expected:
        found = set(values) if isinstance(values, Mapping) else set()
        raise InputError(
            f"not a {kind.__name__}: missing keys {sorted(expected - found)}, unknown keys {sorted(found - expected)}"
        )


def _typed(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"not tree measures: {name} must be {kind.__name__}, got {value!r}")
    return value


def _optional_text(value: Any, name: str) -> str | None:
    return None if value is None else _typed(value, str, name)


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"not tree measures: {name} must be a finite number or None, got {value!r}")
    return float(value)
