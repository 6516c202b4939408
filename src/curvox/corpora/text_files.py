"""Lines in, lines out: UTF-8 read with every bad line named, text written whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
import zlib
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
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    pieces = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    lines: list[tuple[int, str]] = []
    problems: list[Problem] = []
    for number, piece in enumerate(pieces, start=1):
        try:
            lines.append((number, piece.removesuffix(b"\r").decode("utf-8")))
        except UnicodeDecodeError as error:
            message = f"byte {error.start + 1} of the line is not UTF-8 (0x{piece[error.start]:02x}); save it as UTF-8"
            problems.append(Problem(path.name, number, "", message))
    return lines, problems


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
