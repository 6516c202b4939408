"""Lines in, lines out: UTF-8 read with every bad line named, text written whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from curvox.corpora.problems import Problem
from curvox.errors import CorpusError, OutputExistsError


def read_lines(path: Path) -> tuple[list[tuple[int, str]], list[Problem]]:
    """Return the numbered lines of a UTF-8 file, without their ends, and a problem for each line that is not UTF-8.

    Lines end with LF or CR LF; a byte order mark is allowed. The end of the last line may be missing. A name that ends
    with .gz is unpacked.

    Raises:
        CorpusError: the file cannot be read.
    """
    problems: list[Problem] = []
    return list(each_line(path, problems)), problems


def each_line(path: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Yield what `read_lines` returns, with one line in memory at a time; lines that are not UTF-8 go to ``problems``.

    Raises:
        CorpusError: the file cannot be read.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, piece in enumerate(stream, start=1):
                if number == 1:
                    piece = piece.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield number, piece.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
                except UnicodeDecodeError as error:
                    problems.append(_not_utf8(path.name, number, error))
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _not_utf8(file: str, number: int, error: UnicodeDecodeError) -> Problem:
    message = f"byte {error.start + 1} of the line is not UTF-8 (0x{error.object[error.start]:02x}); save it as UTF-8"
    return Problem(file, number, "", message)


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
