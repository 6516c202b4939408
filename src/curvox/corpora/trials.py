"""Trial lists: ``label enrolment test``, one trial a line, as VoxCeleb writes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from curvox.corpora.corpus import Corpus
from curvox.corpora.problems import Problem, refuse
from curvox.corpora.text_files import read_lines, write_text
from curvox.errors import CorpusError, InputError

LABELS = {"1": True, "0": False, "target": True, "nontarget": False}


@dataclass(frozen=True, eq=False)
class TrialList:
    """Pairs of utterance ids, in the order of their file.

    ``labels`` is a bool array (trials,), True for the same speaker, or None where unknown. ``source`` names the file
    for messages; trial ``i`` stands in its line ``i + 1``. A pair may come twice: a repeated trial counts twice in
    every error rate, as in the published figures of lists that repeat some; see :attr:`duplicates`.

    Raises:
        InputError: lengths differ, or there is no trial.
    """

    enrolments: tuple[str, ...]
    tests: tuple[str, ...]
    labels: np.ndarray | None
    source: str = "trials"

    def __post_init__(self) -> None:
        lengths = {len(self.enrolments), len(self.tests), len(self.enrolments if self.labels is None else self.labels)}
        if len(lengths) != 1 or not self.enrolments:
            raise InputError(f"a trial list needs as many enrolments as tests and labels, at least one; got {lengths}")
        if self.labels is not None and (self.labels.dtype != bool or self.labels.ndim != 1):
            raise InputError(f"labels must be bool (trials,), got {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.enrolments)

    @property
    def targets(self) -> int:
        """How many trials are of the same speaker.

        Raises:
            InputError: the trials have no labels.
        """
        if self.labels is None:
            raise InputError(f"the trials of {self.source} have no labels, so no targets can be counted")
        return int(self.labels.sum())

    @cached_property
    def utterances(self) -> tuple[str, ...]:
        """The utterances named by any trial, sorted."""
        return tuple(sorted({*self.enrolments, *self.tests}))

    @cached_property
    def duplicates(self) -> int:
        """How many trials repeat an earlier one (the same enrolment and the same test)."""
        return len(self) - len(set(zip(self.enrolments, self.tests, strict=True)))

    def indices(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places in :attr:`utterances` of the enrolments and of the tests: two int64 arrays (trials,)."""
        place = {utterance: i for i, utterance in enumerate(self.utterances)}
        enrolments = np.array([place[name] for name in self.enrolments], dtype=np.int64)
        return enrolments, np.array([place[name] for name in self.tests], dtype=np.int64)

    def check_against(self, corpus: Corpus) -> None:
        """Refuse trials that do not fit a corpus.

        Raises:
            CorpusError: a trial names an unknown utterance (with the nearest ids), compares an utterance with itself,
            or
                has a label that contradicts the speakers of the corpus.
        """
        problems = [*self._unknown(corpus), *self._with_itself()]
        problems = problems or self._contradictions(corpus)
        what = f"the trial list {self.source} for the corpus {corpus.name}"
        refuse(sorted(problems, key=lambda p: p.line or 0), what)

    def _unknown(self, corpus: Corpus) -> list[Problem]:
        first: dict[str, tuple[int, str]] = {}
        times: Counter[str] = Counter()
        for line, pair in enumerate(zip(self.enrolments, self.tests, strict=True), start=1):
            for column, name in zip(("enrolment", "test"), pair, strict=True):
                if name not in corpus:
                    first.setdefault(name, (line, column))
                    times[name] += 1
        problems: list[Problem] = []
        for name, (line, column) in first.items():
            # Looking for near ids takes time, and only the first problems are shown.
            hint = corpus.nearest_utterances(name) if len(problems) < 25 else ""
            often = f" ({times[name]} times in the list)" if times[name] > 1 else ""
            problems.append(Problem(self.source, line, column, f'unknown utterance "{name}"{often}: {hint}'))
        return problems

    def _with_itself(self) -> list[Problem]:
        pairs = enumerate(zip(self.enrolments, self.tests, strict=True), start=1)
        message = 'the utterance "{}" is compared with itself; a trial needs two'
        return [Problem(self.source, line, "", message.format(a)) for line, (a, b) in pairs if a == b]

    def _contradictions(self, corpus: Corpus) -> list[Problem]:
        if self.labels is None:
            return []
        problems: list[Problem] = []
        rows = zip(self.enrolments, self.tests, self.labels.tolist(), strict=True)
        for line, (enrolment, test, same) in enumerate(rows, start=1):
            speakers = corpus[enrolment].speaker, corpus[test].speaker
            if (speakers[0] == speakers[1]) != same:
                message = f'label {int(same)}, but the corpus has the speakers "{speakers[0]}" and "{speakers[1]}"'
                problems.append(Problem(self.source, line, "label", message))
        return problems


def read_trials(path: str | Path, *, labelled: bool = True) -> TrialList:
    """Read a trial list.

    Each line is ``label enrolment test``, or ``enrolment test`` with ``labelled=False``, separated by white space.
    Labels are 1 or target for the same speaker, 0 or nontarget for different ones. Repeated trials are kept, and
    counted by ``duplicates``; a pair that comes with both labels is refused.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong; the message names file and lines.
    """
    path = Path(path)
    lines, problems = read_lines(path)
    fields = ["label", "enrolment", "test"] if labelled else ["enrolment", "test"]
    pairs: list[tuple[str, str]] = []
    labels: list[bool] = []
    seen: dict[tuple[str, str], tuple[int, bool]] = {}
    for number, line in lines:
        cells = line.split()
        if message := _wrong(cells, fields):
            problems.append(Problem(path.name, number, "", message))
            continue
        pair = cells[-2], cells[-1]
        label = LABELS[cells[0]] if labelled else False
        other, before = seen.setdefault(pair, (number, label))
        if before != label:
            message = f'"{pair[0]}" and "{pair[1]}" have another label in line {other}; a pair has one label'
            problems.append(Problem(path.name, number, "label", message))
        pairs.append(pair)
        labels.append(label)
    if not lines and not problems:
        raise CorpusError(f'{path} is empty; expected lines of "{" ".join(fields)}"')
    refuse(problems, f"the trial list {path}")
    enrolments, tests = zip(*pairs, strict=True)
    return TrialList(enrolments, tests, np.array(labels, dtype=bool) if labelled else None, path.name)


def _wrong(cells: list[str], fields: list[str]) -> str:
    expected = f'expected "{" ".join(fields)}"'
    if len(cells) == 2 and len(fields) == 3:
        return f"{expected}, got 2 fields: the trial has no label; add it, or read the list with labelled=False"
    if len(cells) == 3 and len(fields) == 2:
        return f"{expected}, got 3 fields: the trial has a label; read the list with labelled=True"
    if len(cells) != len(fields):
        return f"{expected}, got {len(cells)} fields"
    if len(fields) == 3 and cells[0] not in LABELS:
        return f'the label must be 1 or 0 (or target, nontarget), got "{cells[0]}"'
    return ""


def write_trials(trials: TrialList, path: str | Path) -> Path:
    """Write a trial list, with 1 and 0 where it has labels; it appears complete or not at all.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: an utterance id is empty or holds white space.
    """
    for name in trials.utterances:
        if len(name.split()) != 1 or name != name.strip():
            raise InputError(f'an id in a trial list is not empty and holds no white space, got "{name}"')
    pairs = [f"{a} {b}" for a, b in zip(trials.enrolments, trials.tests, strict=True)]
    if trials.labels is not None:
        pairs = [f"{int(label)} {pair}" for label, pair in zip(trials.labels, pairs, strict=True)]
    path = Path(path)
    write_text(path, "\n".join(pairs) + "\n")
    return path
