"""What a trained and evaluated run left: one record for the statistics, and its two files in the run folder."""

from __future__ import annotations

import difflib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curvox import records
from curvox.corpora import Corpus, TrialList, read_trials, speakers_of, trial_columns
from curvox.errors import InputError
from curvox.files import read_bytes, replace_bytes
from curvox.hierarchy import TreeMeasures
from curvox.training import EpochRecord

RECORD, SCORES = "bench.json", "bench_scores.npz"
FORMAT = 2
"""Raised when keys change, or the meaning of a measure: runs of an earlier format are evaluated again, not trained."""
COSINE, DISTANCE = "cosine", "distance"
SCORERS = (COSINE, DISTANCE)
"""How trials are scored: by the cosine, and by the distance that belongs to the space of the model."""


@dataclass(frozen=True, eq=False)
class ScoredList:
    """A trial list scored in one way.

    Attributes:
        list: name of the trial list in the bench, such as "dev" or "test".
        scorer: "cosine", or "distance" for minus the distance of the model's own space; on the sphere, where the two
            order all trials alike, both are the cosine.
        scores: (T,) in the order of the list, larger for the same speaker.
    """

    list: str
    scorer: str
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Run:
    """What a record holds in memory and in its file alike."""

    setting: str
    seed: int
    recipe_digest: str
    seconds: float
    steps: int
    parameters: int
    best_epoch: int
    vitals: Mapping[str, float]
    findings: tuple[str, ...]
    learnt: Mapping[str, float]
    machine: str
    evaluated: str
    history: tuple[EpochRecord, ...]
    tree: TreeMeasures | None


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord(_Run):
    """One setting trained from one seed, and evaluated.

    Attributes:
        setting: name of the setting in the bench.
        seed: of the training.
        recipe_digest: of what was trained, see `curvox.bench.cells.recipe_digest`.
        seconds: of the training, all its calls together.
        steps: of the optimiser.
        parameters: of the embedder.
        best_epoch: after which the evaluated model was kept, from 1; 0 for a mean of epochs.
        vitals: the last value of each vital sign, by its name in `curvox.diagnosis.VITALS`.
        findings: failures and warnings of the doctor beside the training, by their names in `curvox.diagnosis.CAUSES`.
        learnt: scalars that were learnt beside the encoder: ``c``, ``gain``, ``scale``, ...
        machine: what it was evaluated on.
        evaluated: digest of what the evaluation saw, see `curvox.bench.cells.evaluation_digest`.
        history: loss and dev EER of each epoch.
        tree: what the embeddings of the test utterances show of the label tree; None if the bench has no levels.
        lists: every trial list by every scorer.
    """

    lists: tuple[ScoredList, ...]
    evaluated: str = ""

    def scores(self, list: str, scorer: str) -> NDArray[np.float64]:
        """Return the scores (T,) of a trial list by a scorer.

        Raises:
            InputError: the run was not scored so.
        """
        for scored in self.lists:
            if (scored.list, scored.scorer) == (list, scorer):
                return scored.scores
        known = ", ".join(f"{scored.list} by {scored.scorer}" for scored in self.lists)
        raise InputError(f"{self.setting}, seed {self.seed}, has no scores of {list} by {scorer}; it has {known}")


@dataclass(frozen=True, eq=False, kw_only=True)
class _RecordFile(_Run):
    """A record as ``bench.json`` has it: of the lists their names and scorers."""

    format: Literal[2]
    lists: tuple[tuple[str, str], ...]


_AGAIN = "evaluate the run again"
# What numpy and zipfile raise on a file with wrong bytes in it; RuntimeError of an archive that says it is encrypted,
# or packed in some other way.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)


def write_record(record: RunRecord, run: Path) -> None:
    """Write ``bench_scores.npz`` and then ``bench.json`` into the folder of a run, each whole or not at all.

    Raises:
        CheckpointError: the disk is full or cannot be written.
    """
    (run / RECORD).unlink(missing_ok=True)  # so that an old one never stands beside new scores
    content = io.BytesIO()
    lists = [(scored.list, scored.scorer) for scored in record.lists]
    scores: dict[str, Any] = {f"{s.list}/{s.scorer}": s.scores.astype(np.float64) for s in record.lists}
    np.savez_compressed(content, **scores)
    replace_bytes(run / SCORES, content.getvalue())
    records.write_record(run / RECORD, {"format": FORMAT, **vars(record), "lists": lists})


def read_record(run: Path) -> RunRecord:
    """Read what `write_record` left in the folder of a run; nothing is unpickled.

    Raises:
        InputError: a file is missing, damaged, or of another version.
    """
    file = records.read_record(
        run / RECORD, _RecordFile, what="a record of this version", again=_AGAIN, error=InputError
    )
    scores = _read_scores(run / SCORES)
    if missing := [f"{name}/{scorer}" for name, scorer in file.lists if f"{name}/{scorer}" not in scores]:
        raise InputError(f"{run / SCORES} has no scores of {missing[0]}, which {RECORD} names; {_AGAIN}")
    values = {name: value for name, value in vars(file).items() if name not in ("format", "lists")}
    return RunRecord(**values, lists=tuple(ScoredList(*names, scores["/".join(names)]) for names in file.lists))


def _read_scores(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        # Through memory: numpy leaves a file open whose head it cannot read.
        with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as stored:
            scores = {name: stored[name] for name in stored.files}
    except _DAMAGE as error:
        raise InputError(f"{path} cannot be read as scores of a run ({error!r}); {_AGAIN}") from error
    wrong = [name for name, values in scores.items() if values.dtype != np.float64 or values.ndim != 1]
    if wrong:
        raise InputError(f"{path} must hold rows of float64, {wrong[0]} is something else; {_AGAIN}")
    return scores


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
    left, right = ([name or "unnamed" for name in side] for side in trial_columns(corpus, trials, ["corpus"])["corpus"])
    both = [a if a == b else f"{a} + {b}" for a, b in zip(left, right, strict=True)]
    return Trials(trials.labels, enrolments, tests, np.array(both, dtype=np.str_))


def _files_near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    files = sorted(file.name for file in path.parent.iterdir() if file.is_file())
    near = difflib.get_close_matches(path.name, files, n=3, cutoff=0.3) or files[:5]
    return f"{path.parent} holds {', '.join(near) or 'no file'}; name one of its lists under trials"
