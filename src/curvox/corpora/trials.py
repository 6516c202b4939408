"""Trials: pairs of ids and whether they are of the same speaker, checked against a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from curvox.corpora.corpus import Corpus
from curvox.corpora.problems import refuse
from curvox.corpora.trial_checks import check_trials
from curvox.errors import InputError

if TYPE_CHECKING:
    from curvox.corpora.enrolments import EnrolmentMap


@dataclass(frozen=True, eq=False)
class TrialList:
    """Pairs of ids, in the order of their file: an enrolment (an utterance, or a model of an enrolment map) and a test.

    ``labels`` is a bool array (trials,), True for the same speaker, or None where unknown. ``source`` names the file
    for messages; trial ``i`` stands in its line ``first_line + i``. ``columns`` holds further columns of the list, by
    their names, a text for each trial. A pair may come twice: a repeated trial counts twice in every error rate, as in
    the published figures of lists that repeat some; see :attr:`duplicates`.

    Raises:
        InputError: lengths differ, or there is no trial.
    """

    enrolments: tuple[str, ...]
    tests: tuple[str, ...]
    labels: np.ndarray | None
    source: str = "trials"
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_line: int = 1

    def __post_init__(self) -> None:
        lengths = {len(self.enrolments), len(self.tests), len(self.enrolments if self.labels is None else self.labels)}
        if len(lengths) != 1 or not self.enrolments:
            raise InputError(f"a trial list needs as many enrolments as tests and labels, at least one; got {lengths}")
        if self.labels is not None and (self.labels.dtype != bool or self.labels.ndim != 1):
            raise InputError(f"labels must be bool (trials,), got {self.labels.dtype} {self.labels.shape}")
        for name, texts in self.columns.items():
            if len(texts) != len(self):
                raise InputError(f'the column "{name}" needs {len(self)} texts, one for each trial, got {len(texts)}')

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
        """The ids named by any trial, sorted; with an enrolment map, models among them."""
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

    def check_against(self, corpus: Corpus, enrolments: EnrolmentMap | None = None) -> None:
        """Refuse trials that do not fit a corpus.

        With ``enrolments`` the first id of a trial is a model of that map, otherwise an utterance.

        Raises:
            CorpusError: a trial names an unknown utterance or model (with the nearest ids), or a model that holds an
                unknown utterance or utterances of two speakers; a trial compares an utterance with itself or with a
                model that holds it; or a label contradicts the speakers of the corpus.
        """
        problems = check_trials(self, corpus, enrolments)
        refuse(problems, f"the trial list {self.source} for the corpus {corpus.name}")
