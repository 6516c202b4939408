"""Read lines of UTF-8, with every bad line named."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from curvox.corpora.problems import Problem
from curvox.errors import CorpusError


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
