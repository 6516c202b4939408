"""The laws every corpus must keep, whatever format it came from."""

from __future__ import annotations

from curvox.corpora.places import Fence
from curvox.corpora.problems import Draft, Problem, Row, Rows


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
    paths = dict.fromkeys(utterance.path for utterance in draft.rows.utterances)
    wrong = {path: message for path in paths if (message := fence.problem(path))}
    del paths
    draft.wrong_paths.update(wrong)
    if wrong:
        for row in draft.rows:
            if message := wrong.pop(row.utterance.path, None):
                problems.append(Problem(row.file, row.line, "path", message))
    return problems


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Sort problems by file and line."""
    return tuple(sorted(problems, key=lambda p: (p.file, p.line or 0)))


def _line(row: Row) -> str:
    return row.utterance.path if row.line is None else f"line {row.line}"


def _ids(rows: Rows) -> list[Problem]:
    problems: list[Problem] = []
    names = [utterance.utterance for utterance in rows.utterances]
    repeated = _repeated(names)
    first: dict[str, Row] = {}
    for number, name in enumerate(names):
        if name.split() == [name] and name not in repeated:
            continue
        row = rows[number]
        if name in first:
            message = f'the id "{name}" is already that of {_line(first[name])}, here {_line(row)}; ids must be unique'
            problems.append(Problem(row.file, row.line, "utterance", message))
        elif name.split() != [name]:
            message = f'the id "{name}" holds white space, which separates the fields of a trial list; rename it'
            problems.append(Problem(row.file, row.line, "utterance", message))
        first.setdefault(name, row)
    return problems


def _splits(rows: Rows) -> list[Problem]:
    problems: list[Problem] = []
    has_splits = any(utterance.split for utterance in rows.utterances)
    first: dict[str, int] = {}
    told: set[tuple[str, str]] = set()
    for number, utterance in enumerate(rows.utterances):
        speaker, split = utterance.speaker, utterance.split
        if has_splits and not split:
            message = "no split, where other lines name one; fill it in"
            problems.append(Problem(rows[number].file, rows[number].line, "split", message))
            continue
        other = rows.utterances[first.setdefault(speaker, number)].split
        if other != split and (speaker, split) not in told:
            told.add((speaker, split))
            row = rows[number]
            message = (
                f'the speaker "{speaker}" is in split "{other}" ({_line(rows[first[speaker]])}) and in split '
                f'"{split}" ({_line(row)}); a speaker must be in one split'
            )
            problems.append(Problem(row.file, row.line, "speaker", message))
    return problems


def _recordings(rows: Rows) -> list[Problem]:
    problems: list[Problem] = []
    shared = _repeated([utterance.path for utterance in rows.utterances])
    first: dict[tuple[str, float, float | None], Row] = {}
    for number, utterance in enumerate(rows.utterances if shared else ()):
        if utterance.path not in shared:
            continue
        row = rows[number]
        other = first.setdefault((utterance.path, utterance.start_s, utterance.segment_s), row)
        if other.utterance.utterance != utterance.utterance:
            message = (
                f'the same speech as the utterance "{other.utterance.utterance}" ({_line(other)}): '
                f'"{utterance.path}" from {utterance.start_s:g} s; keep one of them'
            )
            problems.append(Problem(row.file, row.line, "path", message))
    return problems


def _repeated(names: list[str]) -> set[str]:
    """Return the names that come more than once."""
    if len(set(names)) == len(names):
        return set()
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}
