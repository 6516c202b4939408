"""Check what holds of every corpus: unique ids, a speaker in one split, recordings inside its folder."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from curvox.corpora.problems import Draft, Row


def absolute(path: str | Path) -> Path:
    """Return ``path`` as an absolute path without ``..``, links not followed."""
    return Path(os.path.abspath(path))


def place_under(source: str, audio_root: Path | None) -> tuple[str, str]:
    """Turn a path of a Kaldi or lhotse manifest into ``(relative path, problem)``; one of the two is empty.

    A relative path stays as it is. An absolute one is accepted only inside ``audio_root``.
    """
    if not source.startswith("/"):
        return str(PurePosixPath(source)) if source else "", "" if source else "the path is empty"
    if audio_root is None:
        return "", f'"{source}" is an absolute path; name the folder that holds the recordings as audio_root'
    for root in (absolute(audio_root), audio_root.resolve()):
        if PurePosixPath(source).is_relative_to(root.as_posix()):
            return str(PurePosixPath(source).relative_to(root.as_posix())), ""
    return "", f'"{source}" lies outside the audio root {audio_root}; move it there or name another audio_root'


_OUTSIDE = '"{}" is a link to outside the folder of the corpus; put the recording inside'


class _Folder(NamedTuple):
    """Where a folder really is, or would be if it were there."""

    real: str
    inside: bool
    exists: bool


class Fence:
    """Tells what is wrong with a path under ``root``, of a million of them too.

    A folder is resolved once, and listed once where files are not asked for; where they are, each costs one look.
    """

    def __init__(self, root: Path, check_files: bool) -> None:
        self._root = str(root)
        self._real_root = os.path.realpath(root)
        self._check_files = check_files
        self._folders: dict[str, _Folder] = {"": _Folder(self._real_root, True, os.path.isdir(root))}
        self._links: dict[str, frozenset[str]] = {}

    def problem(self, path: str) -> str:
        """Return what is wrong with ``path``, or ''."""
        if path.startswith("/"):
            return f'"{path}" is absolute; paths are relative to the folder of the corpus'
        if "\x00" in path or (".." in path and ".." in path.split("/")):
            return f'"{path}" may leave the folder of the corpus; write it without ".."'
        folder, _, name = path.rpartition("/")
        place = self._folder(folder)
        if not place.inside:
            return f'"{path}" leads outside the folder of the corpus through a link; put the recordings inside'
        if self._check_files:
            return self._file_problem(path)
        if not place.exists or name not in self._links_in(folder):
            return ""
        return "" if self._inside(os.path.realpath(f"{self._root}/{path}")) else _OUTSIDE.format(path)

    def _folder(self, folder: str) -> _Folder:
        """Look at a folder, once, from the one above it."""
        if folder not in self._folders:
            above, _, name = folder.rpartition("/")
            parent = self._folder(above)
            real = f"{parent.real}/{name}"
            status = _look(real) if parent.exists else None
            if status is not None and stat.S_ISLNK(status.st_mode):
                real = os.path.realpath(real)
            self._folders[folder] = _Folder(real, self._inside(real), status is not None)
        return self._folders[folder]

    def _inside(self, real: str) -> bool:
        return real == self._real_root or real.startswith(self._real_root.rstrip("/") + "/")

    def _links_in(self, folder: str) -> frozenset[str]:
        if folder not in self._links:
            try:
                with os.scandir(f"{self._root}/{folder}") as entries:
                    self._links[folder] = frozenset(entry.name for entry in entries if entry.is_symlink())
            except OSError:
                self._links[folder] = frozenset()
        return self._links[folder]

    def _file_problem(self, path: str) -> str:
        full = f"{self._root}/{path}"
        try:
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                if not self._inside(os.path.realpath(full)):
                    return _OUTSIDE.format(path)
                status = os.stat(full)
        except OSError as error:
            return f'no recording at "{path}" ({error.strerror})'
        if not stat.S_ISREG(status.st_mode):
            return f'"{path}" is not a file'
        return "" if status.st_size else f'"{path}" is empty (0 bytes)'


def _look(place: str) -> os.stat_result | None:
    try:
        return os.lstat(place)
    except OSError:
        return None


def check_rows(draft: Draft, *, check_files: bool) -> None:
    """Add what is wrong with and between the rows to the problems of a draft, and sort these by file and line.

    Ids are unique and hold no white space, a speaker is in one split, no recording comes twice, every path stays
    inside the root and, with ``check_files``, leads to a file that is not empty.
    """
    if not draft.rows and not draft.problems:
        draft.add(draft.name, None, "", "no utterance was found: the corpus is empty")
    _check_ids(draft)
    _check_splits(draft)
    _check_recordings(draft)
    _check_paths(draft, check_files)
    draft.problems.sort(key=lambda p: (p.file, p.line or 0))


def _line(row: Row) -> str:
    return row.utterance.path if row.line is None else f"line {row.line}"


def _check_ids(draft: Draft) -> None:
    names = [utterance.utterance for utterance in draft.rows.utterances]
    repeated = _repeated(names)
    first: dict[str, Row] = {}
    for number, name in enumerate(names):
        if name.split() == [name] and name not in repeated:
            continue
        row = draft.rows[number]
        if name in first:
            message = f'the id "{name}" is already that of {_line(first[name])}, here {_line(row)}; ids must be unique'
            draft.note(row, "utterance", message)
        elif name.split() != [name]:
            message = f'the id "{name}" holds white space, which separates the fields of a trial list; rename it'
            draft.note(row, "utterance", message)
        first.setdefault(name, row)


def _check_splits(draft: Draft) -> None:
    rows, utterances = draft.rows, draft.rows.utterances
    has_splits = any(utterance.split for utterance in utterances)
    first: dict[str, int] = {}
    told: set[tuple[str, str]] = set()
    for number, utterance in enumerate(utterances):
        speaker, split = utterance.speaker, utterance.split
        if has_splits and not split:
            draft.note(rows[number], "split", "no split, where other lines name one; fill it in")
            continue
        other = utterances[first.setdefault(speaker, number)].split
        if other != split and (speaker, split) not in told:
            told.add((speaker, split))
            message = (
                f'the speaker "{speaker}" is in split "{other}" ({_line(rows[first[speaker]])}) and in split '
                f'"{split}" ({_line(rows[number])}); a speaker must be in one split'
            )
            draft.note(rows[number], "speaker", message)


def _check_recordings(draft: Draft) -> None:
    shared = _repeated([utterance.path for utterance in draft.rows.utterances])
    first: dict[tuple[str, float, float | None], Row] = {}
    for number, utterance in enumerate(draft.rows.utterances if shared else ()):
        if utterance.path not in shared:
            continue
        row = draft.rows[number]
        other = first.setdefault((utterance.path, utterance.start_s, utterance.segment_s), row)
        if other.utterance.utterance != utterance.utterance:
            message = (
                f'the same speech as the utterance "{other.utterance.utterance}" ({_line(other)}): '
                f'"{utterance.path}" from {utterance.start_s:g} s; keep one of them'
            )
            draft.note(row, "path", message)


def _check_paths(draft: Draft, check_files: bool) -> None:
    fence = Fence(draft.root, check_files)
    # Segments share recordings, so each path is looked at once.
    paths = dict.fromkeys(utterance.path for utterance in draft.rows.utterances)
    wrong = {path: message for path in paths if (message := fence.problem(path))}
    draft.wrong_paths.update(wrong)
    for row in draft.rows if wrong else ():
        if message := wrong.pop(row.utterance.path, None):
            draft.note(row, "path", message)


def _repeated(names: list[str]) -> set[str]:
    """Return the names that come more than once."""
    if len(set(names)) == len(names):
        return set()
    return {name for name, times in Counter(names).items() if times > 1}
