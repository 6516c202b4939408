"""Systems side by side on the same trials, and how sure one may be that they differ, as one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from curvox.errors import InputError
from curvox.metrics import Difference, Figure, Interval


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
        tree = asdict(self)
        for system in tree["systems"]:
            for figure in system["figures"]:
                if figure["threshold"] is not None and abs(figure["threshold"]) == float("inf"):
                    figure["threshold"] = str(figure["threshold"])
        return _lists(tree)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        try:
            tree = dict(values)
            systems = tuple(_system(system) for system in tree.pop("systems"))
            return cls(systems=systems, keys=tuple(tree.pop("keys")), **tree)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"not a comparison: a part has not the expected form ({error!r})") from error


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(of) for key, of in value.items()}
    return [_lists(of) for of in value] if isinstance(value, list | tuple) else value


def _interval(values: Mapping[str, float] | None) -> Interval | None:
    return None if values is None else Interval(**values)


def _system(values: Mapping[str, Any]) -> ComparedSystem:
    figures = [
        Figure(**{**f, "interval": _interval(f["interval"]), "threshold": _threshold(f["threshold"])})
        for f in values["figures"]
    ]
    differences = [Difference(**{**d, "interval": Interval(**d["interval"])}) for d in values["differences"]]
    if set(values) != {"title", "figures", "differences"}:
        raise InputError(f"not a comparison: a system has the keys {sorted(values)}")
    return ComparedSystem(values["title"], tuple(figures), tuple(differences))


def _threshold(value: float | str | None) -> float | None:
    return None if value is None else float(value)
