"""Many names in two arrays, where a list of texts would take several times their memory in every process."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class PackedNames:
    """Texts by their place, as UTF-8 in one array."""

    def __init__(self, names: Iterable[str]) -> None:
        pieces = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        self._text = np.frombuffer(b"".join(pieces), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = int(self._ends[index - 1]) if index else 0
        return self._text[start : int(self._ends[index])].tobytes().decode("utf-8", "surrogateescape")
