"""What a preparation is: the layout it expects, and what it fills while it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from curvox.corpora.corpus import Utterance
from curvox.corpora.problems import Draft, Row, refuse
from curvox.corpora.trials import EnrolmentMap, TrialList


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
        self.draft.rows.append(Row(utterance, utterance.path, None))

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
