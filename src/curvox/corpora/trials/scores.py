"""Read and write scores in the styles of trial lists, and put them in the order of a list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.corpora.problems import refuse
from curvox.corpora.trials.styles import SIDE, TRIAL_STYLES, TrialStyle, lines_of, read_columns, require_ids
from curvox.corpora.trials.trial_list import TrialList
from curvox.errors import InputError
from curvox.files import new_text

Pair = tuple[str, str]
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class ScoreList:
    """A score for each pair of ids, in the order of its file; larger means the same speaker.

    ``scores`` is float32 or float64 (trials,). ``sides`` is NIST's column of that name, where the file has it.
    """

    enrolments: tuple[str, ...]
    tests: tuple[str, ...]
    scores: np.ndarray
    sides: tuple[str, ...] | None = None
    source: str = "scores"

    def __post_init__(self) -> None:
        if self.scores.dtype not in (np.float32, np.float64) or self.scores.ndim != 1:
            raise InputError(
                f"scores must be float32 or float64 (trials,), got {self.scores.dtype} {self.scores.shape}"
            )
        lengths = {len(self.enrolments), len(self.tests), len(self.scores), len(self.sides or self.tests)}
        if len(lengths) != 1 or not self.enrolments:
            raise InputError(f"a score list needs as many enrolments as tests and scores, at least one; got {lengths}")

    def __len__(self) -> int:
        return len(self.enrolments)

    @classmethod
    def of(cls, trials: TrialList, scores: np.ndarray) -> ScoreList:
        """Return the scores (trials,) of a trial list, in its order."""
        return cls(trials.enrolments, trials.tests, np.asarray(scores), trials.columns.get(SIDE), trials.source)


def read_scores(path: str | Path, *, style: str = "kaldi") -> ScoreList:
    """Read a score file; scores are float64.

    A line of style "kaldi" or "cnceleb" is ``enrolment test score``, of "voxceleb" ``score enrolment test`` as VoxSRC
    takes it, of "nist_key" ``model segment side score``; "nist" has the header ``modelid segmentid side LLR``.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong, a score that is no finite number among them; the
            message names file and lines, and the other style where the first line plainly has one.
    """
    path = Path(path)
    layout: TrialStyle = TRIAL_STYLES.load(style)
    columns = read_columns(path, layout, "score", "score file")
    refuse(sorted(columns.problems, key=lambda p: p.line or 0), f"the score file {path}")
    scores = np.array(list(map(float, columns.cells["score"])), dtype=np.float64)
    sides = columns.cells.get(SIDE) if layout.header else None
    return ScoreList(columns.cells["enrolment"], columns.cells["test"], scores, sides, path.name)


def write_scores(scores: ScoreList, path: str | Path, *, style: str = "kaldi") -> Path:
    """Write scores with enough digits to come back bit-equal; the file appears complete or not at all.

    float32 gets 9 significant digits, which name one float32 each; float64 the fewest that name it, 17 at most.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: a score is not finite, or an id is empty, holds white space or does not fit the style.
    """
    layout: TrialStyle = TRIAL_STYLES.load(style)
    require_ids({*scores.enrolments, *scores.tests}, "a score file")
    if bad := int((~np.isfinite(scores.scores)).sum()):
        raise InputError(f"scores must be finite to be written; {bad} of {len(scores)} are not")
    digits = "{:.9g}".format if scores.scores.dtype == np.float32 else repr
    texts = [digits(score) for score in scores.scores.tolist()]
    path = Path(path)
    columns = {} if scores.sides is None else {SIDE: scores.sides}
    new_text(path, lines_of(layout, (scores.enrolments, scores.tests), "score", texts, columns))
    return path


def align(scores: ScoreList, trials: TrialList) -> np.ndarray:
    """Return the scores in the order of the trials: (trials,), of the dtype of ``scores``.

    Every trial needs one score, and every score a trial. A pair that the list repeats takes its one score each time, or
    as many equal ones as it has trials.

    Raises:
        InputError: trials without a score, pairs scored twice, scores that are not finite, or scores of no trial; each
            kind with its count and the first pairs.
    """
    same_order = scores.enrolments == trials.enrolments and scores.tests == trials.tests
    if same_order and not trials.duplicates and np.isfinite(scores.scores).all():
        return scores.scores.copy()
    scored = list(zip(scores.enrolments, scores.tests, strict=True))
    wanted = list(zip(trials.enrolments, trials.tests, strict=True))
    score_of = dict(zip(scored, scores.scores.tolist(), strict=True))
    listed = set(wanted)
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in score_of]
    extra = [pair for pair in score_of if pair not in listed]
    bad = [scored[i] for i in np.flatnonzero(~np.isfinite(scores.scores)).tolist()]
    faults = [
        _fault(missing, "pairs without a score") + _swapped(missing, score_of),
        _fault(_double(scored, wanted, scores.scores), "pairs with more than one score"),
        _fault(bad, "pairs with a score that is not finite"),
        _fault(extra, "pairs of no trial"),
    ]
    if any(faults):
        told = "; ".join(fault for fault in faults if fault)
        raise InputError(
            f"the scores {scores.source} ({len(scores)}) do not fit the trials {trials.source} ({len(trials)}): {told}"
        )
    return np.array([score_of[pair] for pair in wanted], dtype=scores.scores.dtype)


def _double(scored: list[Pair], wanted: list[Pair], scores: np.ndarray) -> list[Pair]:
    """Return pairs scored more than once, unless the list repeats the trial as often and the scores are equal."""
    if len(set(scored)) == len(scored):
        return []
    given: dict[Pair, list[float]] = {}
    for pair, score in zip(scored, scores.tolist(), strict=True):
        given.setdefault(pair, []).append(score)
    doubled = {pair: values for pair, values in given.items() if len(values) > 1}
    times = Counter(pair for pair in wanted if pair in doubled)
    return [pair for pair, values in doubled.items() if len(set(values)) > 1 or len(values) != times[pair]]


def _swapped(missing: list[Pair], score_of: dict[Pair, float]) -> str:
    turned = sum((test, enrolment) in score_of for enrolment, test in missing)
    return f", of which {turned} with the sides swapped are there" if turned else ""


def _fault(pairs: list[Pair], what: str) -> str:
    shown = ", ".join(f'"{enrolment} {test}"' for enrolment, test in pairs[:_SHOWN])
    more = ", …" if len(pairs) > _SHOWN else ""
    return f"{what}: {len(pairs)} ({shown}{more})" if pairs else ""
