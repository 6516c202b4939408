"""Output files: never over an existing one, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from curvox.errors import OutputExistsError


def new_file(path: Path) -> Any:
    """Refuse an existing ``path`` at once; the context manager returned writes beside it and moves it there when
    whole."""
    if path.exists():
        raise OutputExistsError(f"{path} exists already; name another output or move it away")
    # Found out now, not after the work.
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.writing")
    fresh.touch()
    fresh.unlink()
    return _writing(path)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.writing")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            raise OutputExistsError(f"{path} appeared in the meantime; nothing was overwritten")
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)
