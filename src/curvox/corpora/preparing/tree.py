"""The folder of a corpus: whether it is the right one, and the recordings in it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curvox.corpora.places import absolute
from curvox.corpora.preparing.preparation import Preparation, Work
from curvox.errors import CorpusError

# Folders looked into for the one that was meant.
_LOOKED_INTO = 200


def open_folder(preparation: Preparation, folder: Path) -> Path:
    """Return the folder of a corpus as an absolute path, if it holds all that the corpus must have.

    Raises:
        CorpusError: it does not; the message lists everything missing and where it comes from, and names the folder
            one level up or down that does hold it.
    """
    if not folder.is_dir():
        raise CorpusError(f"expected the folder of {preparation.title}, got {folder}, which is no folder")
    root = absolute(folder)
    missing = [need for need in preparation.needs if not need.found(root)]
    if not missing:
        return root
    if meant := _meant(preparation, root):
        raise CorpusError(f"{folder} is not the folder of {preparation.title}, but {meant} is: name that one")
    lines = [f"{folder} is not the folder of {preparation.title}: expected {preparation.layout}; missing:"]
    lines += [f"  {' or '.join(need.paths)} ({need.origin})" for need in missing]
    raise CorpusError("\n".join(lines))


def _meant(preparation: Preparation, root: Path) -> Path | None:
    below = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for candidate in (root.parent, root.parent.parent, *below[:_LOOKED_INTO]):
        if all(need.found(candidate) for need in preparation.needs):
            return candidate
    return None


def recordings(work: Work, start: str, *, depth: int, suffixes: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path below ``start`` of every recording there, in parts and sorted.

    A recording is a file with one of ``suffixes``, in lower case. One that lies not ``depth`` parts deep is a problem,
    and so is a folder that holds none. Hidden files are passed over; other files are counted in a note.
    """
    others: Counter[str] = Counter()
    count = 0
    for parts in _files(work, start, ()):
        suffix = os.path.splitext(parts[-1])[1].lower()
        if suffix not in suffixes:
            others[suffix or "no ending"] += 1
        elif len(parts) != depth:
            message = f"expected {depth} levels below {start}, found {len(parts)}; move the recording to its place"
            work.problem(ascii("/".join((start, *parts))), None, message)
        elif not all(part.isascii() and part.isprintable() and " " not in part for part in parts):
            message = "expected names of printable ASCII without white space; rename the recording"
            work.problem(ascii("/".join((start, *parts))), None, message)
        else:
            count += 1
            yield parts
    found = ", ".join(f"{n} of {suffix}" for suffix, n in others.most_common(5))
    if not count and not work.draft.problems:
        work.problem(start, None, f"expected recordings ({', '.join(suffixes)}), found {found or 'none'}; unpack them")
    elif others:
        work.notes.append(f"{start}: {others.total()} files that are no recordings were passed over ({found})")


def _files(work: Work, start: str, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    below = "/".join((start, *parts))
    try:
        entries = sorted(os.scandir(work.folder / below), key=lambda entry: entry.name)
    except OSError as error:
        work.problem(below, None, f"cannot read the folder: {error.strerror}; check its permissions")
        return
    for entry in entries:
        here = (*parts, entry.name)
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            work.problem(
                "/".join((start, *here)), None, "a link to a folder is not followed; put the folder itself here"
            )
        elif entry.is_dir():
            yield from _files(work, start, here)
        else:
            yield here
