"""Trial lists of several styles, read and written: VoxCeleb, Kaldi, CN-Celeb, NIST's tables and its older keys.

The style is named, never guessed. Each is a line of :data:`TRIAL_STYLES`. Score files have the same styles, with the
score in the place of the label: :mod:`curvox.corpora.score_files`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curvox.corpora.problems import Problem, refuse
from curvox.corpora.trial_lines import (
    HEADER_VALUES,
    MODEL,
    ONLY_SIDE,
    SEGMENTS,
    SIDE,
    Columns,
    TrialStyle,
    check_values,
    joined,
    read_columns,
    require_ids,
    tabbed,
    tests_of,
)
from curvox.corpora.trials import TrialList
from curvox.errors import InputError
from curvox.files import new_text
from curvox.tables import Entry, Table

_NUMBERS = {"1": True, "0": False}
_WORDS = {"target": True, "nontarget": False}

VOXCELEB = TrialStyle("voxceleb", ("value", "enrolment", "test"), {**_NUMBERS, **_WORDS}, ("0", "1"))
KALDI = TrialStyle("kaldi", ("enrolment", "test", "value"), _WORDS, ("nontarget", "target"))
CNCELEB = TrialStyle("cnceleb", ("enrolment", "test", "value"), _NUMBERS, ("0", "1"))
NIST = TrialStyle("nist", ("enrolment", "test", SIDE, "value"), _WORDS, ("nontarget", "target"), header=True)
NIST_KEY = TrialStyle("nist_key", ("enrolment", "segment", SIDE, "value"), _WORDS, ("nontarget", "target"))

_HERE = "curvox.corpora.trial_formats"
TRIAL_STYLES = Table(
    "trial style",
    {
        "voxceleb": Entry(_HERE, "VOXCELEB", "label enrolment test, the label 1 or 0"),
        "kaldi": Entry(_HERE, "KALDI", "enrolment test label, the label target or nontarget"),
        "cnceleb": Entry(_HERE, "CNCELEB", "enrolment test label, the label 1 or 0"),
        "nist": Entry(_HERE, "NIST", "a table with the header modelid, segmentid, side, targettype (SRE16 and later)"),
        "nist_key": Entry(_HERE, "NIST_KEY", "model segment side label, the label target or nontarget (before SRE16)"),
    },
)


def read_trials(path: str | Path, *, labelled: bool = True, style: str = "voxceleb") -> TrialList:
    """Read a trial list.

    Without a header, fields are separated by white space; ``labelled=False`` reads lines that have no label. In the
    style "nist" tabs separate them, and columns beyond the model, the segment and the label are kept in
    ``TrialList.columns``. In the style "nist_key" the id of the test is ``segment:side``. Ids that are paths stay as
    they are. Repeated trials are kept, and counted by ``duplicates``; a pair that comes with both labels is refused.

    Args:
        path: the list; a name that ends with .gz is unpacked.
        labelled: whether there are labels.
        style: its name in :data:`TRIAL_STYLES`.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong; the message names file and lines, and the other
            style where the first line plainly has one.
        UnknownNameError: there is no such style.
    """
    path, layout = Path(path), TRIAL_STYLES.load(style)
    value = "label" if labelled else ""
    columns = read_columns(path, layout, value, all_styles(), "trial list")
    tests = tests_of(columns, layout)
    labels = _labels(columns, layout, tests, path.name) if labelled else None
    refuse(sorted(columns.problems, key=lambda p: p.line or 0), f"the trial list {path}")
    further = {name: cells for name, cells in columns.cells.items() if name not in ("enrolment", "test", "label")}
    return TrialList(
        columns.cells["enrolment"],
        tests,
        labels,
        path.name,
        columns=further if layout.header else {},
        first_line=2 if layout.header else 1,
    )


def all_styles() -> list[TrialStyle]:
    """Return every style of the table."""
    return [TRIAL_STYLES.load(name) for name in TRIAL_STYLES]


def _labels(columns: Columns, style: TrialStyle, tests: tuple[str, ...], file: str) -> np.ndarray:
    check_values(columns, style, "label", file)
    texts = columns.cells["label"]
    labels = np.array([style.labels.get(text, False) for text in texts], dtype=bool)
    pairs = list(zip(columns.cells["enrolment"], tests, strict=True))
    if len(set(pairs)) < len(pairs):
        _check_repeated(columns, pairs, labels.tolist(), file)
    return labels


def _check_repeated(columns: Columns, pairs: list[tuple[str, str]], labels: list[bool], file: str) -> None:
    seen: dict[tuple[str, str], tuple[int, bool]] = {}
    for number, pair, label in zip(columns.numbers, pairs, labels, strict=True):
        other, before = seen.setdefault(pair, (number, label))
        if before != label:
            message = f'"{pair[0]}" and "{pair[1]}" have another label in line {other}; a pair has one label'
            columns.problems.append(Problem(file, number, "label", message))


def write_trials(trials: TrialList, path: str | Path, *, style: str = "voxceleb") -> Path:
    """Write a trial list that :func:`read_trials` reads back; it appears complete or not at all.

    Only the style "nist" has a place for ``trials.columns``; its column side is "a" where there is none.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: an id is empty or holds white space, or the style cannot hold it.
        UnknownNameError: there is no such style.
    """
    layout: TrialStyle = TRIAL_STYLES.load(style)
    require_ids({*trials.enrolments, *trials.tests}, "a trial list")
    words = None if trials.labels is None else [layout.words[label] for label in trials.labels.astype(int).tolist()]
    path = Path(path)
    if layout.header:
        new_text(path, _table(trials, words))
    else:
        cells = {"enrolment": trials.enrolments, "test": trials.tests, "label": words or ()}
        new_text(path, joined(layout, cells, "" if words is None else "label"))
    return path


def _table(trials: TrialList, words: list[str] | None) -> str:
    label = HEADER_VALUES["label"]
    if clash := {MODEL, *SEGMENTS, label} & set(trials.columns):
        raise InputError(f'a further column cannot be called "{min(clash)}": the style "nist" has one of this name')
    sides = trials.columns.get(SIDE, (ONLY_SIDE,) * len(trials))
    names = [MODEL, SEGMENTS[0], SIDE, *([] if words is None else [label])]
    cells = [trials.enrolments, trials.tests, sides, *([] if words is None else [words])]
    further = [name for name in trials.columns if name != SIDE]
    return tabbed([*names, *further], [*cells, *(trials.columns[name] for name in further)])
