"""The laws every corpus must keep, whatever format it came from."""

from __future__ import annotations

from curvox.corpora.places import Fence
from curvox.corpora.problems import Draft, Problem, Row


def check_rows(draft: Draft, *, check_files: bool) -> list[Problem]:
    """Return what is wrong between and with the rows of a draft, beside what its format noted.

    Ids are unique and hold no white space, a speaker is in one split, no recording comes twice, every path stays
    inside the root and, with ``check_files``, leads to a file that is not empty.
    """
    if not draft.rows:
        return [] if draft.problems else [Problem(draft.name, None, "", "no utterance was found: the corpus is empty")]
    problems = [*_ids(draft.rows), *_splits(draft.rows), *_recordings(draft.rows)]
    fence = Fence(draft.root, check_files)
    # Segments share recordings, so each path is looked at once.
    seen: set[str] = set()
    for row in draft.rows:
        path = row.utterance.path
        if path not in seen and (message := fence.problem(path)):
            problems.append(Problem(row.file, row.line, "path", message))
        seen.add(path)
    return problems


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Sort problems by file and line."""
    return tuple(sorted(problems, key=lambda p: (p.file, p.line or 0)))


def _line(row: Row) -> str:
    return row.utterance.path if row.line is None else f"line {row.line}"


def _ids(rows: list[Row]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, Row] = {}
    for row in rows:
        name = row.utterance.utterance
        if name in first:
            message = f'the id "{name}" is already that of {_line(first[name])}, here {_line(row)}; ids must be unique'
            problems.append(Problem(row.file, row.line, "utterance", message))
        elif len(name.split()) != 1 or name != name.strip():
            message = f'the id "{name}" holds white space, which separates the fields of a trial list; rename it'
            problems.append(Problem(row.file, row.line, "utterance", message))
        first.setdefault(name, row)
    return problems


def _splits(rows: list[Row]) -> list[Problem]:
    problems: list[Problem] = []
    has_splits = any(row.utterance.split for row in rows)
    first: dict[str, Row] = {}
    told: set[tuple[str, str]] = set()
    for row in rows:
        speaker, split = row.utterance.speaker, row.utterance.split
        if has_splits and not split:
            problems.append(Problem(row.file, row.line, "split", "no split, where other lines name one; fill it in"))
            continue
        other = first.setdefault(speaker, row)
        if other.utterance.split != split and (speaker, split) not in told:
            told.add((speaker, split))
            message = (
                f'the speaker "{speaker}" is in split "{other.utterance.split}" ({_line(other)}) and in split '
                f'"{split}" ({_line(row)}); a speaker must be in one split'
            )
            problems.append(Problem(row.file, row.line, "speaker", message))
    return problems


def _recordings(rows: list[Row]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[tuple[str, float, float | None], Row] = {}
    for row in rows:
        utterance = row.utterance
        other = first.setdefault((utterance.path, utterance.start_s, utterance.segment_s), row)
        if other is not row and other.utterance.utterance != utterance.utterance:
            message = (
                f'the same speech as the utterance "{other.utterance.utterance}" ({_line(other)}): '
                f'"{utterance.path}" from {utterance.start_s:g} s; keep one of them'
            )
            problems.append(Problem(row.file, row.line, "path", message))
    return problems
