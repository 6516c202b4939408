"""Hold trials, pairs of ids and whether they are of one speaker, and enrolment maps; check them against a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from curvox.corpora.corpus import HINTS, Corpus, NameIndex
from curvox.corpora.problems import Problem, refuse
from curvox.errors import InputError, nearest


@dataclass(frozen=True, eq=False)
class EnrolmentMap:
    """Models and the ids of the utterances each is made of, in their order."""

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
        """Return the utterances of a model; an unknown one raises `InputError` with the nearest models."""
        if model not in self.models:
            raise InputError(f'unknown model "{model}" in {self.source}: {nearest(model, self.models)}')
        return self.models[model]


@dataclass(frozen=True, eq=False)
class TrialList:
    """Pairs of ids, in the order of their file: an enrolment (an utterance, or a model of an enrolment map) and a test.

    ``labels`` is a bool array (trials,), True for the same speaker, or None where unknown. ``source`` names the file
    for messages; trial ``i`` stands in its line ``first_line + i``. ``columns`` holds further columns of the list, by
    their names, a text for each trial. A pair may come twice: a repeated trial counts twice in every error rate, as in
    the published figures of lists that repeat some; see :attr:`duplicates`.
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
        """How many trials are of the same speaker; without labels this raises `InputError`."""
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


@dataclass(frozen=True, eq=False)
class TrialPlan:
    """Every name of a trial list once, and indices, for scoring.

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
    """Return the utterances, models and indices of a trial list; without a map each enrolment is a model of itself."""
    models = tuple(sorted(set(trials.enrolments)))
    parts = enrolled_parts(trials, enrolments)
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


def enrolled_parts(trials: TrialList, enrolments: EnrolmentMap | None) -> dict[str, tuple[str, ...]]:
    """Return the utterances of each enrolment: those of its model, or itself where there is no map."""
    names = set(trials.enrolments)
    return {name: (name,) if enrolments is None else enrolments[name] for name in names}


def check_trials(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    """Return what is wrong, by line: unknown ids, tests that are their own enrolment, and, once all ids are known,
    labels that contradict the speakers."""
    problems = _unknown(trials, corpus, enrolments) + _with_itself(trials, enrolments)
    if enrolments is not None:
        problems += _model_problems(trials, corpus, enrolments)
    problems = problems or _contradictions(trials, corpus, enrolments)
    return sorted(problems, key=lambda p: p.line or 0)


def _unknown(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    lost_tests = {name for name in set(trials.tests) if name not in corpus}
    lost = {name for name in set(trials.enrolments) if name not in (corpus if enrolments is None else enrolments)}
    if not lost and not lost_tests:
        return []
    # A model and an utterance may have the same name, so the kind is part of the key.
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    kind = "utterance" if enrolments is None else "model"
    pairs = zip(trials.enrolments, trials.tests, strict=True)
    for line, (enrolment, test) in enumerate(pairs, start=trials.first_line):
        if enrolment in lost:
            found.setdefault((kind, enrolment), []).append((line, "enrolment"))
        if test in lost_tests:
            found.setdefault(("utterance", test), []).append((line, "test"))
    models = NameIndex(() if enrolments is None else enrolments.models)
    problems: list[Problem] = []
    for (what, name), places in found.items():
        hint = ""
        if len(problems) < HINTS:
            hint = models.hint(name) if what == "model" else corpus.nearest_utterances(name)
        often = f" ({len(places)} times in the list)" if len(places) > 1 else ""
        line, column = places[0]
        problems.append(Problem(trials.source, line, column, f'unknown {what} "{name}"{often}: {hint}'))
    return problems


def _with_itself(trials: TrialList, enrolments: EnrolmentMap | None) -> list[Problem]:
    pairs = enumerate(zip(trials.enrolments, trials.tests, strict=True), start=trials.first_line)
    if enrolments is None:
        message = 'the utterance "{}" is compared with itself; a trial needs two'
        return [Problem(trials.source, line, "", message.format(a)) for line, (a, b) in pairs if a == b]
    holds = {model: frozenset(enrolments.models.get(model, ())) for model in set(trials.enrolments)}
    message = 'the model "{}" holds the test utterance "{}"; a test must be new to the model'
    return [Problem(trials.source, line, "", message.format(a, b)) for line, (a, b) in pairs if b in holds[a]]


def _model_problems(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap) -> list[Problem]:
    """Look at the models that trials name; others of the map may be of another corpus."""
    problems: list[Problem] = []
    for model in sorted({name for name in set(trials.enrolments) if name in enrolments}):
        utterances = enrolments[model]
        lost = [name for name in utterances if name not in corpus]
        for name in lost:
            hint = corpus.nearest_utterances(name) if len(problems) < HINTS else ""
            message = f'the model "{model}" holds the unknown utterance "{name}": {hint}'
            problems.append(Problem(enrolments.source, None, "", message))
        speakers = sorted({corpus[name].speaker for name in utterances if name not in lost})
        if len(speakers) > 1:
            named = ", ".join(f'"{speaker}"' for speaker in speakers)
            message = f'the model "{model}" holds utterances of the speakers {named}; a model has one speaker'
            problems.append(Problem(enrolments.source, None, "", message))
    return problems


def _contradictions(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    if trials.labels is None:
        return []
    left = {name: corpus[parts[0]].speaker for name, parts in enrolled_parts(trials, enrolments).items()}
    right = {name: corpus[name].speaker for name in set(trials.tests)}
    problems: list[Problem] = []
    rows = zip(trials.enrolments, trials.tests, trials.labels.tolist(), strict=True)
    for line, (enrolment, test, same) in enumerate(rows, start=trials.first_line):
        if (left[enrolment] == right[test]) != same:
            message = f'label {int(same)}, but the corpus has the speakers "{left[enrolment]}" and "{right[test]}"'
            problems.append(Problem(trials.source, line, "label", message))
    return problems
