"""Read a folder per speaker, recordings at any depth below it: ``speaker/session/recording.wav`` as VoxCeleb has it.

The id of an utterance is its path below the root, ending included, as the trial lists of VoxCeleb write it; white space
in it becomes "_". The first folder below the speaker's, where there is one, is the session. Hidden files are passed
over, and so are files whose ending is not one of :data:`SUFFIXES`.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from curvox.corpora.checks import absolute
from curvox.corpora.corpus import Utterance
from curvox.corpora.problems import Draft
from curvox.errors import CorpusError

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma", ".amr")


def read_folders(path: Path, audio_root: Path | None) -> Draft:
    """Read a folder of speakers' folders; ``audio_root`` has no meaning here and is refused."""
    if audio_root is not None:
        raise CorpusError("a folder per speaker holds its recordings itself; leave audio_root out")
    root = absolute(path)
    draft = Draft(root, root.name)
    others: Counter[str] = Counter()
    _walk(draft, "", others)
    if not draft.rows and not draft.problems:
        found = ", ".join(f"{n} of {suffix or 'no ending'}" for suffix, n in others.most_common(5)) or "no file at all"
        draft.add(root.name, None, "", f"expected speaker/recording{{{','.join(SUFFIXES)}}}, found {found}")
    return draft


def has_recordings(folder: Path) -> bool:
    """Tell whether a recording lies somewhere below ``folder``, in a folder of its own."""
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if Path(current) != folder and any(_is_audio(name) for name in files):
            return True
    return False


def _is_audio(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _walk(draft: Draft, folder: str, others: Counter[str]) -> None:
    try:
        entries = sorted(os.scandir(draft.root / folder), key=lambda entry: entry.name)
    except OSError as error:
        draft.add(folder or draft.name, None, "path", f"cannot read the folder: {error.strerror}")
        return
    for entry in entries:
        below = f"{folder}/{entry.name}" if folder else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            draft.add(below, None, "path", "a link to a folder is not followed; put the folder itself here")
        elif entry.is_dir():
            _walk(draft, below, others)
        elif _is_audio(entry.name):
            _add(draft, below)
        else:
            others[os.path.splitext(entry.name)[1].lower()] += 1


def _add(draft: Draft, path: str) -> None:
    speaker, *between = path.split("/")[:-1] or [""]
    if not speaker:
        draft.add(path, None, "speaker", "the recording lies in no speaker's folder; move it into one")
        return
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        draft.add(ascii(path), None, "path", "the name is not UTF-8; rename it")
        return
    if any(mark in path for mark in "\t\n\r"):
        draft.add(ascii(path), None, "path", "the name holds a tab or an end of line; rename it")
        return
    utterance = Utterance(
        utterance="_".join(path.split()), path=path, speaker=speaker, session=between[0] if between else ""
    )
    draft.rows.add(utterance, path, None)
