"""Read and write trial lists and enrolment maps: VoxCeleb, Kaldi, CN-Celeb, NIST's tables and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from curvox.corpora.problems import Problem, read_lines, refuse
from curvox.corpora.trials.styles import (
    MODEL,
    ONLY_SIDE,
    SEGMENTS,
    SIDE,
    TRIAL_STYLES,
    Columns,
    TrialStyle,
    is_id,
    lines_of,
    read_columns,
    require_ids,
    tabbed,
)
from curvox.corpora.trials.trial_list import EnrolmentMap, TrialList
from curvox.errors import CorpusError
from curvox.files import new_text
from curvox.tables import Entry, Table


def read_trials(path: str | Path, *, labelled: bool = True, style: str = "voxceleb") -> TrialList:
    """Read a trial list.

    Without a header, fields are separated by white space; ``labelled=False`` reads lines that have no label. In the
    style "nist" tabs separate them, and columns beyond the model, the segment and the label are kept in
    ``TrialList.columns``. In the style "nist_key" the id of the test is ``segment:side``. Ids that are paths stay as
    they are. Repeated trials are kept, and counted by ``duplicates``; a pair that comes with both labels is refused.

    Args:
        path: the list; a name that ends with .gz is unpacked.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong; the message names file and lines, and the other
            style where the first line plainly has one.
    """
    path = Path(path)
    layout: TrialStyle = TRIAL_STYLES.load(style)
    columns = read_columns(path, layout, "label" if labelled else "", "trial list")
    labels = _labels(columns, layout, path.name) if labelled else None
    refuse(sorted(columns.problems, key=lambda p: p.line or 0), f"the trial list {path}")
    ids = columns.cells["enrolment"], columns.cells["test"]
    if not layout.header:
        return TrialList(*ids, labels, path.name)
    further = {name: cells for name, cells in columns.cells.items() if name not in ("enrolment", "test", "label")}
    return TrialList(*ids, labels, path.name, columns=further, first_line=2)


def _labels(columns: Columns, style: TrialStyle, file: str) -> np.ndarray:
    labels = np.array([style.labels.get(text, False) for text in columns.cells["label"]], dtype=bool)
    pairs = list(zip(columns.cells["enrolment"], columns.cells["test"], strict=True))
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
    """
    layout: TrialStyle = TRIAL_STYLES.load(style)
    require_ids({*trials.enrolments, *trials.tests}, "a trial list")
    value = "" if trials.labels is None else "label"
    words = [] if trials.labels is None else [layout.words[label] for label in trials.labels.astype(int).tolist()]
    path = Path(path)
    new_text(path, lines_of(layout, (trials.enrolments, trials.tests), value, words, trials.columns))
    return path


_HERE = "curvox.corpora.trials.list_files"
ENROLMENT_STYLES = Table(
    "enrolment style",
    {
        "kaldi": Entry(_HERE, "read_model_lines", "model utterance …, one model a line (spk2utt)"),
        "cnceleb": Entry(_HERE, "read_model_lines", "model utterance …, one model a line (enroll.lst, enroll.map)"),
        "nist": Entry(_HERE, "read_model_table", "a table with the header modelid, segmentid, side (*_enrollment.tsv)"),
    },
)


@dataclass
class _Draft:
    """Models as they are read, their utterances perhaps twice, and what is wrong."""

    file: str
    problems: list[Problem]
    models: dict[str, list[str]] = field(default_factory=dict)

    def add(self, number: int, model: str, utterance: str) -> None:
        utterances = self.models.setdefault(model, [])
        if utterance in utterances:
            self.problem(number, f'the utterance "{utterance}" comes twice in the model "{model}"')
        utterances.append(utterance)

    def problem(self, number: int, message: str) -> None:
        self.problems.append(Problem(self.file, number, "", message))


def read_enrolments(path: str | Path, *, style: str) -> EnrolmentMap:
    """Read an enrolment map.

    In the style "nist" a model has a line for each of its segments, which need not follow each other; columns beyond
    ``modelid`` and ``segmentid`` (``segment`` in SRE16) are not kept.

    Args:
        path: the map; a name that ends with .gz is unpacked.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong; the message names file and lines.
    """
    path = Path(path)
    read: Callable[[_Draft, list[tuple[int, str]], Path], None] = ENROLMENT_STYLES.load(style)
    lines, problems = read_lines(path)
    if not lines and not problems:
        raise CorpusError(f"{path} is empty; expected models and their utterances")
    draft = _Draft(path.name, problems)
    read(draft, lines, path)
    refuse(sorted(draft.problems, key=lambda p: p.line or 0), f"the enrolment map {path}")
    return EnrolmentMap({model: tuple(utterances) for model, utterances in draft.models.items()}, path.name)


def read_model_lines(draft: _Draft, lines: list[tuple[int, str]], path: Path) -> None:
    """Read lines of a model and its utterances, separated by white space."""
    if lines and MODEL in lines[0][1].split("\t"):
        raise CorpusError(f'{path}, line 1: this is the header of style="nist"; read the enrolment map so')
    where: dict[str, int] = {}
    for number, line in lines:
        model, *utterances = line.split() or [""]
        if not utterances:
            draft.problem(number, f'expected "model utterance …", got "{line}"')
        elif where.setdefault(model, number) != number:
            draft.problem(number, f'the model "{model}" has a line already, line {where[model]}; a model has one line')
        for utterance in utterances:
            draft.add(number, model, utterance)


def read_model_table(draft: _Draft, lines: list[tuple[int, str]], path: Path) -> None:
    """Read a table with a line for each segment of a model."""
    header = lines[0][1].split("\t") if lines else []
    segment = next((name for name in SEGMENTS if name in header), None)
    if MODEL not in header or segment is None:
        message = f'expected the header "{MODEL} {SEGMENTS[0]} {SIDE}" separated by tabs for style="nist"'
        raise CorpusError(f'{path}, line 1: {message}, got "{lines[0][1] if lines else ""}"')
    places = header.index(MODEL), header.index(segment)
    side_place = header.index(SIDE) if SIDE in header else None
    sides: dict[str, str] = {}
    for number, line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != len(header):
            draft.problem(number, f"expected {len(header)} fields separated by tabs, got {len(cells)}")
            continue
        model, utterance = (cells[place] for place in places)
        if not (is_id(model) and is_id(utterance)):
            draft.problem(number, f'an id is not empty and holds no white space, got "{model}" and "{utterance}"')
            continue
        side = "" if side_place is None else cells[side_place]
        if sides.setdefault(utterance, side) != side:
            draft.problem(number, f'the segment "{utterance}" has the sides "{sides[utterance]}" and "{side}"')
        draft.add(number, model, utterance)
    if not draft.models and not draft.problems:
        raise CorpusError(f"{path} has a header and no model")


def write_enrolments(enrolments: EnrolmentMap, path: str | Path, *, style: str) -> Path:
    """Write an enrolment map that :func:`read_enrolments` reads back; it appears complete or not at all.

    Raises:
        OutputExistsError: ``path`` exists.
        InputError: an id is empty or holds white space.
    """
    reader, path = ENROLMENT_STYLES[style].attribute, Path(path)
    models = enrolments.models
    require_ids({*models, *(u for utterances in models.values() for u in utterances)}, "an enrolment map")
    if reader == "read_model_table":
        repeated = [model for model, utterances in models.items() for _ in utterances]
        segments = [utterance for utterances in models.values() for utterance in utterances]
        new_text(path, tabbed({MODEL: repeated, SEGMENTS[0]: segments, SIDE: [ONLY_SIDE] * len(segments)}))
    else:
        new_text(path, "\n".join(" ".join((model, *utterances)) for model, utterances in models.items()) + "\n")
    return path
