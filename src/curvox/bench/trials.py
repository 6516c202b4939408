"""The trial lists of a bench: what the statistics need of each trial beside its score."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Corpus, TrialList, read_trials, speakers_of, trial_columns
from curvox.errors import InputError

TEST = "test"
"""The trial list that settings are ranked on; what is chosen is chosen on others."""


@dataclass(frozen=True, eq=False)
class Trials:
    """T labelled trials, in the order of their list.

    Attributes:
        labels: (T,) bool, True for the same speaker.
        enrolment_speakers: (T,) names of the speakers of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        corpora: (T,) the corpus that both sides come from, "a + b" where they come from two, "unnamed" where the
            manifest names none.
    """

    labels: NDArray[np.bool_]
    enrolment_speakers: NDArray[np.str_]
    test_speakers: NDArray[np.str_]
    corpora: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)


def read_trial_lists(lists: Mapping[str, str], corpus: Corpus) -> dict[str, TrialList]:
    """Read every trial list of a bench, and refuse all that cannot be evaluated.

    Args:
        lists: path of each list below the folder of the corpus, by its name in the bench.
        corpus: where the utterances of the trials stand.

    Raises:
        InputError: a list is missing (the nearest files are named), or holds trials of one class only.
        CorpusError: lines are wrong, or do not fit the corpus.
    """
    found: dict[str, TrialList] = {}
    for name, relative in lists.items():
        path = corpus.root / relative
        if not path.is_file():
            raise InputError(
                f'the trial list "{name}" of the bench should be {path}, and is not there; {_files_near(path)}'
            )
        trials = read_trials(path)
        trials.check_against(corpus)
        if trials.targets in (0, len(trials)):
            raise InputError(
                f'the trial list "{name}" of the bench, {path}, holds {trials.targets} targets in {len(trials)} '
                "trials: an error rate needs trials of both classes"
            )
        found[name] = trials
    return found


def trials_of(trials: TrialList, corpus: Corpus) -> Trials:
    """Return labels, speakers and corpora of labelled trials.

    Raises:
        InputError: the trials have no labels.
    """
    if trials.labels is None:
        raise InputError(f"the trials of {trials.source} have no labels, so they cannot be evaluated")
    enrolments, tests = speakers_of(trials, corpus)
    left, right = (np.array(side, dtype=np.str_) for side in trial_columns(corpus, trials, ["corpus"])["corpus"])
    both = [a if a == b else f"{a} + {b}" for a, b in zip(_named(left), _named(right), strict=True)]
    return Trials(trials.labels, enrolments, tests, np.array(both, dtype=np.str_))


def _named(values: NDArray[np.str_]) -> list[str]:
    return [value or "unnamed" for value in values.tolist()]


def _files_near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    files = sorted(file.name for file in path.parent.iterdir() if file.is_file())
    near = difflib.get_close_matches(path.name, files, n=3, cutoff=0.3) or files[:5]
    return f"{path.parent} holds {', '.join(near) or 'no file'}; name one of its lists under trials"
