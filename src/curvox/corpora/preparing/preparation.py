"""What a preparation is: the layout it expects, and what it fills while it reads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curvox.corpora.checks import absolute
from curvox.corpora.corpus import NameIndex, Utterance
from curvox.corpora.problems import Draft, refuse
from curvox.corpora.text_files import read_lines
from curvox.corpora.trials.list_files import read_enrolments, read_trials
from curvox.corpora.trials.trial_list import EnrolmentMap, TrialList
from curvox.errors import CorpusError


@dataclass(frozen=True)
class Need:
    """Something the folder of a corpus must hold: one of ``paths``, relative to it, and where that comes from."""

    paths: tuple[str, ...]
    origin: str

    def found(self, folder: Path) -> bool:
        """Whether one of the paths is there."""
        return any((folder / path).exists() for path in self.paths)


@dataclass(frozen=True)
class OfficialTrials:
    """A trial list to be written as ``trials/NAME.txt``, and the enrolment map of its models where it has any."""

    name: str
    trials: TrialList
    enrolments: EnrolmentMap | None = None


@dataclass
class Work:
    """What the reading of one folder has found so far. ``notes`` say what was left out, and why."""

    title: str
    draft: Draft
    trials: list[OfficialTrials] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The folder of the corpus, absolute."""
        return self.draft.root

    def add(self, utterance: Utterance) -> None:
        """Take an utterance, without the further columns that are empty for it."""
        if not all(utterance.extra.values()):
            utterance = replace(utterance, extra={name: text for name, text in utterance.extra.items() if text})
        self.draft.rows.add(utterance, utterance.path, None)

    def problem(self, file: str, line: int | None, message: str) -> None:
        """Note a fault; reading goes on, and all of them are told together."""
        self.draft.add(file, line, "", message)

    def refuse_problems(self) -> None:
        """Stop here if anything is wrong so far: what follows would only repeat it.

        Raises:
            CorpusError: with the first 20 problems, and how many more there are.
        """
        refuse(self.draft.problems, f"{self.title} at {self.folder}")


@dataclass(frozen=True)
class Preparation:
    """How one published corpus is read: its name for people, its layout in a line, what must be there, the reader."""

    title: str
    layout: str
    needs: tuple[Need, ...]
    read: Callable[[Work], None]


# The folder of a corpus: whether it is the right one, and the recordings in it.

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


# Who the speakers are, as the metadata of a corpus says.

GENDERS = {"f": "f", "female": "f", "m": "m", "male": "m"}
# Looking for near names takes time, and only the first problems are shown.
_HINTS = 25


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
            hint = f": {near.hint(speaker)}" if number < _HINTS else ""
            message = f'the speaker "{speaker}" of {self.recordings[speaker]} recordings is not listed here{hint}'
            work.problem(self.file, None, message)
        if absent := len(self.speakers.keys() - self.recordings.keys()):
            work.notes.append(f"{self.file}: {absent} of its {len(self.speakers)} speakers have no recording here")


def numbered_lines(work: Work, file: str) -> list[tuple[int, str]]:
    """Return the numbered lines of a text file of the corpus that are not empty; lines that are not UTF-8 are problems.

    Raises:
        CorpusError: the file cannot be read.
    """
    lines, problems = read_lines(work.folder / file)
    work.draft.problems += problems
    return [(number, line) for number, line in lines if line.strip()]


def gender_of(work: Work, file: str, line: int | None, text: str) -> str:
    """Return "f" or "m"; anything but f, m, female and male, in any case, is a problem."""
    if text.strip().lower() not in GENDERS:
        work.problem(file, line, f'expected a gender (f, m, female or male), got "{text}"; correct the line')
    return GENDERS.get(text.strip().lower(), "")


def speaker_table(work: Work, file: str, columns: Mapping[str, str]) -> Roster:
    """Read a table of speakers with a header, separated by tabs, or by commas where the header has no tab.

    Fields and names of columns are stripped of spaces. ``columns`` maps labels to names of columns; the label
    "speaker" is the key.
    """
    lines = numbered_lines(work, file)
    first = lines[0][1] if lines else ""
    mark = "\t" if "\t" in first else ","
    header = [name.strip() for name in first.split(mark)]
    if missing := [name for name in columns.values() if name not in header]:
        work.problem(file, 1, f'expected a header with {", ".join(columns.values())}; got "{first}", no {missing[0]}')
        return Roster(file, {})
    speakers: dict[str, Mapping[str, str]] = {}
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split(mark)]
        if len(cells) != len(header):
            work.problem(file, number, f'expected {len(header)} fields as in the header, got {len(cells)}: "{line}"')
            continue
        row = dict(zip(header, cells, strict=True))
        labels = {label: row[name] for label, name in columns.items()}
        labels["gender"] = gender_of(work, file, number, labels["gender"])
        if labels["speaker"] in speakers:
            work.problem(file, number, f'the speaker "{labels["speaker"]}" has a line already; keep one of them')
        speakers[labels["speaker"]] = labels
    return Roster(file, speakers)


def speaker_list(work: Work, file: str) -> Roster:
    """Read a list of speakers, one a line."""
    return Roster(file, {line.strip(): {} for _, line in numbered_lines(work, file)})


# The official trials of a corpus, with the ids of the manifest in the place of the names that the list uses.

Names = Mapping[str, str]


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


def add_trials(
    work: Work, file: str, name: str, names: Names, *, style: str, models: EnrolmentMap | None = None
) -> None:
    """Read the list ``file`` and take it under ``name``; with ``models`` the enrolments are models of that map.

    Raises:
        CorpusError: lines are not of ``style``.
    """
    read = read_trials(work.folder / file, style=style)
    enrolments = read.enrolments if models is not None else tuple(renamed(e, names) for e in read.enrolments)
    tests = tuple(renamed(test, names) for test in read.tests)
    trials = replace(read, enrolments=enrolments, tests=tests, source=file)
    work.trials.append(OfficialTrials(name, trials, models))


def read_models(work: Work, file: str, names: Names) -> EnrolmentMap:
    """Read an enrolment map of CN-Celeb.

    Raises:
        CorpusError: lines are wrong.
    """
    read = read_enrolments(work.folder / file, style="cnceleb")
    models = {model: tuple(renamed(u, names) for u in utterances) for model, utterances in read.models.items()}
    return EnrolmentMap(models, file)


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.rpartition('.')[0] or last}"
