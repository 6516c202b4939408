"""Who the speakers are, as the metadata of a corpus says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from curvox.corpora.nearness import NameIndex
from curvox.corpora.preparing.preparation import Work
from curvox.corpora.text_files import read_lines

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
