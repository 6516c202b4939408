"""Say what a prepared corpus must hold and what was found in it, and read what several corpora share."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curvox.corpora.checks import absolute
from curvox.corpora.corpus import HINTS, NameIndex, Utterance
from curvox.corpora.problems import Draft, read_lines, refuse
from curvox.corpora.trials.list_files import read_trials
from curvox.corpora.trials.trial_list import EnrolmentMap, TrialList
from curvox.errors import CorpusError

GENDERS = {"f": "f", "female": "f", "m": "m", "male": "m"}
Names = Mapping[str, str]
# Folders looked into for the one that was meant.
_LOOKED_INTO = 200


@dataclass(frozen=True)
class Need:
    """Something the folder of a corpus must hold: one of ``paths``, relative to it, and where that comes from."""

    paths: tuple[str, ...]
    origin: str

    def found(self, folder: Path) -> bool:
        """Tell whether one of the paths is there."""
        return any((folder / path).exists() for path in self.paths)


@dataclass(frozen=True)
class OfficialTrials:
    """A trial list to be written as ``trials/NAME.txt``, and the enrolment map of its models where it has any."""

    name: str
    trials: TrialList
    enrolments: EnrolmentMap | None = None


@dataclass
class Work:
    """Findings in one folder so far. ``notes`` say what was left out, and why."""

    title: str
    draft: Draft
    trials: list[OfficialTrials] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The folder of the corpus, absolute."""
        return self.draft.root

    def add(self, utterance: Utterance) -> None:
        """Take an utterance under the name of its corpus, without the further columns that are empty for it."""
        extra = {name: text for name, text in utterance.extra.items() if text}
        utterance = replace(utterance, corpus=utterance.corpus or self.draft.name, extra=extra)
        self.draft.rows.add(utterance, utterance.path, None)

    def problem(self, file: str, line: int | None, message: str) -> None:
        """Note a fault; reading goes on, and all of them are told together."""
        self.draft.add(file, line, "", message)

    def refuse_problems(self) -> None:
        """Stop here if anything is wrong so far, as what follows would only repeat it."""
        refuse(self.draft.problems, f"{self.title} at {self.folder}")


@dataclass(frozen=True)
class Preparation:
    """A published corpus: its name for people, its layout in a line, what must be there, the reader."""

    title: str
    layout: str
    needs: tuple[Need, ...]
    read: Callable[[Work], None]


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
    below = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for meant in (root.parent, root.parent.parent, *below[:_LOOKED_INTO]):
        if all(need.found(meant) for need in preparation.needs):
            raise CorpusError(f"{folder} is not the folder of {preparation.title}, but {meant} is: name that one")
    lines = [f"{folder} is not the folder of {preparation.title}: expected {preparation.layout}; missing:"]
    lines += [f"  {' or '.join(need.paths)} ({need.origin})" for need in missing]
    raise CorpusError("\n".join(lines))


def recordings(work: Work, start: str, *, depth: int, suffixes: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path below ``start`` of every recording there, in parts and sorted.

    A recording is a file with one of ``suffixes``, in lower case. One that lies not ``depth`` parts deep is a problem,
    and so is a folder that holds none. Hidden files are passed over; other files are counted in a note.
    """
    others: Counter[str] = Counter()
    count = 0
    for parts in _files(work, start, ()):
        suffix = os.path.splitext(parts[-1])[1].lower()
        message = ""
        if suffix not in suffixes:
            others[suffix or "no ending"] += 1
        elif len(parts) != depth:
            message = f"expected {depth} levels below {start}, found {len(parts)}; move the recording to its place"
        elif not all(part.isascii() and part.isprintable() and " " not in part for part in parts):
            message = "expected names of printable ASCII without white space; rename the recording"
        else:
            count += 1
            yield parts
        if message:
            work.problem(ascii("/".join((start, *parts))), None, message)
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
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            message = "a link to a folder is not followed; put the folder itself here"
            work.problem(f"{below}/{entry.name}", None, message)
        elif entry.is_dir():
            yield from _files(work, start, (*parts, entry.name))
        else:
            yield *parts, entry.name


def match_name(work: Work, path: str, pattern: str, example: str, *, name: str = "") -> re.Match[str] | None:
    """Match the name of the file at ``path``, or ``name``; one of another form is a problem, and None."""
    name = name or path.rpartition("/")[2]
    found = re.fullmatch(pattern, name)
    if found is None:
        work.problem(path, None, f'expected a name as "{example}", got "{name}"; restore it')
    return found


@dataclass
class Roster:
    """The speakers that ``file`` knows, with their labels. Those it does not know are gathered, not let through."""

    file: str
    speakers: Mapping[str, Mapping[str, str]]
    recordings: Counter[str] = field(default_factory=Counter)

    def labels(self, speaker: str) -> Mapping[str, str] | None:
        """Return the labels of the speaker of a recording, or None, which :meth:`close` makes a problem."""
        self.recordings[speaker] += 1
        return self.speakers.get(speaker)

    def close(self, work: Work) -> None:
        """Note a problem for each unknown speaker, and how many of those known have no recording."""
        near = NameIndex(self.speakers)
        for number, speaker in enumerate(sorted(self.recordings.keys() - self.speakers.keys())):
            hint = f": {near.hint(speaker)}" if number < HINTS else ""
            message = f'the speaker "{speaker}" of {self.recordings[speaker]} recordings is not listed here{hint}'
            work.problem(self.file, None, message)
        if absent := len(self.speakers.keys() - self.recordings.keys()):
            work.notes.append(f"{self.file}: {absent} of its {len(self.speakers)} speakers have no recording here")


def numbered_lines(work: Work, file: str) -> list[tuple[int, str]]:
    """Return the numbered lines of a text file that are not empty; lines that are not UTF-8 are problems."""
    lines, problems = read_lines(work.folder / file)
    work.draft.problems += problems
    return [(number, line) for number, line in lines if line.strip()]


def gender_of(work: Work, file: str, line: int | None, text: str) -> str:
    """Return "f" or "m"; anything but f, m, female and male, in any case, is a problem, and ''."""
    gender = GENDERS.get(text.strip().lower(), "")
    if not gender:
        work.problem(file, line, f'expected a gender (f, m, female or male), got "{text}"; correct the line')
    return gender


def names_of(work: Work) -> Names:
    """Return the id of each utterance by the same without its ending: lists say .wav where the files may be .flac.

    Two recordings that differ in their ending alone are a problem.
    """
    names: dict[str, str] = {}
    for row in work.draft.rows:
        name = row.utterance.utterance
        other = names.setdefault(_stem(name), name)
        if other != name:
            work.problem(row.file, None, f'the same recording as "{other}" with another ending; keep one of them')
    return names


def renamed(name: str, names: Names) -> str:
    """Return the id of the utterance that a list calls ``name``; one that is not there stays as it is."""
    return names.get(_stem(name), name)


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.rpartition('.')[0] or last}"


def add_trials(
    work: Work, file: str, name: str, names: Names, *, style: str, models: EnrolmentMap | None = None
) -> None:
    """Take the trial list ``file`` under ``name``, with the ids of the manifest for the names that the list uses.

    With ``models`` the enrolments are models of that map.
    """
    read = read_trials(work.folder / file, style=style)
    enrolments = read.enrolments if models is not None else tuple(renamed(e, names) for e in read.enrolments)
    tests = tuple(renamed(test, names) for test in read.tests)
    trials = replace(read, enrolments=enrolments, tests=tests, source=file)
    work.trials.append(OfficialTrials(name, trials, models))
