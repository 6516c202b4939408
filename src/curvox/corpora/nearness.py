"""The nearest of many names, quickly: difflib over tens of thousands of ids would take seconds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from curvox.errors import nearest

_REACH = 40


class NameIndex:
    """Names sorted from their front and from their back; only the neighbours of a misspelt name are compared."""

    def __init__(self, names: Iterable[str]) -> None:
        self._forward = sorted(names)
        self._backward = sorted(name[::-1] for name in self._forward)

    def hint(self, name: str) -> str:
        """Return ``did you mean ...?``, or a few neighbouring names when none is close."""
        front = _neighbours(self._forward, name)
        back = [found[::-1] for found in _neighbours(self._backward, name[::-1])]
        hint = nearest(name, {*front, *back})
        if hint.startswith("did you mean"):
            return hint
        if not self._forward:
            return "none are known"
        middle = len(front) // 2
        shown = front[max(0, middle - 1) : middle + 2]
        return f"none is near; {len(self._forward)} are known, for instance " + ", ".join(f'"{s}"' for s in shown)


def _neighbours(ordered: list[str], name: str) -> list[str]:
    place = bisect_left(ordered, name)
    return ordered[max(0, place - _REACH) : place + _REACH]
