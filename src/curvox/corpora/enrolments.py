"""Enrolment maps: which utterances a model is made of, as CN-Celeb, Kaldi and NIST write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from curvox.corpora.problems import Problem, refuse
from curvox.corpora.text_files import read_lines
from curvox.corpora.trial_lines import MODEL, ONLY_SIDE, SEGMENTS, SIDE, require_ids, tabbed
from curvox.corpora.trials import TrialList
from curvox.errors import CorpusError, InputError, nearest
from curvox.files import new_text
from curvox.tables import Entry, Table

_HERE = "curvox.corpora.enrolments"
ENROLMENT_STYLES = Table(
    "enrolment style",
    {
        "kaldi": Entry(_HERE, "read_model_lines", "model utterance …, one model a line (spk2utt)"),
        "cnceleb": Entry(_HERE, "read_model_lines", "model utterance …, one model a line (enroll.lst, enroll.map)"),
        "nist": Entry(_HERE, "read_model_table", "a table with the header modelid, segmentid, side (*_enrollment.tsv)"),
    },
)


@dataclass(frozen=True, eq=False)
class EnrolmentMap:
    """Models and the ids of the utterances each is made of, in their order.

    Raises:
        InputError: there is no model, or a model has no utterance or one of them twice.
    """

    models: Mapping[str, tuple[str, ...]]
    source: str = "enrolments"

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("an enrolment map needs at least one model")
        for model, utterances in self.models.items():
            if not utterances or len(set(utterances)) != len(utterances):
                raise InputError(f'a model is made of one or more different utterances, "{model}" of {utterances}')

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, model: object) -> bool:
        return model in self.models

    def __getitem__(self, model: str) -> tuple[str, ...]:
        """Return the utterances of a model.

        Raises:
            InputError: there is no such model; the message names the nearest ones.
        """
        if model not in self.models:
            raise InputError(f'unknown model "{model}" in {self.source}: {nearest(model, self.models)}')
        return self.models[model]


@dataclass
class _Draft:
    file: str
    models: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

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
        style: its name in :data:`ENROLMENT_STYLES`.

    Raises:
        CorpusError: the file is missing or empty, or lines are wrong; the message names file and lines.
        UnknownNameError: there is no such style.
    """
    path = Path(path)
    read: Callable[[_Draft, list[tuple[int, str]], Path], None] = ENROLMENT_STYLES.load(style)
    lines, problems = read_lines(path)
    if not lines and not problems:
        raise CorpusError(f"{path} is empty; expected models and their utterances")
    draft = _Draft(path.name, problems=problems)
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
        if any(len(text.split()) != 1 or text != text.strip() for text in (model, utterance)):
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
        UnknownNameError: there is no such style.
    """
    reader, path = ENROLMENT_STYLES[style].attribute, Path(path)
    models = enrolments.models
    require_ids({*models, *(u for utterances in models.values() for u in utterances)}, "an enrolment map")
    if reader == "read_model_table":
        rows = [(model, utterance, ONLY_SIDE) for model, utterances in models.items() for utterance in utterances]
        new_text(path, tabbed((MODEL, SEGMENTS[0], SIDE), tuple(zip(*rows, strict=True))))
    else:
        new_text(path, "\n".join(" ".join((model, *utterances)) for model, utterances in models.items()) + "\n")
    return path


@dataclass(frozen=True, eq=False)
class TrialPlan:
    """What scoring a trial list needs: every name once, and indices.

    ``utterances`` are all to embed, sorted. ``models`` are the enrolments that the trials name, sorted; ``rows[m]`` is
    int64 (utterances of the model,), places in ``utterances``. ``enrolment_index`` points into ``models`` and
    ``test_index`` into ``utterances``, int64 (trials,) each.
    """

    utterances: tuple[str, ...]
    models: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    enrolment_index: np.ndarray
    test_index: np.ndarray


def plan_trials(trials: TrialList, enrolments: EnrolmentMap | None = None) -> TrialPlan:
    """Return the utterances, models and indices of a trial list.

    Without ``enrolments`` the enrolment of a trial is an utterance, and makes a model of one.

    Raises:
        InputError: a trial names a model that the map does not have.
    """
    models = tuple(sorted(set(trials.enrolments)))
    parts = {model: (model,) if enrolments is None else enrolments[model] for model in models}
    utterances = tuple(sorted({*trials.tests, *(u for part in parts.values() for u in part)}))
    place = {name: i for i, name in enumerate(utterances)}
    number = {name: i for i, name in enumerate(models)}
    return TrialPlan(
        utterances,
        models,
        tuple(np.array([place[u] for u in parts[model]], dtype=np.int64) for model in models),
        np.array([number[name] for name in trials.enrolments], dtype=np.int64),
        np.array([place[name] for name in trials.tests], dtype=np.int64),
    )
