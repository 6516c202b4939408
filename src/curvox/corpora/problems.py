"""Tell the faults of a corpus, line by line, and what a format hands over before it is checked."""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from curvox.corpora.corpus import LEVELS, Corpus, CorpusCounts, Utterance
from curvox.errors import AudioError, CorpusError
from curvox.files import replace_text

SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One fault. ``line`` counts from 1; None and '' where there is no line or column to name."""

    file: str
    line: int | None
    column: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}, {self.column}: {self.message}" if self.column else f"{where}: {self.message}"


@dataclass(frozen=True)
class CorpusReport:
    """The problems of a corpus, and how much of it could be read, from :func:`~curvox.corpora.check_corpus`.

    ``duration_s`` is None when any length is unknown. ``found`` are the utterances that could be read, ids perhaps
    twice, without those whose recording is missing or lies outside ``root``.
    """

    path: Path
    format: str
    root: Path
    found: tuple[Utterance, ...] = field(repr=False)
    problems: tuple[Problem, ...]
    speakers: int
    utterances: int
    duration_s: float | None
    splits: Mapping[str, CorpusCounts]

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.problems


class Row(NamedTuple):
    """An utterance and where it was read."""

    utterance: Utterance
    file: str
    line: int | None


class Rows:
    """Rows in their order, kept as columns, as a million lines would be a million objects otherwise."""

    def __init__(self) -> None:
        self.utterances: list[Utterance] = []
        self._files: list[str] = []
        self._lines = array("q")

    def add(self, utterance: Utterance, file: str, line: int | None) -> None:
        """Add an utterance and where it was read."""
        self.utterances.append(utterance)
        self._files.append(file)
        self._lines.append(-1 if line is None else line)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, number: int) -> Row:
        line = self._lines[number]
        return Row(self.utterances[number], self._files[number], None if line < 0 else line)

    def __iter__(self) -> Iterator[Row]:
        return (self[number] for number in range(len(self)))


def refuse(problems: Iterable[Problem], what: str) -> None:
    """Raise a `CorpusError` that lists the first problems and how many more there are, if there is any."""
    if not (problems := list(problems)):
        return
    lines = [f"{what} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"]
    lines += [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more")
    raise CorpusError("\n".join(lines))


@dataclass
class Draft:
    """Rows as a format read them, not yet checked against each other, and the problems met on the way."""

    root: Path
    name: str
    rows: Rows = field(default_factory=Rows)
    problems: list[Problem] = field(default_factory=list)
    wrong_paths: set[str] = field(default_factory=set)
    levels: tuple[str, ...] = LEVELS

    def add(self, file: str, line: int | None, column: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(file, line, column, message))

    def note(self, row: Row, column: str, message: str) -> None:
        """Note a problem of a row."""
        self.add(row.file, row.line, column, message)

    def corpus(self, what: str) -> Corpus:
        """Return the corpus, once its rows are checked; refuse it as :func:`refuse` does."""
        refuse(self.problems, what)
        return Corpus(self.root, tuple(self.rows.utterances), self.name, self.levels)


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
    """Yield what `read_lines` returns, one line in memory at a time; lines that are not UTF-8 go to ``problems``."""
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


@dataclass(frozen=True)
class BadRecording:
    """A recording that cannot be read: its path, its utterance, and why."""

    path: str
    utterance: str
    reason: str

    @property
    def line(self) -> str:
        """Three fields separated by tabs."""
        return "\t".join(" ".join(text.split()) for text in (self.path, self.utterance, self.reason))


def write_bad_files(path: Path, bad: Iterable[BadRecording]) -> None:
    """Write ``bad_files.tsv``; an earlier one is replaced as a whole."""
    replace_text(path, "\n".join(["path\tutterance\treason", *(row.line for row in bad)]) + "\n")


def check_share(bad: int, recordings: int, allowed_share: float, latest: BadRecording) -> None:
    """Refuse more unreadable recordings than ``allowed_share`` of all; the message says what is wrong with the last."""
    if bad > allowed_share * recordings:
        raise AudioError(
            f"{bad} of {recordings} recordings cannot be read, allowed is a share of {allowed_share:g}; the last: "
            f"{latest.reason} (utterance {latest.utterance}). Repair or remove them, or allow a larger share "
            "(--allowed-bad-share)"
        )
