"""Text written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from curvox.errors import OutputExistsError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 so that ``path`` appears complete or not at all.

    Raises:
        OutputExistsError: ``path`` exists; it is left as it was.
    """
    if os.path.lexists(path):
        raise _exists(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~umask())
        _put(Path(temporary), path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _put(temporary: Path, path: Path) -> None:
    # A hard link fails when the name was taken meanwhile, where a rename would overwrite.
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        if os.path.lexists(path):
            raise _exists(path) from None
        os.rename(temporary, path)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{path} exists and is left as it is; choose another name or remove it first")


def umask() -> int:
    """Return the process's file mode mask, as new files of ``open`` get it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
